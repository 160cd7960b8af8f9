/* tern_engine_config: what DeepSpeed's init_inference takes (deepspeed/inference/config.py), every
 * field of it.
 *
 * docs/deepspeed.md says which of these have an effect in tern. A config is plain data: copy it by
 * assignment. */
#ifndef TERN_ENGINE_CONFIG_H
#define TERN_ENGINE_CONFIG_H

#include <tern/config.h>

typedef enum tern_quant_type { TERN_QUANT_ASYMMETRIC = 0,
                               TERN_QUANT_SYMMETRIC = 1 } tern_quant_type;

/* Each comment has the default. Texts: "" is none; an object is kept as JSON. mpu and the process
 * groups, which are objects of Python's, may only be null. */
typedef struct tern_quant_part {
    bool enabled;                                 /* true */
    int64_t num_bits;                             /* 8 */
    tern_quant_type q_type;                       /* symmetric */
    int64_t q_groups;                             /* 1 */
    /* of weights alone: JSON objects; {} */
    char quantized_initialization[TERN_TEXT_BYTES], post_init_quant[TERN_TEXT_BYTES];
} tern_quant_part;

typedef struct tern_engine_config {
    bool replace_with_kernel_inject;              /* false; also "kernel_inject" */
    tern_config_dtype dtype;                      /* FP16 */
    /* true, 1, 64; also "tp" */
    struct { bool enabled; int64_t tp_size, tp_grain_size; } tensor_parallel;
    bool enable_cuda_graph;                       /* false */
    bool use_triton, triton_autotune;             /* false */
    char zero[TERN_TEXT_BYTES];                   /* a JSON object; {} */
    bool triangular_masking;                      /* true; also "tm" */
    /* true, 1, [1] (also "num_experts"), standard */
    struct { bool enabled; int64_t ep_size; tern_int_list moe_experts; tern_mlp_type type; } moe;
    bool keep_module_on_host;                     /* false */
    /* true, and true in qkv */
    struct {
        bool enabled;
        tern_quant_part activation, weight;
        struct { bool enabled; } qkv;
    } quant;
    char checkpoint[TERN_TEXT_BYTES];             /* none: a path, or a JSON object */
    char base_dir[TERN_TEXT_BYTES];               /* "" */
    bool set_empty_params;                        /* false */
    char save_mp_checkpoint_path[TERN_TEXT_BYTES];    /* none */
    /* also "ckpt_config" */
    struct {
        char checkpoint_dir[TERN_TEXT_BYTES], save_mp_checkpoint_path[TERN_TEXT_BYTES],
            base_dir[TERN_TEXT_BYTES];
    } checkpoint_config;
    bool return_tuple;                            /* true */
    int64_t training_mp_size;                     /* 1 */
    char replace_method[TERN_TEXT_BYTES];         /* "auto"; deprecated, without effect */
    char injection_policy[TERN_TEXT_BYTES];       /* none: a JSON object; also "injection_dict" */
    char injection_policy_tuple[TERN_TEXT_BYTES]; /* none: a JSON list */
    char config[TERN_TEXT_BYTES];                 /* none: a JSON object; also "args" */
    int64_t max_out_tokens, min_out_tokens;       /* 1024, 1; also "max_tokens", "min_tokens" */
    bool transposed_mode;                         /* false */
} tern_engine_config;

TERN_API tern_engine_config tern_engine_config_default(void);

/* Reads JSON text over *config. Unknown keys are errors, as in DeepSpeed. The value "auto" leaves a
 * field as it is (replace_method takes it). The deprecated mp_size, mpu, ep_size, ep_group,
 * ep_mp_group, moe_experts and moe_type are forwarded to tensor_parallel and moe, with a line in
 * the log; together with the field that replaces them they are TERN_ERR_ARGUMENT. moe may be a
 * boolean: its "enabled". On failure *config is unchanged. */
TERN_API tern_status tern_engine_config_from_json(tern_ctx *ctx, const char *text, size_t n_bytes,
                                                  tern_engine_config *config);

/* As init_inference: config is null, JSON text (it begins with "{") or the path of a file; kwargs
 * is null or JSON text. A key that is in both must have the same value in both. *config starts from
 * the defaults and is checked. */
TERN_API tern_status tern_engine_config_init(tern_ctx *ctx, const char *config_or_path,
                                             const char *kwargs, tern_engine_config *config);

TERN_API tern_status tern_engine_config_to_json(tern_ctx *ctx, const tern_engine_config *config,
                                                char **text);

/* Sizes at least 1, min_out_tokens up to max_out_tokens, no CUDA graph over ranks, no Triton,
 * kernel injection or an injection policy and not both. */
TERN_API tern_status tern_engine_config_check(tern_ctx *ctx, const tern_engine_config *config);

#endif
