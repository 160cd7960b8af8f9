/* DeepSpeedMoEInference: a transformer layer with a gate and experts in the place of its MLP, that
 * is a block whose MLP is tern_moe. */
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "layers/layers.h"
#include "layers/moe.h"

struct tern_moe_layer {
    tern_ctx *ctx;
    tern_moe_config config;
    tern_layer_weights w;
    tern_moe *moe;
    tern_transformer_layer *block;
    tern_op *norm;                        /* of a post-norm layer's output */
    const tern_moe_layer_args *args;      /* of the call under way: what the block does not know of */
};

static tern_status run_moe(void *self, const tern_tensor *x, tern_tensor *y)
{
    tern_moe_layer *l = self;
    const tern_moe_layer_args *a = l->args;
    return tern_moe_run(l->moe, &(tern_moe_args){
        .input = *x, .used_token = a->used_token, .training = a->training, .seed = a->seed, .output = *y,
        .l_aux = a->l_aux, .exp_counts = a->exp_counts });
}

static tern_status check(tern_ctx *ctx, const tern_config *c, const tern_layer_weights *w)
{
    if (!c->mlp_after_attn)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "moe layer: mlp_after_attn is false; the experts follow the attention");
    if (!w->attn_nw.data) return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe layer: attn_nw is missing");
    if (!w->norm_w.data) return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe layer: norm_w is missing");
    return TERN_OK;
}

tern_status tern_moe_layer_create(tern_ctx *ctx, const tern_moe_config *config, const tern_layer_weights *attention,
                                  const tern_moe_weights *weights, const tern_moe_comm *comm, tern_moe_layer **out)
{
    tern_status st = TERN_OK;
    tern_moe_layer *l = NULL;
    if (!config || !attention || !weights || !out)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe layer: no config, no weights, or no place for it");
    TERN_TRY(check(ctx, &config->layer, attention));
    l = tern_alloc(ctx, 1, sizeof *l, "a moe layer");
    if (!l) return TERN_ERR_MEMORY;
    l->ctx = ctx;
    l->config = *config;
    l->w = *attention;
    TERN_TRY(tern_moe_create(ctx, config, weights, comm, &l->moe));
    tern_block_parts parts = { .mlp = run_moe, .mlp_self = l };
    tern_layer_extras extras = { .no_input_norm = !config->layer.pre_layer_norm };
    TERN_TRY(tern_block_create(ctx, &config->layer, attention, &extras, &parts, comm ? comm->tensors : NULL,
                               &l->block));
    TERN_TRY(tern_op_create(ctx, config->layer.norm_type == TERN_NORM_RMS ? "rms_norm" : "layer_norm", &config->layer,
                            &l->norm));
    *out = l;
    l = NULL;
done:
    tern_moe_layer_free(l);
    return st;
}

void tern_moe_layer_free(tern_moe_layer *l)
{
    if (!l) return;
    tern_transformer_layer_free(l->block);
    tern_moe_free(l->moe);
    tern_op_free(l->norm);
    tern_free(l);
}

tern_status tern_moe_layer_run(tern_moe_layer *l, const tern_moe_layer_args *args)
{
    tern_status st = TERN_OK;
    const tern_tensor *y = &args->output;
    l->args = args;
    TERN_TRY(tern_transformer_layer_run(l->block, &(tern_transformer_layer_args){
        .input = args->input, .attn_mask = args->attn_mask, .alibi = args->alibi, .position_ids = args->position_ids,
        .workspace = args->workspace, .layer = args->layer, .output = *y }));
    if (l->config.layer.pre_layer_norm) goto done;
    if (l->config.layer.norm_type == TERN_NORM_RMS) TERN_TRY(tern_rms_norm_run(l->norm, &(tern_rms_norm_args){
        .input = *y, .gamma = l->w.norm_w, .output = *y }));
    else
        TERN_TRY(tern_layer_norm_run(l->norm, &(tern_layer_norm_args){ .input = *y, .gamma = l->w.norm_w,
                                                                       .beta = l->w.norm_b, .output = *y }));
done:
    l->args = NULL;
    return st;
}
