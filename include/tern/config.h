/* tern_config: how one transformer layer is wired. DeepSpeed's DeepSpeedInferenceConfig with every
 * field, and tern's additions.
 *
 * Fields keep DeepSpeed's names and meanings (deepspeed/ops/transformer/inference/config.py); its
 * enumerations keep their integers. A config is plain data: copy it by assignment. */
#ifndef TERN_CONFIG_H
#define TERN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tern/context.h>
#include <tern/tensor.h>

/* The longest text of a config, its end included: paths. */
#define TERN_TEXT_BYTES 1024

/* A short list of numbers. */
#define TERN_MOST_INTS 64
typedef struct tern_int_list {
    int64_t n, value[TERN_MOST_INTS];
} tern_int_list;

typedef enum tern_activation_type {
    TERN_ACT_UNKNOWN = 0,
    TERN_ACT_GELU = 1,              /* the tanh form */
    TERN_ACT_RELU = 2,
    TERN_ACT_GATED_GELU = 3,        /* value * gelu_erf(gate) */
    TERN_ACT_GATED_SILU = 4,        /* value * silu(gate) */
    TERN_ACT_GELU_ERF = 5,          /* tern's addition, and those below: what model families need */
    TERN_ACT_GATED_GELU_TANH = 6,
    TERN_ACT_SILU = 7,
    TERN_ACT_RELU_SQUARED = 8,
    TERN_ACT_QUICK_GELU = 9,        /* x * sigmoid(1.702 x) */
    TERN_ACT_GATED_RELU = 10
} tern_activation_type;

typedef enum tern_norm_type {
    TERN_NORM_UNKNOWN = 0,
    TERN_NORM_LAYER = 1,            /* "LayerNorm" */
    TERN_NORM_GROUP = 2,            /* "GroupNorm": in the enumeration, and refused everywhere */
    TERN_NORM_RMS = 3               /* "RMSNorm" */
} tern_norm_type;

/* The type of activations and parameters; int8: weights are int8 with f32 scales, everything else
 * is f16. */
typedef enum tern_config_dtype { TERN_DTYPE_FP32 = 0, TERN_DTYPE_FP16 = 1, TERN_DTYPE_BF16 = 2,
                                 TERN_DTYPE_INT8 = 3 } tern_config_dtype;

/* Noise on a gate of experts, in training: on its input (times 0.99 .. 1.01) or on its choice
 * (Gumbel's). */
typedef enum tern_noise { TERN_NOISE_NONE = 0, TERN_NOISE_JITTER = 1,
                          TERN_NOISE_RSAMPLE = 2 } tern_noise;

typedef struct tern_config {
    /* DeepSpeed's. -1: not given. */
    int64_t layer_id;                         /* -1 */
    int64_t hidden_size;                      /* -1; E */
    int64_t intermediate_size;                /* -1; I; <= 0 becomes 4 * hidden_size */
    int64_t heads;                            /* -1; H */
    int64_t num_hidden_layers;                /* -1 */
    double layer_norm_eps;                    /* 1e-12; also spelt "epsilon" */
    int64_t local_rank;                       /* -1; without effect */
    int64_t mp_size;                          /* 1: tensor-parallel degree */
    tern_config_dtype dtype;                  /* FP16 */
    bool pre_layer_norm;                      /* true */
    tern_norm_type norm_type;                 /* LayerNorm */
    bool stochastic_mode;                     /* false; without effect */
    bool scale_attention;                     /* true; false: scores are not scaled */
    bool triangular_masking;                  /* true: causal */
    bool local_attention;                     /* false: sliding window */
    int64_t window_size;                      /* 256 */
    /* -1; > 0: rotary on the first rotary_dim channels of each head */
    int64_t rotary_dim;
    bool rotate_half;                         /* false: pairs (m, m + rotary_dim/2) */
    /* true: pairs (2m, 2m+1); exactly one of the two where rotary_dim > 0 */
    bool rotate_every_two;
    bool return_tuple;                        /* true */
    bool mlp_after_attn;                      /* true; false: attention and MLP in parallel */
    tern_activation_type mlp_act_func_type;   /* GELU */
    int64_t training_mp_size;                 /* 1; without effect */
    bool bigscience_bloom;                    /* false: BLOOM's attention */
    /* 1024: the cache's length, prompt and output together */
    int64_t max_out_tokens;
    int64_t min_out_tokens;                   /* 1: the least that must fit */
    bool enable_qkv_quantization;             /* false; without effect */
    bool use_mup;                             /* false: scores by 1/D instead of 1/sqrt(D) */
    bool scale_attn_by_inverse_layer_idx;     /* false: scores by another 1/(layer_id + 1) */
    bool return_single_tuple;                 /* false */
    bool set_empty_params;                    /* false */
    bool transposed_mode;                     /* false: weights are [in, out]; true: [out, in] */
    bool use_triton, triton_autotune;         /* false; true is refused: there is no Triton */
    int64_t num_kv;                           /* -1: as heads */
    double rope_theta;                        /* 10000 */
    bool invert_mask;                         /* true */

    /* tern's additions. */
    /* TERN_F32: the type in which a GEMM's inputs are multiplied: f32, bf16, f16 (model.h) */
    tern_dtype compute;
    tern_dtype kv_dtype;                      /* TERN_F32: the KV cache's; f32, f16 or bf16 */
    int64_t head_dim;                         /* 0: hidden_size / heads */
    /* 0: head_dim; the width of a head's values where it is another (MLA) */
    int64_t value_dim;
    double attn_scale;                        /* 0: by the rules above; else q.k times this */
    double attn_softcap;                      /* 0: none; else cap * tanh(score / cap) */
} tern_config;

/* DeepSpeed's defaults, as in the comments above. */
TERN_API tern_config tern_config_default(void);

/* How a reader treats keys that are no field. */
typedef enum tern_config_mode {
    TERN_CONFIG_STRICT = 0,       /* an error that names the key and the nearest field */
    TERN_CONFIG_COMPATIBLE = 1    /* a line in the log, as DeepSpeed ignores them */
} tern_config_mode;

/* Reads JSON text over *config (set it to tern_config_default() first): numbers, booleans,
 * enumerations by name or integer, dtype strings of DeepSpeed's DtypeEnum ("fp16", "torch.float16",
 * "half", ...), both spellings of layer_norm_eps; derived values are computed again. A wrong kind
 * or value: TERN_ERR_FORMAT or TERN_ERR_ARGUMENT, and *config is unchanged. Does not validate
 * across fields: tern_config_check does. */
TERN_API tern_status tern_config_from_json(tern_ctx *ctx, const char *text, size_t n_bytes,
                                           tern_config_mode mode, tern_config *config);
TERN_API tern_status tern_config_from_file(tern_ctx *ctx, const char *path, tern_config_mode mode,
                                           tern_config *config);

/* The config as JSON that from_json reads back to the same value. *text is freed by
 * tern_text_free. */
TERN_API tern_status tern_config_to_json(tern_ctx *ctx, const tern_config *config, char **text);

/* What a whole layer needs of its config: sizes positive, heads divide hidden_size, mp_size divides
 * heads, KV heads and intermediate_size, rotary within the head and one pairing, eps >= 0, token
 * limits, window, a norm and an activation that layers have. A gated activation with LayerNorm
 * takes its gate apart (mlp_gemm). */
TERN_API tern_status tern_config_check(tern_ctx *ctx, const tern_config *config);

/* ---- The mixture-of-experts layer ---------------------------------------------------------------
 * DeepSpeedMoEInferenceConfig: the layer's fields, and those of its experts. Its dtype is FP32
 * unless it is given, or one of the precision flags is. */
typedef enum tern_mlp_type { TERN_MLP_STANDARD = 0, TERN_MLP_RESIDUAL = 1 } tern_mlp_type;

typedef struct tern_moe_config {
    tern_config layer;
    /* false: precision flags; q_int8 goes before bf16, bf16 before fp16 */
    bool fp16, bf16, q_int8;
    int64_t moe_experts;                      /* 1: held by this rank */
    /* 1: over the whole expert-parallel group; the gate's width */
    int64_t global_experts;
    int64_t k;                                /* 1: experts a token goes to */
    double capacity_factor;                   /* 1: in training */
    double eval_capacity_factor;              /* 1 */
    int64_t min_capacity;                     /* 1 */
    tern_noise noisy_gate_policy;             /* None; in training alone */
    bool drop_tokens;                         /* true */
    bool use_rts;                             /* false */
    /* "standard"; "residual": a dense MLP beside the experts */
    tern_mlp_type mlp_type;
    /* false: under layer.mp_size > 1 an expert is whole on each rank; true: its inner dimension is
     * split */
    bool enable_expert_tensor_parallelism;

    /* tern's additions */
    bool top2_2nd_expert_sampling;            /* false: noise on the second choice of k = 2 */
    /* false: tokens are dispatched by index; true: dense masks and products, with the same
     * result */
    bool einsum_dispatch;
} tern_moe_config;

TERN_API tern_moe_config tern_moe_config_default(void);

/* As the calls of tern_config; all keys lie in one object. */
TERN_API tern_status tern_moe_config_from_json(tern_ctx *ctx, const char *text, size_t n_bytes,
                                               tern_config_mode mode, tern_moe_config *config);
TERN_API tern_status tern_moe_config_from_file(tern_ctx *ctx, const char *path,
                                               tern_config_mode mode, tern_moe_config *config);
TERN_API tern_status tern_moe_config_to_json(tern_ctx *ctx, const tern_moe_config *config,
                                             char **text);

/* The experts' fields alone: moe_experts divides global_experts, k from 1 to global_experts,
 * capacity factors > 0, min_capacity >= 0. */
TERN_API tern_status tern_moe_config_check(tern_ctx *ctx, const tern_moe_config *config);

/* Frees text that a tern call handed over; null is allowed. */
TERN_API void tern_text_free(char *text);

#endif
