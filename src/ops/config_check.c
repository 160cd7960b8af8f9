/* What a whole layer needs of its config, rule by rule: tern_config_check. Each rule is a row with
 * its own sentence. */
#include <math.h>
#include <stdio.h>
#include <tern/config.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "ops/fields.h"

static long long ll(int64_t v)
{
    return (long long)v;
}

static tern_status positive(tern_ctx *ctx, const char *name, int64_t v)
{
    return v > 0 ? TERN_OK : tern_fail(ctx, TERN_ERR_ARGUMENT, "config: %s is %lld, not 1 or more", name, ll(v));
}

static tern_status divides(tern_ctx *ctx, const char *small, int64_t s, const char *large, int64_t l)
{
    return l % s == 0 ? TERN_OK : tern_fail(ctx, TERN_ERR_ARGUMENT, "config: %s %lld does not divide %s %lld", small,
                                            ll(s), large, ll(l));
}

static tern_status not_negative(tern_ctx *ctx, const char *name, double v)
{
    return isfinite(v) && v >= 0 ? TERN_OK
                                 : tern_fail(ctx, TERN_ERR_ARGUMENT, "config: %s is %g, not a number from 0", name, v);
}

static tern_status check_sizes(tern_ctx *ctx, const tern_config *c)
{
    int64_t kv = c->num_kv <= 0 ? c->heads : c->num_kv;
    tern_status st = TERN_OK;
    TERN_TRY(positive(ctx, "hidden_size", c->hidden_size));
    TERN_TRY(positive(ctx, "heads", c->heads));
    TERN_TRY(positive(ctx, "mp_size", c->mp_size));
    if (!c->head_dim) TERN_TRY(divides(ctx, "heads", c->heads, "hidden_size", c->hidden_size));
    TERN_TRY(divides(ctx, "mp_size", c->mp_size, "heads", c->heads));
    TERN_TRY(divides(ctx, "num_kv", kv, "heads", c->heads));
    /* fewer KV heads than ranks: several ranks hold the same one */
    if (c->mp_size % kv) TERN_TRY(divides(ctx, "mp_size", c->mp_size, "num_kv", kv));
    TERN_TRY(divides(ctx, "mp_size", c->mp_size, "intermediate_size",
                     c->intermediate_size > 0 ? c->intermediate_size : 4 * c->hidden_size));
done:
    return st;
}

static tern_status check_rotary(tern_ctx *ctx, const tern_config *c)
{
    int64_t head_dim = c->head_dim ? c->head_dim : c->hidden_size / c->heads;
    if (c->rotary_dim <= 0) return TERN_OK;
    if (c->rotary_dim > head_dim)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: rotary_dim %lld is larger than a head's %lld",
                         ll(c->rotary_dim), ll(head_dim));
    if (c->rotary_dim % 2)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: rotary_dim %lld is odd; channels rotate in pairs",
                         ll(c->rotary_dim));
    if (c->rotate_half == c->rotate_every_two)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: rotate_half and rotate_every_two are both %s; with "
                         "rotary_dim %lld exactly one is true", c->rotate_half ? "true" : "false", ll(c->rotary_dim));
    return c->rope_theta > 0 && isfinite(c->rope_theta)
               ? TERN_OK : tern_fail(ctx, TERN_ERR_ARGUMENT, "config: rope_theta is %g, not above 0", c->rope_theta);
}

static tern_status check_limits(tern_ctx *ctx, const tern_config *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(positive(ctx, "min_out_tokens", c->min_out_tokens));
    if (c->max_out_tokens < c->min_out_tokens)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: max_out_tokens %lld is below min_out_tokens %lld",
                         ll(c->max_out_tokens), ll(c->min_out_tokens));
    if (c->local_attention) TERN_TRY(positive(ctx, "window_size", c->window_size));
    TERN_TRY(not_negative(ctx, "layer_norm_eps", c->layer_norm_eps));
    TERN_TRY(not_negative(ctx, "attn_scale", c->attn_scale));
    TERN_TRY(not_negative(ctx, "attn_softcap", c->attn_softcap));
    if (c->scale_attn_by_inverse_layer_idx && c->layer_id < 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "config: scale_attn_by_inverse_layer_idx needs a layer_id, and it is %lld", ll(c->layer_id));
done:
    return st;
}

static tern_status check_kinds(tern_ctx *ctx, const tern_config *c)
{
    const char *norm = field_name_of(names_of_norms, (int)c->norm_type),
        *act = field_name_of(names_of_activations, (int)c->mlp_act_func_type);
    if ((unsigned)c->dtype > TERN_DTYPE_INT8)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: dtype is %d, which is none", (int)c->dtype);
    if (c->norm_type != TERN_NORM_LAYER && c->norm_type != TERN_NORM_RMS)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "config: norm_type is %s (%d); there are LayerNorm and RMSNorm",
                         norm, (int)c->norm_type);
    if (c->mlp_act_func_type <= TERN_ACT_UNKNOWN || c->mlp_act_func_type > TERN_ACT_GATED_RELU)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "config: mlp_act_func_type is %s (%d), which no layer has", act,
                         (int)c->mlp_act_func_type);
    if (c->use_triton || c->triton_autotune)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "config: use_triton and triton_autotune are true; there is no Triton here");
    if (!tern_is_float(c->compute))
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "config: compute is %s, not f32, bf16 or f16",
                         tern_dtype_name(c->compute));
    if (!tern_is_float(c->kv_dtype))
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "config: kv_dtype is %s, not f32, f16 or bf16",
                         tern_dtype_name(c->kv_dtype));
    return TERN_OK;
}

tern_status tern_config_check(tern_ctx *ctx, const tern_config *config)
{
    tern_status st = TERN_OK;
    if (!config) return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: none");
    TERN_TRY(check_kinds(ctx, config));
    TERN_TRY(check_sizes(ctx, config));
    TERN_TRY(check_rotary(ctx, config));
    TERN_TRY(check_limits(ctx, config));
done:
    return st;
}
