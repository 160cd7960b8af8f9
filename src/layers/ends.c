/* The two ends of a model: ids in, hidden states out; hidden states in, logits out. Built from
 * primitives; called by models. */
#include <string.h>

#include "base/ctx.h"
#include "layers/layers.h"

static tern_status lookup(tern_ctx *ctx, const tern_tensor *table, int64_t n_row, const int32_t *id, double scale,
                          bool add, float *y)
{
    if (!table->data) return TERN_OK;
    return ctx->backend->lookup(ctx, &(tern_lookup){ .table = table->data, .dtype = table->dtype, .n_row = n_row,
                                                     .dim = table->shape[1], .ldy = table->shape[1],
                                                     .id = id, .scale = (float)scale, .add = add, .y = y });
}

static tern_status norm(tern_ctx *ctx, tern_norm_kind kind, const tern_tensor *w, const tern_tensor *b, double eps,
                        int64_t n_row, int64_t dim, const float *x, float *y)
{
    return ctx->backend->norm(ctx, &(tern_norm){ .kind = kind, .x = x, .w = w->data, .b = b->data, .y = y, .ldx = dim,
                                                 .ldy = dim, .n_row = n_row,
                                                 .dim = dim, .eps = (float)eps });
}

/* y = x . w^T + bias */
static tern_status linear(tern_ctx *ctx, const tern_tensor *w, const tern_tensor *bias, tern_dtype compute,
                          tern_act act, int64_t n_row, const float *x, float *y)
{
    tern_matmul m = { .x = x, .ldx = w->shape[1], .n_row = n_row, .n_part = 1, .act = act, .compute = compute };
    m.part[0] = (tern_matmul_part){ .w = tern_weight_of(w), .bias = bias->data, .y = y, .ldy = w->shape[0] };
    return ctx->backend->matmul(ctx, &m);
}

tern_status tern_embedding_run(tern_ctx *ctx, const tern_embedding *e, int64_t n_row, const int32_t *id,
                               const int32_t *position, const int32_t *type_id, float *y)
{
    static const tern_tensor none;
    tern_status st = TERN_OK;
    bool project = e->project.data != NULL;
    int64_t narrow = e->token.shape[1], dim = project ? e->project.shape[0] : narrow;
    tern_mark mark = tern_arena_mark(&ctx->step);
    float *token = y;
    int32_t *at = NULL, *type = (int32_t *)type_id;
    if (project) token = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * narrow), sizeof *token);
    if (e->position.data) at = tern_arena_get(ctx, &ctx->step, (size_t)n_row, sizeof *at);
    if (e->type.data && !type_id) type = tern_arena_get(ctx, &ctx->step, (size_t)n_row, sizeof *type);
    if (!token || (e->position.data && !at) || (e->type.data && !type)) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    if (type && !type_id) memset(type, 0, (size_t)n_row * sizeof *type);
    for (int64_t i = 0; at && i < n_row; i++) at[i] = position[i] + (int32_t)e->position_offset;
    TERN_TRY(lookup(ctx, &e->token, n_row, id, e->scale, false, token));
    if (project) TERN_TRY(linear(ctx, &e->project, &none, e->compute, ACT_NONE, n_row, token, y));
    TERN_TRY(lookup(ctx, &e->type, n_row, type, 1, true, y));
    TERN_TRY(lookup(ctx, &e->position, n_row, at, 1, true, y));
    if (e->norm_w.data) TERN_TRY(norm(ctx, e->norm, &e->norm_w, &e->norm_b, e->eps, n_row, dim, y, y));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}

tern_status tern_head_run(tern_ctx *ctx, const tern_head *h, int64_t n_row, const float *x, int64_t dim, float *hidden,
                          float *logits)
{
    static const tern_tensor none;
    tern_status st = TERN_OK;
    tern_mark mark = tern_arena_mark(&ctx->step);
    if (h->norm_w.data) {
        float *normed = hidden ? hidden : tern_arena_get(ctx, &ctx->step, (size_t)(n_row * dim), sizeof *normed);
        if (!normed) goto no_memory;
        TERN_TRY(norm(ctx, h->norm, &h->norm_w, &h->norm_b, h->eps, n_row, dim, x, normed));
        x = normed;
    } else if (hidden) {
        TERN_TRY(ctx->backend->convert(ctx, &(tern_convert){ .from = x, .to = hidden, .n = n_row * dim }));
    }
    if (!logits) goto done;
    if (h->project.data) {
        float *projected = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * h->project.shape[0]), sizeof *projected);
        if (!projected) goto no_memory;
        TERN_TRY(linear(ctx, &h->project, &none, h->compute, ACT_NONE, n_row, x, projected));
        x = projected;
    }
    if (h->transform_w.data) {
        int64_t width = h->transform_w.shape[0];
        float *t = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * width), sizeof *t);
        if (!t) goto no_memory;
        TERN_TRY(linear(ctx, &h->transform_w, &h->transform_b, h->compute, h->transform_act, n_row, x, t));
        if (h->transform_norm_w.data)
            TERN_TRY(norm(ctx, h->norm, &h->transform_norm_w, &h->transform_norm_b, h->eps, n_row, width, t, t));
        x = t;
    }
    int64_t vocab = h->weight.shape[0];
    TERN_TRY(linear(ctx, &h->weight, &h->bias, h->compute, ACT_NONE, n_row, x, logits));
    if (h->scale != 1)
        TERN_TRY(ctx->backend->add(ctx, &(tern_add){ .a = logits, .y = logits, .alpha = (float)h->scale, .lda = vocab,
                                                     .ldy = vocab, .n_row = n_row, .dim = vocab }));
    if (h->softcap != 0)
        TERN_TRY(ctx->backend->activation(ctx, &(tern_activation){ .act = ACT_SOFTCAP, .x = logits, .y = logits, .ldx =
            vocab, .ldy = vocab, .n_row = n_row, .dim = vocab,
                                                                   .cap = (float)h->softcap }));
    goto done;
no_memory:
    st = TERN_ERR_MEMORY;
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
