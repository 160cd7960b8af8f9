/* Cases that run in steps on one cache: softmax_context and the transformer layer. Called by
 * op_case.c. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "cli/op_case.h"
#include "ops/fields.h"

/* The tokens of all steps, and the batch, from the input that every step has. */
static tern_status count_tokens(op_case *c, const char *input, int64_t steps, int64_t *batch, int64_t *tokens)
{
    *tokens = 0;
    for (int64_t t = 0; t < steps; t++) {
        tern_tensor x = op_case_step_input(c, input, t);
        if (!x.data)
            return tern_fail(c->ctx, TERN_ERR_ARGUMENT, "%s: %s_step%lld is missing", c->op, input, (long long)t);
        if (x.rank != 3)
            return tern_fail(c->ctx, TERN_ERR_SHAPE, "%s: %s_step%lld has %d axes, not 3", c->op, input, (long long)t,
                             x.rank);
        *batch = x.shape[0];
        *tokens += x.shape[1];
    }
    return TERN_OK;
}

/* key_cache and value_cache [B, KV, L, D], as f32, L the tokens of all steps. */
static tern_status read_cache(op_case *c, tern_workspace *ws, int32_t layer, int64_t batch, int64_t kv, int64_t tokens,
                              int64_t dim)
{
    tern_tensor *keys = op_case_output(c, "key_cache"), *values = op_case_output(c, "value_cache");
    const int64_t shape[4] = { batch, kv, tokens, dim };
    tern_status st = TERN_OK;
    if (keys) TERN_TRY(op_case_make(c, TERN_F32, 4, shape, keys));
    if (values) TERN_TRY(op_case_make(c, TERN_F32, 4, shape, values));
    TERN_TRY(tern_workspace_read(ws, layer, (int32_t)batch, keys ? keys->data : NULL, values ? values->data : NULL));
done:
    return st;
}

static tern_status make_cache(op_case *c, int64_t layers, int64_t batch, int64_t kv, int64_t dim, int64_t tokens,
                              tern_workspace **ws)
{
    return tern_workspace_create(c->ctx, &(tern_workspace_options){
        .n_layer = (int32_t) layers, .max_batch = (int32_t)(batch > 0 ? batch : 1), .n_kv_head = (int32_t) kv,
        .key_dim = (int32_t) dim, .max_tokens = tokens > 0 ? tokens : 1, .dtype = c->config.kv_dtype }, ws);
}

/* ---- softmax_context ---- */

static tern_status context_step(op_case *c, tern_op *op, int64_t step)
{
    static const char *const inputs[] = { "query_key_value", "attn_mask", "alibi", "position_ids" };
    tern_named_tensor in[4], out = { .name = "context" };
    size_t n = 0;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        tern_tensor t = op_case_step_input(c, inputs[i], step);
        if (t.data) in[n++] = (tern_named_tensor){ inputs[i], t };
    }
    tern_tensor *wanted = op_case_step_output(c, "context", step);
    tern_status st = tern_op_run(op, in, n, &out, 1, NULL);
    if (!st && wanted) *wanted = out.tensor;
    else tern_outputs_free(&out, 1);
    return st;
}

/* heads has no default here: the number of heads is part of the question. */
static tern_status need_option(op_case *c, const char *name)
{
    return json_object_get(c->options, name)
               ? TERN_OK : tern_fail(c->ctx, TERN_ERR_ARGUMENT, "%s: the option \"%s\" is missing", c->op, name);
}

static int64_t peek(op_case *c, const char *name, int64_t fallback)
{
    json_t *value = json_object_get(c->options, name);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

tern_status op_run_context(op_case *c)
{
    int64_t steps, layers, batch = 0, tokens, heads = peek(c, "heads", 0), kv = peek(c, "num_kv", -1),
        layer = peek(c, "layer_id", 0);
    tern_op *op = NULL;
    tern_workspace *ws = NULL;
    char *text = NULL;
    tern_status st = TERN_OK;
    TERN_TRY(need_option(c, "heads"));
    TERN_TRY(op_case_take(c, "steps", 1, 1, &steps));
    TERN_TRY(op_case_take(c, "num_layers", 1, layer + 1, &layers));
    TERN_TRY(count_tokens(c, "query_key_value", steps, &batch, &tokens));
    TERN_TRY(fields_text(c->ctx, json_incref(c->options), &text));
    TERN_TRY(tern_op_create_json(c->ctx, c->op, &c->config, text, &op));
    if (kv <= 0) kv = heads;
    int64_t width = op_case_step_input(c, "query_key_value", 0).shape[2], dim = width / (heads + 2 * kv);
    TERN_TRY(make_cache(c, layers, batch, kv, dim > 0 ? dim : 1, tokens, &ws));
    TERN_TRY(tern_op_bind_workspace(op, ws));
    for (int64_t t = 0; t < steps; t++) TERN_TRY(context_step(c, op, t));
    TERN_TRY(read_cache(c, ws, (int32_t)layer, batch, kv, tokens, dim));
    TERN_TRY(op_case_settle(c));
done:
    tern_text_free(text);
    tern_workspace_free(ws);
    tern_op_free(op);
    return st;
}

/* ---- layer ---- */

static const struct { const char *name; size_t offset; } layer_inputs[] = {
#define ROW(name, place) { name, offsetof(tern_layer_weights, place) }
    ROW("norm_w", norm_w), ROW("norm_b", norm_b),
    ROW("attention.attn_qkvw", attn_qkvw), ROW("attention.attn_qkvw.scale", attn_qkvw_scale),
    ROW("attention.attn_qkvb", attn_qkvb),
    ROW("attention.attn_ow", attn_ow), ROW("attention.attn_ow.scale", attn_ow_scale), ROW("attention.attn_ob", attn_ob),
    ROW("mlp.attn_nw", attn_nw), ROW("mlp.attn_nb", attn_nb),
    ROW("mlp.inter_w", inter_w), ROW("mlp.inter_w.scale", inter_w_scale), ROW("mlp.inter_b", inter_b),
    ROW("mlp.output_w", output_w), ROW("mlp.output_w.scale", output_w_scale), ROW("mlp.output_b", output_b),
#undef ROW
};

/* The options of a layer: fields of the config that a layer of the fixtures' contract has, and no
 * others. */
static tern_status layer_config(op_case *c, tern_config *config)
{
    char *text = NULL;
    tern_status st = TERN_OK;
    static const char *const required[] = { "hidden_size", "intermediate_size", "heads" };
    *config = c->config;
    if (config->layer_id < 0) config->layer_id = 0;
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) TERN_TRY(need_option(c, required[i]));
    TERN_TRY(fields_text(c->ctx, json_incref(c->options), &text));
    st = tern_config_from_json(c->ctx, text, strlen(text), TERN_CONFIG_STRICT, config);
    if (st) st = tern_fail_in(c->ctx, st, "layer: ");
done:
    tern_text_free(text);
    return st;
}

static tern_status layer_step(op_case *c, tern_transformer_layer *layer, tern_workspace *ws, int64_t step)
{
    tern_tensor x = op_case_step_input(c, "input", step), y, *wanted = op_case_step_output(c, "output", step);
    tern_transformer_layer_args args = {
        .input = x, .attn_mask = op_case_step_input(c, "attn_mask", step),
        .alibi = op_case_step_input(c, "alibi", step), .position_ids = op_case_step_input(c, "position_ids", step),
        .workspace = ws };
    tern_status st = op_case_make(c, x.dtype, x.rank, x.shape, &y);
    if (st) return st;
    args.output = y;
    st = tern_transformer_layer_run(layer, &args);
    if (!st && wanted) *wanted = y;
    else tern_outputs_free(&(tern_named_tensor){ NULL, y }, 1);
    return st;
}

/* What a rank has by itself is its whole sum. */
static tern_status own_part(void *self, tern_ctx *ctx, float *data, size_t n)
{
    (void)self;
    (void)ctx;
    (void)data;
    (void)n;
    return TERN_OK;
}

tern_status op_run_layer(op_case *c)
{
    int64_t steps, batch = 0, tokens;
    tern_config config;
    tern_layer_weights weights = { 0 };
    tern_transformer_layer *layer = NULL;
    tern_workspace *ws = NULL;
    tern_status st = TERN_OK;
    TERN_TRY(op_case_take(c, "steps", 1, 1, &steps));
    TERN_TRY(layer_config(c, &config));
    TERN_TRY(count_tokens(c, "input", steps, &batch, &tokens));
    for (size_t i = 0; i < sizeof layer_inputs / sizeof *layer_inputs; i++)
        *(tern_tensor *)((char *)&weights + layer_inputs[i].offset) = op_case_input(c, layer_inputs[i].name);
    /* Under mp_size > 1 the case is rank 0 of them, alone: its slices go in, its parts of the sums
     * come out. */
    const tern_comm first = { .size = (int)config.mp_size, .all_reduce = own_part };
    TERN_TRY(tern_transformer_layer_create(c->ctx, &config, &weights, NULL, &first, &layer));
    int64_t all = config.num_kv > 0 ? config.num_kv : config.heads,
        kv = all > config.mp_size ? all / config.mp_size : 1, dim = config.hidden_size / config.heads;
    TERN_TRY(make_cache(c, 1, batch, kv, dim, tokens, &ws));
    for (int64_t t = 0; t < steps; t++) TERN_TRY(layer_step(c, layer, ws, t));
    TERN_TRY(read_cache(c, ws, 0, batch, kv, tokens, dim));
    TERN_TRY(op_case_settle(c));
done:
    tern_transformer_layer_free(layer);
    tern_workspace_free(ws);
    return st;
}
