/* The fields of a layer's config as table rows, given the offset of the tern_config inside the
 * struct: a MoE layer's config holds one. */
#ifndef TERN_OPS_CONFIG_FIELDS_H
#define TERN_OPS_CONFIG_FIELDS_H

#include "ops/fields.h"

#define CONFIG_BOOL(at, name) \
    { #name, NULL, FIELD_BOOL, (at) + offsetof(tern_config, name), 0, 0, NULL, NULL }
#define CONFIG_SIZE(at, name, least) \
    { #name, NULL, FIELD_INT, (at) + offsetof(tern_config, name), least, 1e15, NULL, NULL }
#define CONFIG_NUMBER(at, name, alias) \
    { #name, alias, FIELD_NUMBER, (at) + offsetof(tern_config, name), 0, 0, NULL, NULL }
#define CONFIG_ENUM(at, name, names) \
    { #name, NULL, FIELD_ENUM, (at) + offsetof(tern_config, name), 0, 0, names, NULL }

#define CONFIG_FIELDS(at)                                                                       \
    CONFIG_SIZE(at, layer_id, -1), CONFIG_SIZE(at, hidden_size, -1),                            \
        CONFIG_SIZE(at, intermediate_size, -1e15),                                              \
    CONFIG_SIZE(at, heads, -1), CONFIG_SIZE(at, num_hidden_layers, -1),                         \
        CONFIG_NUMBER(at, layer_norm_eps, "epsilon"),                                           \
    CONFIG_SIZE(at, local_rank, -1), CONFIG_SIZE(at, mp_size, 1),                               \
        CONFIG_ENUM(at, dtype, names_of_dtypes),                                                \
    CONFIG_BOOL(at, pre_layer_norm), CONFIG_ENUM(at, norm_type, names_of_norms),                \
        CONFIG_BOOL(at, stochastic_mode),                                                       \
    CONFIG_BOOL(at, scale_attention), CONFIG_BOOL(at, triangular_masking),                      \
        CONFIG_BOOL(at, local_attention),                                                       \
    CONFIG_SIZE(at, window_size, -1), CONFIG_SIZE(at, rotary_dim, -1),                          \
        CONFIG_BOOL(at, rotate_half),                                                           \
    CONFIG_BOOL(at, rotate_every_two), CONFIG_BOOL(at, return_tuple),                           \
        CONFIG_BOOL(at, mlp_after_attn),                                                        \
    CONFIG_ENUM(at, mlp_act_func_type, names_of_activations),                                   \
        CONFIG_SIZE(at, training_mp_size, 1),                                                   \
    CONFIG_BOOL(at, bigscience_bloom), CONFIG_SIZE(at, max_out_tokens, 0),                      \
        CONFIG_SIZE(at, min_out_tokens, 0),                                                     \
    CONFIG_BOOL(at, enable_qkv_quantization), CONFIG_BOOL(at, use_mup),                         \
        CONFIG_BOOL(at, scale_attn_by_inverse_layer_idx),                                       \
    CONFIG_BOOL(at, return_single_tuple), CONFIG_BOOL(at, set_empty_params),                    \
        CONFIG_BOOL(at, transposed_mode),                                                       \
    CONFIG_BOOL(at, use_triton), CONFIG_BOOL(at, triton_autotune), CONFIG_SIZE(at, num_kv, -1), \
    CONFIG_NUMBER(at, rope_theta, NULL), CONFIG_BOOL(at, invert_mask),                          \
        CONFIG_ENUM(at, compute, names_of_types),                                               \
    CONFIG_ENUM(at, kv_dtype, names_of_types), CONFIG_SIZE(at, head_dim, 0),                    \
        CONFIG_SIZE(at, value_dim, 0),                                                          \
    CONFIG_NUMBER(at, attn_scale, NULL), CONFIG_NUMBER(at, attn_softcap, NULL)

extern const field config_fields[];

/* The type of activations, T: f16 beside int8 weights. dtype is one of the enumeration. */
tern_dtype config_type(tern_config_dtype dtype);

/* What DeepSpeed derives in its constructor: intermediate_size <= 0 becomes 4 * hidden_size, where
 * that is known. */
void config_derive(tern_config *config);

#endif
