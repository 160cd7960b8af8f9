/* Steps on one row that several primitives are made of: rounding to a type, activation functions,
 * widening and narrowing. They call kernels on pieces of CPU_CHUNK elements; elementwise kernels
 * give the same bits however a row is cut. */
#include <stdint.h>
#include <string.h>

#include "backend/cpu/cpu.h"

static int64_t piece(int64_t i, int64_t n)
{
    return n - i < CPU_CHUNK ? n - i : CPU_CHUNK;
}

void cpu_round_row(const tern_kernels *k, tern_dtype type, float *y, int64_t n)
{
    uint16_t narrow[CPU_CHUNK];
    if (type != TERN_F16 && type != TERN_BF16) return;
    k_convert_fn *down = type == TERN_BF16 ? k->bf16_from_f32 : k->f16_from_f32;
    k_convert_fn *up = type == TERN_BF16 ? k->f32_from_bf16 : k->f32_from_f16;
    for (int64_t i = 0; i < n; i += CPU_CHUNK) {
        size_t part = (size_t)piece(i, n);
        down(narrow, y + i, part);
        up(y + i, narrow, part);
    }
}

/* x * sigmoid(1.702 x): Hendrycks & Gimpel 2016, section 2; Hugging Face's "quick_gelu". */
static void quick_gelu_row(const tern_kernels *k, float *y, const float *x, int64_t n)
{
    float t[CPU_CHUNK];
    for (int64_t i = 0; i < n; i += CPU_CHUNK) {
        size_t part = (size_t)piece(i, n);
        k->scale_row(t, 1.702f, x + i, part);
        k->sigmoid_row(t, t, part);
        k->mul_row(y + i, x + i, t, part);
    }
}

void cpu_act_row(const tern_kernels *k, tern_act act, float *y, const float *x, int64_t n)
{
    switch (act) {
    case ACT_GELU_TANH: k->gelu_tanh_row(y, x, (size_t)n); return;
    case ACT_GELU_ERF: k->gelu_erf_row(y, x, (size_t)n); return;
    case ACT_SILU: k->silu_row(y, x, (size_t)n); return;
    case ACT_RELU: k->relu_row(y, x, (size_t)n); return;
    case ACT_RELU_SQUARED:
        k->relu_row(y, x, (size_t)n);
        k->mul_row(y, y, y, (size_t)n);
        return;
    case ACT_QUICK_GELU: quick_gelu_row(k, y, x, n); return;
    case ACT_TANH: k->tanh_row(y, x, (size_t)n); return;
    case ACT_SIGMOID: k->sigmoid_row(y, x, (size_t)n); return;
    default:
        if (y != x) memcpy(y, x, (size_t)n * sizeof *y);
    }
}

void cpu_widen_row(const tern_kernels *k, float *y, const void *x, tern_dtype type, int64_t n)
{
    uint16_t aligned[CPU_CHUNK];
    if (type == TERN_F32) {
        memcpy(y, x, (size_t)n * sizeof *y);
        return;
    }
    k_convert_fn *up = type == TERN_BF16 ? k->f32_from_bf16 : k->f32_from_f16;
    if ((uintptr_t)x % sizeof(uint16_t) == 0) {
        up(y, x, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i += CPU_CHUNK) {
        size_t part = (size_t)piece(i, n);
        memcpy(aligned, (const unsigned char *)x + (size_t)i * sizeof *aligned, part * sizeof *aligned);
        up(y + i, aligned, part);
    }
}

void cpu_narrow_row(const tern_kernels *k, void *y, tern_dtype type, const float *x, int64_t n)
{
    uint16_t aligned[CPU_CHUNK];
    if (type == TERN_F32) {
        memmove(y, x, (size_t)n * sizeof *x);
        return;
    }
    k_convert_fn *down = type == TERN_BF16 ? k->bf16_from_f32 : k->f16_from_f32;
    if ((uintptr_t)y % sizeof(uint16_t) == 0) {
        down(y, x, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i += CPU_CHUNK) {
        size_t part = (size_t)piece(i, n);
        down(aligned, x + i, part);
        memcpy((unsigned char *)y + (size_t)i * sizeof *aligned, aligned, part * sizeof *aligned);
    }
}

typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef float f32x16 __attribute__((vector_size(64)));

void cpu_widen_i8_row(float *y, const int8_t *q, float scale, int64_t n)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        i8x16 v;
        memcpy(&v, q + i, sizeof v);
        f32x16 wide = scale * __builtin_convertvector(v, f32x16);
        memcpy(y + i, &wide, sizeof wide);
    }
    for (; i < n; i++) y[i] = scale * (float)q[i];
}
