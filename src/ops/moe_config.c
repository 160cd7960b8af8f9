/* The config of a mixture-of-experts layer: defaults, JSON in and out, and its own rules. Public
 * contract: tern/config.h. */
#include <math.h>

#include "base/ctx.h"
#include "ops/config_fields.h"

/* "None" is DeepSpeed's own spelling of none, beside null. */
static const field_name noises[] = { { "None", TERN_NOISE_NONE }, { "Jitter", TERN_NOISE_JITTER },
                                     { "RSample", TERN_NOISE_RSAMPLE }, { 0 } };

#define AT(name) offsetof(tern_moe_config, name)

static const field moe_fields[] = {
    CONFIG_FIELDS(AT(layer)),
    { "fp16", NULL, FIELD_BOOL, AT(fp16), 0, 0, NULL, NULL },
    { "bf16", NULL, FIELD_BOOL, AT(bf16), 0, 0, NULL, NULL },
    { "q_int8", NULL, FIELD_BOOL, AT(q_int8), 0, 0, NULL, NULL },
    { "moe_experts", NULL, FIELD_INT, AT(moe_experts), 1, 1e9, NULL, NULL },
    { "global_experts", NULL, FIELD_INT, AT(global_experts), 1, 1e9, NULL, NULL },
    { "k", NULL, FIELD_INT, AT(k), 1, 1e9, NULL, NULL },
    { "capacity_factor", NULL, FIELD_NUMBER, AT(capacity_factor), 0, 0, NULL, NULL },
    { "eval_capacity_factor", NULL, FIELD_NUMBER, AT(eval_capacity_factor), 0, 0, NULL, NULL },
    { "min_capacity", NULL, FIELD_INT, AT(min_capacity), 0, 1e9, NULL, NULL },
    { "noisy_gate_policy", NULL, FIELD_ENUM, AT(noisy_gate_policy), 0, 0, noises, NULL },
    { "drop_tokens", NULL, FIELD_BOOL, AT(drop_tokens), 0, 0, NULL, NULL },
    { "use_rts", NULL, FIELD_BOOL, AT(use_rts), 0, 0, NULL, NULL },
    { "mlp_type", NULL, FIELD_ENUM, AT(mlp_type), 0, 0, names_of_mlp_types, NULL },
    { "enable_expert_tensor_parallelism", NULL, FIELD_BOOL, AT(enable_expert_tensor_parallelism), 0, 0, NULL, NULL },
    { "top2_2nd_expert_sampling", NULL, FIELD_BOOL, AT(top2_2nd_expert_sampling), 0, 0, NULL, NULL },
    { "einsum_dispatch", NULL, FIELD_BOOL, AT(einsum_dispatch), 0, 0, NULL, NULL },
    { 0 },
};

tern_moe_config tern_moe_config_default(void)
{
    tern_moe_config c = {
        .layer = tern_config_default(), .moe_experts = 1, .global_experts = 1, .k = 1, .capacity_factor = 1,
        .eval_capacity_factor = 1, .min_capacity = 1, .drop_tokens = true };
    c.layer.dtype = TERN_DTYPE_FP32;
    return c;
}

/* The type that the flags ask for. A dtype of its own must be the same one. */
static tern_status derive_dtype(tern_ctx *ctx, const char *what, const json_t *object, tern_moe_config *c)
{
    bool flagged = c->fp16 || c->bf16 || c->q_int8;
    tern_config_dtype asked = TERN_DTYPE_FP32;
    if (c->q_int8) asked = TERN_DTYPE_INT8;
    else if (c->bf16) asked = TERN_DTYPE_BF16;
    else if (c->fp16) asked = TERN_DTYPE_FP16;
    if (flagged && json_object_get(object, "dtype") && c->layer.dtype != asked)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: dtype is %s, and the flags fp16, bf16 and q_int8 ask for %s",
                         what, field_name_of(names_of_dtypes, (int)c->layer.dtype),
                         field_name_of(names_of_dtypes, (int)asked));
    if (flagged) c->layer.dtype = asked;
    return TERN_OK;
}

static tern_status read_object(tern_ctx *ctx, const char *what, json_t *object, tern_config_mode mode, void *config)
{
    tern_moe_config next = *(tern_moe_config *)config;
    tern_status st = TERN_OK;
    if (json_is_object(object) && json_is_null(json_object_get(object, "noisy_gate_policy"))) {
        next.noisy_gate_policy = TERN_NOISE_NONE;
        json_object_del(object, "noisy_gate_policy");
    }
    TERN_TRY(fields_read(ctx, what, object, moe_fields, mode, &next));
    TERN_TRY(derive_dtype(ctx, what, object, &next));
    config_derive(&next.layer);
    *(tern_moe_config *)config = next;
done:
    return st;
}

tern_status tern_moe_config_from_json(tern_ctx *ctx, const char *text, size_t n_bytes, tern_config_mode mode,
                                      tern_moe_config *config)
{
    return config_from_text(ctx, "moe config", text, n_bytes, mode, read_object, config);
}

tern_status tern_moe_config_from_file(tern_ctx *ctx, const char *path, tern_config_mode mode, tern_moe_config *config)
{
    return config_from_path(ctx, "moe config", path, mode, read_object, config);
}

tern_status tern_moe_config_to_json(tern_ctx *ctx, const tern_moe_config *config, char **text)
{
    if (!config || !text) return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: no config, or no place for its text");
    return fields_text(ctx, fields_write(moe_fields, config), text);
}

static tern_status factor(tern_ctx *ctx, const char *name, double v)
{
    return v > 0 && isfinite(v) ? TERN_OK
                                : tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: %s is %g, not above 0", name, v);
}

tern_status tern_moe_config_check(tern_ctx *ctx, const tern_moe_config *c)
{
    tern_status st = TERN_OK;
    if (!c) return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: none");
    if (c->moe_experts < 1 || c->global_experts < 1)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: moe_experts is %lld and global_experts %lld, not 1 or "
                         "more", (long long)c->moe_experts, (long long)c->global_experts);
    if (c->global_experts % c->moe_experts)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: moe_experts %lld does not divide global_experts %lld",
                         (long long)c->moe_experts, (long long)c->global_experts);
    if (c->k < 1 || c->k > c->global_experts)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: k is %lld, not from 1 to global_experts %lld",
                         (long long)c->k, (long long)c->global_experts);
    TERN_TRY(factor(ctx, "capacity_factor", c->capacity_factor));
    TERN_TRY(factor(ctx, "eval_capacity_factor", c->eval_capacity_factor));
    if (c->min_capacity < 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: min_capacity is %lld, below 0",
                         (long long)c->min_capacity);
    if ((unsigned)c->noisy_gate_policy > TERN_NOISE_RSAMPLE)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: noisy_gate_policy is %d, which is none",
                         (int)c->noisy_gate_policy);
    if ((unsigned)c->mlp_type > TERN_MLP_RESIDUAL)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe config: mlp_type is %d, which is none", (int)c->mlp_type);
done:
    return st;
}
