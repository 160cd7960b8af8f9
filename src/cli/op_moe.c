/* Cases of a gate with its experts: "moe_layer" of the fixtures, tern_moe of the library. Called by
 * op_case.c. */
#include <string.h>
#include <tern/moe.h>

#include "base/ctx.h"
#include "cli/op_case.h"
#include "ops/fields.h"

static const struct { const char *name; size_t offset; } moe_inputs[] = {
#define ROW(name, place) { name, offsetof(tern_moe_weights, place) }
    ROW("gate.wg.weight", gate_w),
    ROW("experts.inter_w", inter_w), ROW("experts.inter_w.scale", inter_w_scale), ROW("experts.inter_b", inter_b),
    ROW("experts.output_w", output_w), ROW("experts.output_w.scale", output_w_scale), ROW("experts.output_b", output_b),
    ROW("mlp.inter_w", mlp_inter_w), ROW("mlp.inter_w.scale", mlp_inter_w_scale), ROW("mlp.inter_b", mlp_inter_b),
    ROW("mlp.output_w", mlp_output_w), ROW("mlp.output_w.scale", mlp_output_w_scale), ROW("mlp.output_b", mlp_output_b),
    ROW("coefficient.weight", coefficient_w), ROW("coefficient.bias", coefficient_b),
#undef ROW
};

static tern_status read_config(op_case *c, const tern_tensor *x, tern_moe_config *config)
{
    char *text = NULL;
    tern_status st = TERN_OK;
    *config = tern_moe_config_default();
    if (!json_object_get(c->options, "global_experts"))
        return tern_fail(c->ctx, TERN_ERR_ARGUMENT, "moe_layer: the option \"global_experts\" is missing");
    TERN_TRY(fields_text(c->ctx, json_incref(c->options), &text));
    config->layer = c->config;
    TERN_TRY(tern_moe_config_from_json(c->ctx, text, strlen(text), TERN_CONFIG_STRICT, config));
    config->moe_experts = config->global_experts;
    config->layer.hidden_size = x->shape[x->rank - 1];
done:
    tern_text_free(text);
    return st;
}

tern_status op_run_moe_layer(op_case *c)
{
    tern_moe_config config;
    tern_moe_weights weights = { 0 };
    tern_moe *moe = NULL;
    tern_tensor x = op_case_input(c, "input"), y = { 0 }, loss = { 0 }, counts = { 0 };
    tern_tensor *output = op_case_output(c, "output"), *l_aux = op_case_output(c, "l_aux"),
        *exp_counts = op_case_output(c, "exp_counts");
    tern_status st = TERN_OK;
    if (!x.data || x.rank < 1) return tern_fail(c->ctx, TERN_ERR_ARGUMENT, "moe_layer: input is missing");
    TERN_TRY(read_config(c, &x, &config));
    for (size_t i = 0; i < sizeof moe_inputs / sizeof *moe_inputs; i++)
        *(tern_tensor *)((char *)&weights + moe_inputs[i].offset) = op_case_input(c, moe_inputs[i].name);
    TERN_TRY(tern_moe_create(c->ctx, &config, &weights, NULL, &moe));
    TERN_TRY(op_case_make(c, x.dtype, x.rank, x.shape, output ? output : &y));
    TERN_TRY(op_case_make(c, TERN_F32, 1, (int64_t[]){ 1 }, l_aux ? l_aux : &loss));
    TERN_TRY(op_case_make(c, TERN_I64, 1, &config.global_experts, exp_counts ? exp_counts : &counts));
    TERN_TRY(tern_moe_run(moe, &(tern_moe_args){
        .input = x, .used_token = op_case_input(c, "used_token"), .output = output ? *output : y,
        .l_aux = l_aux ? *l_aux : loss, .exp_counts = exp_counts ? *exp_counts : counts }));
    TERN_TRY(op_case_settle(c));
done:
    tern_outputs_free((tern_named_tensor[]){ { NULL, y }, { NULL, loss }, { NULL, counts } }, 3);
    tern_moe_free(moe);
    return st;
}
