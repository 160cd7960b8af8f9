/* The CPU backend's table. Contexts are bound to it (backend/context.c); ops call through it. */
#include "backend/cpu/cpu.h"

const tern_backend tern_backend_cpu = {
    .name = "cpu",
    .matmul = cpu_matmul,
    .norm = cpu_norm,
    .activation = cpu_activation,
    .add = cpu_add,
    .rope_table = cpu_rope_table,
    .rope = cpu_rope,
    .kv_write = cpu_kv_write,
    .kv_read = cpu_kv_read,
    .attention = cpu_attention,
    .softmax = cpu_softmax,
    .gather = cpu_gather,
    .convert = cpu_convert,
    .route = cpu_route,
    .dispatch = cpu_dispatch,
    .combine = cpu_combine,
    .quantise = cpu_quantise,
    .dequantise = cpu_dequantise,
    .quantise_range = cpu_quantise_range,
    .dequantise_range = cpu_dequantise_range,
    .blend = cpu_blend,
    .copy = cpu_copy,
    .random = cpu_random,
    .place = cpu_place,
};
