/* softmax_context: rotary, the cache, and attention over all of it. */
#include <math.h>

#include "base/memory.h"
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/rotary.h"
#include "ops/scores.h"
#include "ops/workspace.h"

typedef tern_softmax_context_args context_args;

static const op_arg args_table[] = {
    OP_ARG(context_args, query_key_value, IN, OF_T, "bsN"),
    OP_ARG(context_args, attn_mask, MAYBE, OF_PARAM, "?"),
    OP_ARG(context_args, alibi, MAYBE, OF_PARAM, "?"),
    OP_ARG(context_args, position_ids, MAYBE, OF_INT, "bs"),
    OP_ARG(context_args, batch_ids, MAYBE, OF_INT, "b"),
    OP_ARG(context_args, q_gamma, MAYBE, OF_PARAM, "?"),
    OP_ARG(context_args, k_gamma, MAYBE, OF_PARAM, "?"),
    OP_ARG(context_args, q_beta, MAYBE, OF_PARAM, "?"),
    OP_ARG(context_args, k_beta, MAYBE, OF_PARAM, "?"),
    OP_ARG(context_args, slope, MAYBE, OF_F32, "?"),
    OP_ARG(context_args, sink, MAYBE, OF_F32, "?"),
    OP_ARG(context_args, cos, MAYBE, OF_F32, "?"),
    OP_ARG(context_args, sin, MAYBE, OF_F32, "?"),
    OP_ARG(context_args, context, OUT, OF_T, "bsC"),
    { 0 },
};

static const field options[] = {
    { "norm_factor", NULL, FIELD_NUMBER, offsetof(context_args, norm_factor), 0, 0, NULL, NULL },
    { "head_offset", NULL, FIELD_INT, offsetof(context_args, head_offset), 0, 1e9, NULL, NULL },
    { "layer_id", "layer", FIELD_INT, offsetof(context_args, layer), 0, 1e9, NULL, NULL },
    { "no_masking", NULL, FIELD_IGNORED, 0, 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = {
    "heads", "num_kv", "triangular_masking", "local_attention", "window_size", "rotary_dim", "rotate_half",
    "rotate_every_two", "rope_theta", "mp_size",
    "norm_type", "layer_norm_eps", "kv_dtype", "head_dim", "value_dim", "attn_scale", "attn_softcap", NULL,
};
static const context_args defaults = { .norm_factor = 1 };

/* What a row of query_key_value is made of. */
typedef struct widths {
    int64_t heads, kv, key, value, total;
} widths;

static tern_status find_widths(const tern_op *op, int64_t total, widths *w)
{
    const tern_config *c = &op->config;
    *w = (widths){ .heads = c->heads, .kv = c->num_kv > 0 ? c->num_kv : c->heads, .key = c->head_dim, .total = total };
    if (!w->key && !c->value_dim && total % (w->heads + 2 * w->kv) == 0) w->key = total / (w->heads + 2 * w->kv);
    w->value = c->value_dim ? c->value_dim : w->key;
    if (w->key > 0 && total == (w->heads + w->kv) * w->key + w->kv * w->value) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "query_key_value has %lld channels, which are not those of %lld heads and twice "
                   "%lld KV heads%s", (long long)total, (long long)w->heads, (long long)w->kv,
                   w->key ? " of the config's sizes" : " of one size");
}

static tern_status prepare(tern_op *op)
{
    const tern_config *c = &op->config;
    int64_t kv = c->num_kv > 0 ? c->num_kv : c->heads;
    tern_status st = TERN_OK;
    if (c->heads < 1) return op_fail(op, TERN_ERR_ARGUMENT, "heads is %lld, not 1 or more", (long long)c->heads);
    if (c->heads % kv)
        return op_fail(op, TERN_ERR_ARGUMENT, "num_kv %lld does not divide heads %lld", (long long)kv,
                       (long long)c->heads);
    if (c->local_attention && c->window_size < 1)
        return op_fail(op, TERN_ERR_ARGUMENT, "window_size is %lld, not 1 or more", (long long)c->window_size);
    if (c->head_dim < 0 || c->value_dim < 0)
        return op_fail(op, TERN_ERR_ARGUMENT, "head_dim is %lld and value_dim %lld", (long long)c->head_dim,
                       (long long)c->value_dim);
    if (c->mp_size < 1) return op_fail(op, TERN_ERR_ARGUMENT, "mp_size is %lld, not 1 or more", (long long)c->mp_size);
    TERN_TRY(op_need_norm(op));
    TERN_TRY(op_rotary_prepare(op));
done:
    return st;
}

/* ---- Checks ---- */

/* The workspace's sequence of the s-th one of the call. */
static int64_t sequence_of(const context_args *a, int64_t s)
{
    if (!a->batch_ids.data) return s;
    return a->batch_ids.dtype == TERN_I64 ? ((const int64_t *)a->batch_ids.data)[s]
                                          : ((const int32_t *)a->batch_ids.data)[s];
}

static tern_status check_cache(tern_op *op, const context_args *a, const widths *w, const op_dims *d)
{
    const tern_workspace *ws = a->workspace;
    const tern_kv *kv = workspace_kv(ws);
    int64_t batch = op_dim(d, 'b'), n_tok = op_dim(d, 's');
    if (!kv->data) return op_fail(op, TERN_ERR_STATE, "workspace is released; retake it first");
    if (a->layer < 0 || a->layer >= kv->n_layer)
        return op_fail(op, TERN_ERR_ARGUMENT, "layer is %lld, and workspace has %d", (long long)a->layer,
                       (int)kv->n_layer);
    if (batch > workspace_max_batch(ws))
        return op_fail(op, TERN_ERR_LIMIT, "query_key_value has %lld sequences, and workspace holds %d",
                       (long long)batch, (int)workspace_max_batch(ws));
    if (kv->n_kv_head != w->kv)
        return op_fail(op, TERN_ERR_SHAPE, "workspace has %d KV heads, and num_kv is %lld", (int)kv->n_kv_head,
                       (long long)w->kv);
    if (kv->key_dim != w->key || kv->value_dim != w->value)
        return op_fail(op, TERN_ERR_SHAPE, "workspace has heads of %d and %d channels, and query_key_value of %lld and "
                       "%lld", (int)kv->key_dim, (int)kv->value_dim, (long long)w->key, (long long)w->value);
    for (int64_t s = 0; s < batch; s++) {
        int64_t id = sequence_of(a, s);
        if (id < 0 || id >= workspace_max_batch(ws))
            return op_fail(op, TERN_ERR_ARGUMENT, "batch_ids has %lld, and workspace holds %d sequences", (long long)id,
                           (int)workspace_max_batch(ws));
        for (int64_t earlier = 0; a->batch_ids.data && earlier < s; earlier++)
            if (sequence_of(a, earlier) == id)
                return op_fail(op, TERN_ERR_ARGUMENT, "batch_ids has %lld twice", (long long)id);
        int64_t past = tern_workspace_tokens(ws, (int32_t)a->layer, (int32_t)id);
        if (past + n_tok > tern_workspace_max_tokens(ws))
            return op_fail(op, TERN_ERR_LIMIT,
                           "sequence %lld has %lld tokens in workspace, %lld more do not fit in %lld", (long long)id,
                           (long long)past, (long long)n_tok, (long long)tern_workspace_max_tokens(ws));
    }
    return TERN_OK;
}

/* q_gamma and the like: [D] for each head, [heads, D] each head its own, [heads * D] all heads as
 * one row. */
static tern_status check_head_norm(tern_op *op, const char *name, const tern_tensor *t, int64_t heads, int64_t dim)
{
    int64_t n = tern_tensor_count(t);
    if (!t->data || n == dim || n == heads * dim) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "%s has %lld elements, not %lld (a head) or %lld (all heads)", name,
                   (long long)n, (long long)dim, (long long)(heads * dim));
}

static tern_status check_extras(tern_op *op, const context_args *a, const widths *w, const op_dims *d)
{
    int64_t angles = op_dim(d, 'b') * op_dim(d, 's') * (op->config.rotary_dim / 2);
    tern_status st = TERN_OK;
    TERN_TRY(check_head_norm(op, "q_gamma", &a->q_gamma, w->heads, w->key));
    TERN_TRY(check_head_norm(op, "k_gamma", &a->k_gamma, w->kv, w->key));
    TERN_TRY(check_head_norm(op, "q_beta", &a->q_beta, w->heads, w->key));
    TERN_TRY(check_head_norm(op, "k_beta", &a->k_beta, w->kv, w->key));
    const struct { const char *name; const tern_tensor *t; int64_t n; } rows[] = {
        { "slope", &a->slope, w->heads }, { "sink", &a->sink, w->heads }, { "cos", &a->cos, angles },
        { "sin", &a->sin, angles },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].t->data && tern_tensor_count(rows[i].t) != rows[i].n)
            return op_fail(op, TERN_ERR_SHAPE, "%s has %lld elements, not %lld", rows[i].name,
                           (long long)tern_tensor_count(rows[i].t), (long long)rows[i].n);
    if (!a->cos.data != !a->sin.data)
        return op_fail(op, TERN_ERR_ARGUMENT, "%s is given and %s is missing", a->cos.data ? "cos" : "sin",
                       a->cos.data ? "sin" : "cos");
done:
    return st;
}

/* The most keys that a sequence has after this call: the last axis of masks and alibi. */
static int64_t longest(const context_args *a, const op_dims *d)
{
    int64_t most = 0;
    for (int64_t s = 0; s < op_dim(d, 'b'); s++) {
        int64_t n = tern_workspace_tokens(a->workspace, (int32_t)a->layer, (int32_t)sequence_of(a, s)) + op_dim(d, 's');
        if (n > most) most = n;
    }
    return most;
}

static score_shape scores_of(const tern_op *op, const context_args *a, const widths *w, const op_dims *d)
{
    return (score_shape){
        .n_seq = op_dim(d, 'b'), .n_head = w->heads, .n_row = op_dim(d, 's'), .n_key = longest(a, d),
        .mp_size = op->config.mp_size, .head_offset = a->head_offset };
}

/* A ragged batch takes no mask, and alibi as [heads, keys] that serves every sequence. */
static tern_status check_ragged(tern_op *op, const context_args *a, const widths *w)
{
    if (a->attn_mask.data) return op_fail(op, TERN_ERR_UNSUPPORTED, "attn_mask with a ragged batch");
    if (!a->alibi.data) return TERN_OK;
    if (a->alibi.rank != 2 || a->alibi.dtype != TERN_F32 || a->alibi.shape[0] != w->heads)
        return op_fail(op, TERN_ERR_SHAPE, "alibi with a ragged batch must be f32 [%lld, keys]", (long long)w->heads);
    for (int32_t s = 0; s < a->batch->n_seq; s++)
        if (a->batch->past[s] + a->batch->n_tok[s] > a->alibi.shape[1])
            return op_fail(op, TERN_ERR_LIMIT, "alibi has %lld keys, and a sequence %d", (long long)a->alibi.shape[1],
                           (int)(a->batch->past[s] + a->batch->n_tok[s]));
    return TERN_OK;
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const context_args *a = args;
    widths w;
    tern_status st = TERN_OK;
    d->n_row = op_dim(d, 'b') * op_dim(d, 's');
    TERN_TRY(find_widths(op, op_dim(d, 'N'), &w));
    op_bind(d, 'C', w.heads * w.value);
    if (!isfinite(a->norm_factor) || a->norm_factor <= 0)
        return op_fail(op, TERN_ERR_ARGUMENT, "norm_factor is %g, not above 0", a->norm_factor);
    if (op->config.rotary_dim > w.key)
        return op_fail(op, TERN_ERR_ARGUMENT, "rotary_dim %lld is larger than a head's %lld",
                       (long long)op->config.rotary_dim, (long long)w.key);
    TERN_TRY(check_extras(op, a, &w, d));
    if (a->kv) return check_ragged(op, a, &w);
    if (!a->workspace) return op_fail(op, TERN_ERR_ARGUMENT, "workspace is missing");
    TERN_TRY(check_cache(op, a, &w, d));
    score_shape shape = scores_of(op, a, &w, d);
    if (d->n_row) TERN_TRY(scores_check(op, &shape, "attn_mask", &a->attn_mask, "alibi", &a->alibi));
done:
    return st;
}

/* ---- The steps ---- */

/* x [n_row, heads * dim] normed: each head by itself, or all as one row. */
static tern_status norm_heads(tern_op *op, const tern_tensor *gamma, const tern_tensor *beta, op_rows *x, int64_t heads,
                              int64_t dim)
{
    const float *w, *b;
    tern_status st = TERN_OK;
    if (!gamma->data && !beta->data) return TERN_OK;
    TERN_TRY(op_floats(op, gamma, &w));
    TERN_TRY(op_floats(op, beta, &b));
    const tern_tensor *given = gamma->data ? gamma : beta;
    tern_norm n = {
        .kind = op->config.norm_type == TERN_NORM_RMS ? NORM_RMS : NORM_LAYER, .x = x->data, .y = x->data, .w = w,
        .b = b, .n_row = x->n_row, .eps = (float) op->config.layer_norm_eps, .round = op->t };
    bool own = given->rank == 2, whole = !own && tern_tensor_count(given) != dim;
    n.dim = whole ? heads * dim : dim;
    n.ldx = n.ldy = own || whole ? heads * dim : dim;
    if (!own) {
        n.n_row = whole ? x->n_row : x->n_row * heads;
        TERN_TRY(op->ctx->backend->norm(op->ctx, &n));
        return TERN_OK;
    }
    for (int64_t h = 0; h < heads; h++) {
        n.x = n.y = x->data + h * dim;
        n.w = w ? w + h * dim : NULL;
        n.b = b ? b + h * dim : NULL;
        TERN_TRY(op->ctx->backend->norm(op->ctx, &n));
    }
done:
    return st;
}

/* The columns of x from first on, width of them, where they may be changed. */
static tern_status take(tern_op *op, const op_rows *x, int64_t first, int64_t width, op_rows *out)
{
    tern_status st = op_scratch(op, x->n_row, width, out);
    return st ? st : op->ctx->backend->add(op->ctx, &(tern_add){
        .a = x->data + first, .lda = x->ld, .y = out->data, .ldy = width, .alpha = 1, .n_row = x->n_row,
        .dim = width });
}

static tern_status make_angles(tern_op *op, const context_args *a, const tern_ragged *batch, rotary_angles *angles)
{
    const int32_t *position;
    int32_t *own;
    tern_status st = TERN_OK;
    if (a->cos.data) {
        *angles = (rotary_angles){ a->cos.data, a->sin.data };
        return TERN_OK;
    }
    if (a->position_ids.data) {
        TERN_TRY(op_ints(op, "position_ids", &a->position_ids, &position));
    } else {
        TERN_TRY(op_memory(op, batch->n_row, sizeof *own, (void **)&own));
        for (int32_t s = 0; s < batch->n_seq; s++)
            for (int32_t i = 0; i < batch->n_tok[s]; i++) own[batch->row[s] + i] = batch->past[s] + i;
        position = own;
    }
    TERN_TRY(op_rotary_angles(op, position, batch->n_row, angles));
done:
    return st;
}

/* Norms and rotates q and k, in scratch, where the op does any of it. */
static tern_status rotate(tern_op *op, const context_args *a, const widths *w, const tern_ragged *batch,
                          const op_rows *x, op_rows *q, op_rows *k)
{
    tern_status st = TERN_OK;
    bool rotary = op->config.rotary_dim > 0, q_norm = a->q_gamma.data || a->q_beta.data,
        k_norm = a->k_gamma.data || a->k_beta.data;
    rotary_angles angles;
    *q = *k = *x;
    k->data = x->data + w->heads * w->key;
    if (rotary || q_norm) TERN_TRY(take(op, x, 0, w->heads * w->key, q));
    if (rotary || k_norm) TERN_TRY(take(op, x, w->heads * w->key, w->kv * w->key, k));
    TERN_TRY(norm_heads(op, &a->q_gamma, &a->q_beta, q, w->heads, w->key));
    TERN_TRY(norm_heads(op, &a->k_gamma, &a->k_beta, k, w->kv, w->key));
    if (!rotary) return TERN_OK;
    TERN_TRY(make_angles(op, a, batch, &angles));
    TERN_TRY(op_rotary_rotate(op, &angles, q, w->heads, w->key));
    TERN_TRY(op_rotary_rotate(op, &angles, k, w->kv, w->key));
done:
    return st;
}

static tern_status attend(tern_op *op, const context_args *a, const widths *w, const op_dims *d,
                          const tern_attention *base, const op_rows *context)
{
    const tern_config *c = &op->config;
    tern_attention at = *base;
    tern_status st = TERN_OK;
    at.n_head = (int32_t)w->heads;
    at.out = context->data;
    at.ldout = context->ld;
    at.scale = (float)(c->attn_scale > 0 ? c->attn_scale : a->norm_factor * a->norm_factor);
    at.softcap = (float)c->attn_softcap;
    at.causal = c->triangular_masking || c->local_attention;
    at.window = c->local_attention ? c->window_size : 0;
    at.slope = a->slope.data;
    at.sink = a->sink.data;
    at.compute = op->config.compute;
    at.round = op->t;
    if (a->kv && a->alibi.data) {
        at.alibi = (tern_score_bias){ .data = a->alibi.data, .stride_head = a->alibi.shape[1] };
    } else if (a->attn_mask.data || a->alibi.data) {
        score_shape shape = scores_of(op, a, w, d);
        TERN_TRY(scores_mask(op, &shape, &a->attn_mask, &at.mask));
        TERN_TRY(scores_alibi(op, &shape, &a->alibi, &at.alibi));
    }
    TERN_TRY(op->ctx->backend->attention(op->ctx, &at));
done:
    return st;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const context_args *a = args;
    widths w;
    tern_ragged own;
    const tern_ragged *batch = a->batch;
    const tern_kv *kv = a->kv;
    const int32_t *ids = NULL;
    op_rows x, q, k, context;
    tern_status st = TERN_OK;
    int32_t n_seq = (int32_t)op_dim(d, 'b'), n_tok = (int32_t)op_dim(d, 's');
    TERN_TRY(find_widths(op, op_dim(d, 'N'), &w));
    TERN_TRY(op_in(op, &a->query_key_value, &x));
    TERN_TRY(op_out(op, &a->context, &context));
    if (!kv) {
        kv = workspace_kv(a->workspace);
        TERN_TRY(op_ints(op, "batch_ids", &a->batch_ids, &ids));
        TERN_TRY(workspace_batch(op, a->workspace, a->layer, n_seq, ids, n_tok, &own));
        batch = &own;
    }
    TERN_TRY(rotate(op, a, &w, batch, &x, &q, &k));
    TERN_TRY(op->ctx->backend->kv_write(op->ctx, &(tern_kv_write){
        .kv = kv, .layer = (int32_t)a->layer, .batch = batch, .k = k.data, .ldk = k.ld,
        .v = x.data + (w.heads + w.kv) * w.key, .ldv = x.ld }));
    TERN_TRY(attend(op, a, &w, d, &(tern_attention){ .kv = kv, .layer = (int32_t)a->layer, .batch = batch, .q = q.data,
                                                     .ldq = q.ld }, &context));
    TERN_TRY(op_put(op, &context, &a->context));
    if (!a->kv) workspace_advance(a->workspace, a->layer, n_seq, ids, n_tok);
done:
    return st;
}

/* Each pair of a query and a key that it sees: two products, scale and softmax (6), and what is
 * added. The keys and values of all tokens are read once. */
static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const context_args *a = args;
    bool window = op->config.local_attention, causal = op->config.triangular_masking || window;
    double rotated = op->config.rotary_dim > 0 ? 3.0 * (double)op->config.rotary_dim : 0, pairs = 0, keys = 0,
        rows = (double)d->n_row;
    widths w;
    if (find_widths(op, op_dim(d, 'N'), &w)) return;
    for (int64_t s = 0; s < op_dim(d, 'b'); s++) {
        int64_t n_key = tern_workspace_tokens(a->workspace, (int32_t)a->layer,
                                              (int32_t)sequence_of(a, s)) + op_dim(d, 's');
        pairs += cost_seen(op_dim(d, 's'), n_key, causal, window ? op->config.window_size : 0);
        keys += (double)n_key;
    }
    double each = 2.0 * (double)(w.key + w.value) + 6 + cost_if(&a->attn_mask) + cost_if(&a->alibi) +
                  2 * cost_if(&a->slope);
    double kept = (double)(w.kv * (w.key + w.value)) * (double)tern_dtype_bytes(workspace_kv(a->workspace)->dtype);
    c->flops = rows * (double)(w.heads + w.kv) * rotated + pairs * (double)w.heads * each;
    c->read_bytes += keys * kept;
    c->written_bytes += rows * kept;
}

const op_desc op_softmax_context = {
    .name = "softmax_context", .summary = "rotary, the KV cache, and attention over all of it",
    .args_size = sizeof(context_args), .args = args_table, .options = options, .defaults = &defaults, .config = config,
    .prepare = prepare, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(softmax_context)
