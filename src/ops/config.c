/* The config of one layer: defaults, JSON in and out, and what a whole layer needs of it. Public
 * contract: tern/config.h. */
#include <tern/config.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "ops/config_fields.h"

const field config_fields[] = { CONFIG_FIELDS(0), { 0 } };

tern_config tern_config_default(void)
{
    return (tern_config){
        .layer_id = -1,
        .hidden_size = -1,
        .intermediate_size = -1,
        .heads = -1,
        .num_hidden_layers = -1,
        .layer_norm_eps = 1e-12,
        .local_rank = -1,
        .mp_size = 1,
        .dtype = TERN_DTYPE_FP16,
        .pre_layer_norm = true,
        .norm_type = TERN_NORM_LAYER,
        .scale_attention = true,
        .triangular_masking = true,
        .window_size = 256,
        .rotary_dim = -1,
        .rotate_every_two = true,
        .return_tuple = true,
        .mlp_after_attn = true,
        .mlp_act_func_type = TERN_ACT_GELU,
        .training_mp_size = 1,
        .max_out_tokens = 1024,
        .min_out_tokens = 1,
        .num_kv = -1,
        .rope_theta = 10000,
        .invert_mask = true,
    };
}

tern_dtype config_type(tern_config_dtype dtype)
{
    static const tern_dtype types[] = {
        [TERN_DTYPE_FP32] = TERN_F32, [TERN_DTYPE_FP16] = TERN_F16, [TERN_DTYPE_BF16] = TERN_BF16,
        [TERN_DTYPE_INT8] = TERN_F16
    };
    return types[dtype];
}

void config_derive(tern_config *config)
{
    if (config->intermediate_size <= 0 && config->hidden_size > 0) config->intermediate_size = 4 * config->hidden_size;
}

static tern_status read_object(tern_ctx *ctx, const char *what, json_t *object, tern_config_mode mode, void *config)
{
    tern_config next = *(tern_config *)config;
    tern_status st = fields_read(ctx, what, object, config_fields, mode, &next);
    if (st) return st;
    config_derive(&next);
    *(tern_config *)config = next;
    return TERN_OK;
}

tern_status tern_config_from_json(tern_ctx *ctx, const char *text, size_t n_bytes, tern_config_mode mode,
                                  tern_config *config)
{
    return config_from_text(ctx, "config", text, n_bytes, mode, read_object, config);
}

tern_status tern_config_from_file(tern_ctx *ctx, const char *path, tern_config_mode mode, tern_config *config)
{
    return config_from_path(ctx, "config", path, mode, read_object, config);
}

tern_status tern_config_to_json(tern_ctx *ctx, const tern_config *config, char **text)
{
    if (!config || !text) return tern_fail(ctx, TERN_ERR_ARGUMENT, "config: no config, or no place for its text");
    return fields_text(ctx, fields_write(config_fields, config), text);
}

void tern_text_free(char *text)
{
    tern_free(text);
}
