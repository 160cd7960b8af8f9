/* One transformer layer out of ops: which of them run, in which order, is decided by the config.
 * Called by models and by the layer API; calls ops and nothing below them. Buffers of a call come
 * from the context's arena. */
#include <math.h>
#include <string.h>
#include <tern/layer.h>

#include "backend/backend.h"
#include "base/ctx.h"
#include "base/dtype.h"
#include "base/fp.h"
#include "base/memory.h"
#include "layers/layers.h"

typedef enum wiring { PRE_NORM, POST_NORM, PARALLEL, BRANCHES } wiring;

struct tern_transformer_layer {
    tern_ctx *ctx;
    tern_config config;           /* of the whole layer */
    tern_config local;            /* of this rank: heads, KV heads and intermediate size divided */
    tern_layer_weights w;
    tern_layer_extras extras;
    const tern_comm *comm;
    tern_block_parts parts;
    wiring wiring;
    int64_t head_dim, value_dim, n_kv_head, qkv_width, context_width;
    double norm_factor;
    tern_op *project_in, *attend, *project_out, *mlp, *sum, *norm, *add, *bias;
};

static bool given(tern_tensor t)
{
    return t.data != NULL;
}

static wiring wiring_of(const tern_transformer_layer *l)
{
    bool branches = given(l->w.post_attn_w) || given(l->w.post_mlp_w) || l->extras.no_input_norm ||
                    l->extras.residual_scale != 0 || l->extras.residual_normed;
    if (branches || l->parts.experts || l->parts.mlp) return BRANCHES;
    if (!l->config.mlp_after_attn) return PARALLEL;
    return l->config.pre_layer_norm ? PRE_NORM : POST_NORM;
}

/* DeepSpeedSelfAttention's norm_factor, which softmax_context squares. BLOOM's attention always
 * scales. */
static double norm_factor_of(const tern_config *c, int64_t head_dim)
{
    if (!c->scale_attention && !c->bigscience_bloom) return 1;
    double nf = sqrt((double)head_dim);
    if (!c->use_mup) nf = sqrt(nf);
    if (c->scale_attn_by_inverse_layer_idx) nf *= sqrt((double)c->layer_id + 1);
    return 1 / nf;
}

/* Combinations that no code here computes. */
static tern_status check_wiring(const tern_transformer_layer *l)
{
    const tern_config *c = &l->config;
    bool latent = l->parts.latent, branches = l->wiring == BRANCHES && !l->parts.mlp;
    if (c->mp_size != l->comm->size)
        return tern_fail(l->ctx, TERN_ERR_ARGUMENT, "transformer layer: mp_size is %lld and the communicator has %d "
                         "ranks", (long long)c->mp_size, l->comm->size);
    if (l->extras.clip_qkv > 0 && c->dtype != TERN_DTYPE_FP32)
        return tern_fail(l->ctx, TERN_ERR_UNSUPPORTED, "transformer layer: clip_qkv with activations that are not f32");
    if (l->extras.residual_normed && (l->extras.no_input_norm || latent))
        return tern_fail(l->ctx, TERN_ERR_UNSUPPORTED, "transformer layer: residual_normed with %s",
                         latent ? "latent attention" : "no_input_norm");
    if (l->comm->size > 1 && (branches || latent))
        return tern_fail(l->ctx, TERN_ERR_UNSUPPORTED, "transformer layer: mp_size %d with norms or scales of the "
                         "branches, experts or latent attention", l->comm->size);
    return TERN_OK;
}

/* The parameters that no layer of this wiring does without, by their own names: an op would name
 * its argument. */
static tern_status need_weights(const tern_transformer_layer *l)
{
    const tern_layer_weights *w = &l->w;
    bool latent = l->parts.latent, mlp = l->parts.mlp || l->parts.experts;
    const struct { const char *name; const tern_tensor *t; bool needed; } rows[] = {
        { "norm_w", &w->norm_w, !l->extras.no_input_norm }, { "attn_qkvw", &w->attn_qkvw, !latent },
        { "attn_ow", &w->attn_ow, true },
        { "attn_nw", &w->attn_nw, l->wiring == PRE_NORM || l->wiring == POST_NORM }, { "inter_w", &w->inter_w, !mlp },
        { "output_w", &w->output_w, !mlp },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].needed && !rows[i].t->data)
            return tern_fail(l->ctx, TERN_ERR_ARGUMENT, "transformer layer: %s is missing", rows[i].name);
    return TERN_OK;
}

/* A post-norm layer's last sum is taken row by row by the norm that follows it. */
static bool sums_in_norm(const tern_transformer_layer *l)
{
    return l->wiring == POST_NORM && l->config.norm_type == TERN_NORM_LAYER;
}

static tern_status create_ops(tern_transformer_layer *l)
{
    tern_status st = TERN_OK;
    tern_ctx *ctx = l->ctx;
    const tern_config *c = &l->local;
    bool rms = c->norm_type == TERN_NORM_RMS, norm_first = l->wiring != POST_NORM && !l->extras.no_input_norm;
    TERN_TRY(tern_op_create(ctx, norm_first ? "qkv_gemm" : "linear", c, &l->project_in));
    TERN_TRY(tern_op_create(ctx, "softmax_context", c, &l->attend));
    TERN_TRY(tern_op_create(ctx, l->wiring == BRANCHES ? "linear" : "vector_matmul", c, &l->project_out));
    bool norm_in_mlp = given(l->w.attn_nw) && l->wiring != BRANCHES;
    TERN_TRY(tern_op_create(ctx, norm_in_mlp ? "mlp_gemm" : "gelu_gemm", c, &l->mlp));
    TERN_TRY(tern_op_create(ctx, sums_in_norm(l) ? "layer_norm_residual" : "residual_add", c, &l->sum));
    TERN_TRY(tern_op_create(ctx, rms ? "rms_norm" : "layer_norm", c, &l->norm));
    TERN_TRY(tern_op_create(ctx, "vector_add", c, &l->add));
    TERN_TRY(tern_op_create(ctx, "bias_add", c, &l->bias));
done:
    return st;
}

tern_status tern_block_create(tern_ctx *ctx, const tern_config *config, const tern_layer_weights *weights,
                              const tern_layer_extras *extras, const tern_block_parts *parts, const tern_comm *comm,
                              tern_transformer_layer **out)
{
    tern_status st = TERN_OK;
    tern_transformer_layer *l = NULL;
    TERN_OWN_FP(ctx);
    TERN_TRY(tern_config_check(ctx, config));
    l = tern_alloc(ctx, 1, sizeof *l, "a transformer layer");
    if (!l) return TERN_ERR_MEMORY;
    l->ctx = ctx;
    l->config = l->local = *config;
    l->w = *weights;
    if (extras) l->extras = *extras;
    if (config->bigscience_bloom) l->extras.qkv_interleaved = true;
    l->comm = comm ? comm : tern_comm_single();
    if (parts) l->parts = *parts;
    l->wiring = wiring_of(l);
    TERN_TRY(check_wiring(l));
    l->local.heads = config->heads / config->mp_size;
    int64_t kv = config->num_kv > 0 ? config->num_kv : config->heads;
    l->n_kv_head = kv > config->mp_size ? kv / config->mp_size : 1;
    l->local.num_kv = l->n_kv_head;
    l->head_dim = config->head_dim > 0 ? config->head_dim : config->hidden_size / config->heads;
    l->value_dim = config->value_dim > 0 ? config->value_dim : l->head_dim;
    l->local.head_dim = l->head_dim;
    l->qkv_width = (l->local.heads + l->n_kv_head) * l->head_dim + l->n_kv_head * l->value_dim;
    l->context_width = l->local.heads * l->value_dim;
    l->norm_factor = norm_factor_of(config, l->head_dim);
    TERN_TRY(need_weights(l));
    TERN_TRY(create_ops(l));
    *out = l;
    l = NULL;
done:
    tern_transformer_layer_free(l);
    return st;
}

tern_status tern_transformer_layer_create(tern_ctx *ctx, const tern_config *config, const tern_layer_weights *weights,
                                          const tern_layer_extras *extras, const tern_comm *comm,
                                          tern_transformer_layer **out)
{
    return tern_block_create(ctx, config, weights, extras, NULL, comm, out);
}

void tern_transformer_layer_free(tern_transformer_layer *l)
{
    if (!l) return;
    tern_op *const ops[] = { l->project_in, l->attend, l->project_out, l->mlp, l->sum, l->norm, l->add, l->bias };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) tern_op_free(ops[i]);
    tern_free(l);
}

/* A buffer with x's rows and its own width; data null where there is no memory. */
static tern_tensor rows_like(tern_transformer_layer *l, const tern_tensor *x, int64_t width)
{
    int64_t shape[TERN_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = width;
    tern_tensor t = tern_tensor_of(NULL, x->dtype, x->rank, shape);
    t.data = tern_arena_get(l->ctx, &l->ctx->step, (size_t)tern_tensor_count(&t), tern_dtype_bytes(t.dtype));
    return t;
}

/* [rows][KV head][its query heads, k, v] becomes [rows][all q | all k | all v]. */
static void regroup(const tern_transformer_layer *l, const tern_tensor *from, tern_tensor *to)
{
    size_t bytes = tern_dtype_bytes(from->dtype), key = (size_t)l->head_dim * bytes,
        value = (size_t)l->value_dim * bytes;
    size_t queries = key * (size_t)(l->local.heads / l->n_kv_head), kv = (size_t)l->n_kv_head,
        width = (size_t)l->qkv_width * bytes;
    const char *in = from->data;
    int64_t n_row = tern_tensor_count(from) / l->qkv_width;
    for (int64_t r = 0; r < n_row; r++) {
        char *out = (char *)to->data + (size_t)r * width;
        for (size_t g = 0; g < kv; g++) {
            memcpy(out + g * queries, in, queries);
            memcpy(out + kv * queries + g * key, in + queries, key);
            memcpy(out + kv * (queries + key) + g * value, in + queries + key, value);
            in += queries + key + value;
        }
    }
}

/* An integer mask [B, L] as an additive one: 0 for a key that is kept, -inf for one that is
 * hidden. */
static tern_status additive_mask(tern_transformer_layer *l, const tern_tensor *mask, tern_tensor *out)
{
    if (!given(*mask) || tern_is_float(mask->dtype)) {
        *out = *mask;
        return TERN_OK;
    }
    int64_t n = tern_tensor_count(mask);
    float *to = tern_arena_get(l->ctx, &l->ctx->step, (size_t)n, sizeof *to);
    if (!to) return TERN_ERR_MEMORY;
    bool one_keeps = !l->config.bigscience_bloom || l->config.invert_mask;
    for (int64_t i = 0; i < n; i++) {
        bool one;
        if (mask->dtype == TERN_I64) one = ((const int64_t *)mask->data)[i] != 0;
        else if (mask->dtype == TERN_I32) one = ((const int32_t *)mask->data)[i] != 0;
        else one = ((const uint8_t *)mask->data)[i] != 0;
        to[i] = one == one_keeps ? 0 : -INFINITY;
    }
    *out = tern_tensor_of(to, TERN_F32, mask->rank, mask->shape);
    return TERN_OK;
}

static tern_status norm(tern_transformer_layer *l, const tern_tensor *x, const tern_tensor *gamma,
                        const tern_tensor *beta, tern_tensor *y)
{
    if (l->config.norm_type == TERN_NORM_RMS)
        return tern_rms_norm_run(l->norm, &(tern_rms_norm_args){ .input = *x, .gamma = *gamma, .output = *y });
    return tern_layer_norm_run(l->norm,
                               &(tern_layer_norm_args){ .input = *x, .gamma = *gamma, .beta = *beta, .output = *y });
}

/* q, k and v of the input, behind its norm where there is one. normed (without data: not wanted)
 * receives the normed input. */
static tern_status project(tern_transformer_layer *l, const tern_tensor *x, tern_tensor *qkv, tern_tensor *normed)
{
    tern_status st = TERN_OK;
    const tern_layer_weights *w = &l->w;
    if (l->parts.latent) {
        tern_tensor n = rows_like(l, x, l->config.hidden_size);
        if (!n.data) return TERN_ERR_MEMORY;
        TERN_TRY(norm(l, x, &w->norm_w, &w->norm_b, &n));
        TERN_TRY(tern_latent_run(l->ctx, l->parts.latent, &n, qkv));
    } else if (l->wiring == POST_NORM || l->extras.no_input_norm) {
        TERN_TRY(tern_linear_run(l->project_in, &(tern_linear_args){
            .input = *x, .weight = w->attn_qkvw, .weight_k = w->attn_kw, .weight_v = w->attn_vw,
            .weight_scale = w->attn_qkvw_scale, .bias = w->attn_qkvb, .bias_k = w->attn_kb, .bias_v = w->attn_vb,
            .output = *qkv }));
    } else {
        TERN_TRY(tern_qkv_gemm_run(l->project_in, &(tern_qkv_gemm_args){
            .input = *x, .weight = w->attn_qkvw, .weight_k = w->attn_kw, .weight_v = w->attn_vw,
            .weight_scale = w->attn_qkvw_scale, .bias = w->attn_qkvb, .bias_k = w->attn_kb, .bias_v = w->attn_vb,
            .gamma = w->norm_w, .beta = w->norm_b, .output = *qkv, .inp_norm = *normed }));
    }
done:
    return st;
}

/* What follows attention goes row by row: where only some rows leave, it is made for these. */
static tern_status keep_rows(tern_transformer_layer *l, const tern_transformer_layer_args *args, tern_tensor *t)
{
    if (!args->n_out || !given(*t)) return TERN_OK;
    int64_t width = t->shape[2], shape[3] = { 1, args->n_out, width };
    tern_tensor kept = tern_tensor_of(tern_arena_get(l->ctx, &l->ctx->step, (size_t)(args->n_out * width),
                                                     sizeof(float)), TERN_F32, 3, shape);
    if (!kept.data) return TERN_ERR_MEMORY;
    const tern_gather_rows gather = { .x = t->data, .out = kept.data, .token = args->out_row, .ldx = width,
                                      .ldout = width, .n_route = args->n_out, .dim = width };
    *t = kept;
    return l->ctx->backend->gather_rows(l->ctx, &gather);
}

/* a = attn(n(x)) Wo [+ bo where the wiring adds it here] and normed = n(x), of the rows that
 * leave. */
static tern_status attention(tern_transformer_layer *l, const tern_transformer_layer_args *args, tern_tensor *a,
                             tern_tensor *normed)
{
    tern_status st = TERN_OK;
    const tern_layer_weights *w = &l->w;
    const tern_tensor *x = &args->input;
    tern_tensor mask, qkv = rows_like(l, x, l->qkv_width), context = rows_like(l, x, l->context_width);
    bool want_normed = (l->wiring == PARALLEL && !given(w->attn_nw)) || l->extras.residual_normed;
    *normed = want_normed ? rows_like(l, x, l->config.hidden_size) : (tern_tensor){ 0 };
    if (!qkv.data || !context.data || (want_normed && !normed->data)) return TERN_ERR_MEMORY;

    TERN_TRY(project(l, x, &qkv, normed));
    if (l->extras.clip_qkv > 0)
        TERN_TRY(l->ctx->backend->activation(l->ctx, &(tern_activation){ .act = ACT_CLAMP, .x = qkv.data, .y = qkv.data,
                                                                         .n_row = 1, .dim = tern_tensor_count(&qkv),
                                                                         .cap = (float)l->extras.clip_qkv }));
    if (l->extras.qkv_interleaved) {
        tern_tensor apart = rows_like(l, x, l->qkv_width);
        if (!apart.data) return TERN_ERR_MEMORY;
        regroup(l, &qkv, &apart);
        qkv = apart;
    }
    TERN_TRY(additive_mask(l, &args->attn_mask, &mask));
    TERN_TRY(tern_softmax_context_run(l->attend, &(tern_softmax_context_args){
        .query_key_value = qkv, .attn_mask = mask, .alibi = args->alibi, .position_ids = args->position_ids,
        .workspace = args->workspace, .layer = args->layer, .norm_factor = l->norm_factor,
        .head_offset = l->comm->rank * l->local.heads, .context = context, .kv = args->kv, .batch = args->batch,
        .q_gamma = w->q_norm_w, .q_beta = w->q_norm_b, .k_gamma = w->k_norm_w, .k_beta = w->k_norm_b, .slope = w->slope,
        .sink = w->sink, .cos = args->cos, .sin = args->sin }));
    TERN_TRY(keep_rows(l, args, &context));
    TERN_TRY(keep_rows(l, args, normed));
    *a = rows_like(l, &context, l->config.hidden_size);
    if (!a->data) return TERN_ERR_MEMORY;
    if (l->wiring == BRANCHES)
        TERN_TRY(tern_linear_run(l->project_out, &(tern_linear_args){
            .input = context, .weight = w->attn_ow, .weight_scale = w->attn_ow_scale, .bias = w->attn_ob, .output = *a,
            .no_bias = l->comm->size > 1 }));
    else
        TERN_TRY(tern_vector_matmul_run(l->project_out, &(tern_vector_matmul_args){
            .input = context, .weight = w->attn_ow, .weight_scale = w->attn_ow_scale, .output = *a }));
done:
    return st;
}

/* The MLP without its norm, or the experts in its place. */
static tern_status plain_mlp(tern_transformer_layer *l, const tern_tensor *n, tern_tensor *m)
{
    const tern_layer_weights *w = &l->w;
    if (l->parts.experts) return tern_experts_run(l->ctx, l->parts.experts, n, m);
    if (l->parts.mlp) return l->parts.mlp(l->parts.mlp_self, n, m);
    return tern_gelu_gemm_run(l->mlp, &(tern_gelu_gemm_args){
        .input = *n, .weight = w->inter_w, .weight_gate = w->gate_w, .weight_out = w->output_w,
        .weight_scale = w->inter_w_scale, .weight_out_scale = w->output_w_scale, .bias = w->inter_b,
        .bias_gate = w->gate_b, .output = *m });
}

/* Pre-norm, post-norm and parallel: DeepSpeed's own wirings, in DeepSpeed's ops. */
static tern_status deepspeed_tail(tern_transformer_layer *l, const tern_tensor *x, tern_tensor *a,
                                  const tern_tensor *normed, tern_tensor y)
{
    tern_status st = TERN_OK;
    const tern_layer_weights *w = &l->w;
    tern_tensor m = rows_like(l, x, l->config.hidden_size), r = { 0 };
    bool parallel = l->wiring == PARALLEL, post = l->wiring == POST_NORM;
    if (post) r = rows_like(l, x, l->config.hidden_size);
    if (!m.data || (post && !r.data)) return TERN_ERR_MEMORY;
    if (!parallel) TERN_TRY(tern_ranks_sum(l->ctx, l->comm, a));

    if (given(w->attn_nw))
        TERN_TRY(tern_mlp_gemm_run(l->mlp, &(tern_mlp_gemm_args){
            .input = *a, .residual = *x, .weight_interm = w->inter_w, .weight_gate = w->gate_w,
            .weight_out = w->output_w, .weight_interm_scale = w->inter_w_scale, .weight_out_scale = w->output_w_scale,
            .input_bias = w->attn_ob, .bias = w->inter_b, .bias_gate = w->gate_b, .gamma = w->attn_nw,
            .beta = w->attn_nb, .output = m, .residual_add = r }));
    else
        TERN_TRY(plain_mlp(l, normed, &m));

    /* A post-norm layer's residual and last bias are the same on every rank: they are added once,
     * after the sum over the ranks. */
    if (post) TERN_TRY(tern_ranks_sum(l->ctx, l->comm, &m));
    if (sums_in_norm(l)) {
        TERN_TRY(tern_layer_norm_residual_run(l->sum, &(tern_layer_norm_residual_args){
            .input = r, .residual = m, .bias = w->output_b, .gamma = w->norm_w, .beta = w->norm_b, .output = y }));
        goto done;
    }
    TERN_TRY(tern_residual_add_run(l->sum, &(tern_residual_add_args){
        .hidden_state = m, .residual = *x, .attention_output = *a, .attention_bias = w->attn_ob,
        .final_bias = w->output_b, .residual_add = r, .output = y }));
    if (post) TERN_TRY(norm(l, &y, &w->norm_w, &w->norm_b, &y));
    else TERN_TRY(tern_ranks_sum(l->ctx, l->comm, &y));
done:
    return st;
}

/* r = x + s n(a), y = r + s n(mlp(n(r))), each norm only where the layer has it; residual_normed: y
 * = n(r) + ..., and x is given normed. */
static tern_status branch_tail(tern_transformer_layer *l, const tern_tensor *x, tern_tensor *a, tern_tensor y)
{
    tern_status st = TERN_OK;
    const tern_layer_weights *w = &l->w;
    double scale = l->extras.residual_scale != 0 ? l->extras.residual_scale : 1;
    tern_tensor n = rows_like(l, x, l->config.hidden_size), m = rows_like(l, x, l->config.hidden_size);
    if (!n.data || !m.data) return TERN_ERR_MEMORY;
    const tern_tensor *mlp_in = given(w->attn_nw) ? &n : a, *residual = l->extras.residual_normed ? mlp_in : a;

    /* The ranks' parts of attention's output are summed before its bias is added, once. */
    TERN_TRY(tern_ranks_sum(l->ctx, l->comm, a));
    if (l->comm->size > 1 && given(w->attn_ob))
        TERN_TRY(tern_bias_add_run(l->bias, &(tern_bias_add_args){ .input = *a, .bias = w->attn_ob, .output = *a }));
    if (given(w->post_attn_w)) TERN_TRY(norm(l, a, &w->post_attn_w, &w->post_attn_b, a));
    TERN_TRY(tern_vector_add_run(l->add, &(tern_vector_add_args){ .a = *a, .b = *x, .gamma = scale, .output = *a }));
    if (given(w->attn_nw)) TERN_TRY(norm(l, a, &w->attn_nw, &w->attn_nb, &n));
    TERN_TRY(plain_mlp(l, mlp_in, &m));
    if (given(w->output_b))
        TERN_TRY(tern_bias_add_run(l->bias, &(tern_bias_add_args){ .input = m, .bias = w->output_b, .output = m }));
    if (given(w->post_mlp_w)) TERN_TRY(norm(l, &m, &w->post_mlp_w, &w->post_mlp_b, &m));
    TERN_TRY(tern_vector_add_run(l->add,
                                 &(tern_vector_add_args){ .a = m, .b = *residual, .gamma = scale, .output = y }));
done:
    return st;
}

tern_status tern_transformer_layer_run(tern_transformer_layer *l, const tern_transformer_layer_args *args)
{
    tern_status st = TERN_OK;
    tern_ctx *ctx = l->ctx;
    const tern_tensor *x = &args->input, *y = &args->output;
    TERN_OWN_FP(ctx);
    if (!x->data || !y->data)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "transformer layer: %s is missing", x->data ? "output" : "input");
    if (x->rank != 3 || x->shape[2] != l->config.hidden_size || !tern_tensor_contiguous(x))
        return tern_fail(ctx, TERN_ERR_SHAPE, "transformer layer: input must be contiguous [batch, tokens, %lld]; it "
                         "has rank %d and last axis %lld", (long long)l->config.hidden_size, x->rank,
                         x->rank ? (long long)x->shape[x->rank - 1] : 0);
    if (l->config.bigscience_bloom && !given(args->alibi) && !given(l->w.slope))
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "transformer layer: bigscience_bloom needs alibi");
    tern_mark mark = tern_arena_mark(&ctx->step);
    tern_tensor a, kept = *x, normed = { 0 };
    TERN_TRY(attention(l, args, &a, &normed));
    TERN_TRY(keep_rows(l, args, &kept));
    if (l->wiring == BRANCHES) TERN_TRY(branch_tail(l, l->extras.residual_normed ? &normed : &kept, &a, *y));
    else TERN_TRY(deepspeed_tail(l, &kept, &a, &normed, *y));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
