/* A mixture of experts in the place of an MLP: route, dispatch each expert's tokens, one pass of
 * GEMMs an expert, add back in the order of the scores. Called by transformer.c; built from
 * primitives. */
#include "base/ctx.h"
#include "base/memory.h"
#include "layers/layers.h"

tern_status tern_experts_create(tern_ctx *ctx, const tern_experts_options *options, tern_experts **out)
{
    tern_experts *e = tern_alloc(ctx, 1, sizeof *e, "a mixture of experts");
    if (!e) return TERN_ERR_MEMORY;
    e->o = *options;
    *out = e;
    return TERN_OK;
}

void tern_experts_free(tern_experts *e)
{
    tern_free(e);
}

/* h = act(x . gate^T + gate_b) * (x . up^T + up_b), with limits where the experts have them. */
static tern_status gated(tern_ctx *ctx, const tern_experts *e, const tern_expert *w, const float *x, int64_t n,
                         float *h)
{
    tern_status st = TERN_OK;
    int64_t dim = w->down.shape[0], ffn = w->down.shape[1];
    bool limited = e->o.limit > 0;
    tern_mark mark = tern_arena_mark(&ctx->step);
    float *both = limited ? tern_arena_get(ctx, &ctx->step, (size_t)(2 * n * ffn), sizeof *both) : NULL;
    if (limited && !both) return TERN_ERR_MEMORY;
    tern_matmul in = { .x = x, .ldx = dim, .n_row = n, .n_part = 2, .act = limited ? ACT_NONE : e->o.act,
                       .gated = !limited, .compute = e->o.compute };
    in.part[0] = (tern_matmul_part){ .w = tern_weight_of(&w->gate), .bias = w->gate_b, .y = limited ? both : h,
                                     .ldy = limited ? 2 * ffn : ffn };
    in.part[1] = (tern_matmul_part){ .w = tern_weight_of(&w->up), .bias = w->up_b, .y = limited ? both + ffn : NULL,
                                     .ldy = 2 * ffn };
    TERN_TRY(ctx->backend->matmul(ctx, &in));
    if (limited)
        TERN_TRY(ctx->backend->activation(ctx, &(tern_activation){ .act = e->o.act, .gated = true, .gate_first = true,
                                                                   .x = both, .y = h, .ldx = 2 * ffn, .ldy = ffn,
                                                                   .n_row = n, .dim = ffn, .limit = e->o.limit }));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}

/* y = gated(x) . down^T + down_b for n rows; h is n rows of the experts' width. */
static tern_status one_expert(tern_ctx *ctx, const tern_experts *e, const tern_expert *w, const float *x, int64_t n,
                              float *h, float *y)
{
    tern_status st = TERN_OK;
    int64_t dim = w->down.shape[0], ffn = w->down.shape[1];
    tern_matmul out = { .x = h, .ldx = ffn, .n_row = n, .n_part = 1, .compute = e->o.compute };
    out.part[0] = (tern_matmul_part){ .w = tern_weight_of(&w->down), .bias = w->down_b, .y = y, .ldy = dim };
    TERN_TRY(gated(ctx, e, w, x, n, h));
    TERN_TRY(ctx->backend->matmul(ctx, &out));
done:
    return st;
}

/* Routes sorted by expert, tokens ascending within one: first[e] .. first[e + 1] are expert e's;
 * token[] whose they are, slot[] where each token's are. */
static void sort_routes(const int32_t *expert, int64_t n_row, int64_t k, int64_t n_expert, int32_t *first,
                        int32_t *token, int32_t *slot)
{
    for (int64_t e = 0; e <= n_expert; e++) first[e] = 0;
    for (int64_t r = 0; r < n_row * k; r++) first[expert[r] + 1]++;
    for (int64_t e = 0; e < n_expert; e++) first[e + 1] += first[e];
    for (int64_t r = 0; r < n_row * k; r++) {
        slot[r] = first[expert[r]]++;
        token[slot[r]] = (int32_t)(r / k);
    }
    for (int64_t e = n_expert; e > 0; e--) first[e] = first[e - 1];
    first[0] = 0;
}

/* y += sigmoid(x . score^T) * shared expert (y += shared expert where it has no score). */
static tern_status add_shared(tern_ctx *ctx, const tern_experts *e, const float *x, int64_t n, int64_t dim, float *y)
{
    tern_status st = TERN_OK;
    const tern_experts_options *o = &e->o;
    tern_arena *step = &ctx->step;
    float *h = tern_arena_get(ctx, step, (size_t)(n * o->shared.down.shape[1]), sizeof *h),
        *out = tern_arena_get(ctx, step, (size_t)(n * dim), sizeof *out);
    float *weight = tern_arena_get(ctx, step, (size_t)n, sizeof *weight);
    int32_t *slot = tern_arena_get(ctx, step, (size_t)n, sizeof *slot);
    if (!h || !out || !weight || !slot) return TERN_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        slot[i] = (int32_t)i;
        weight[i] = 1;
    }
    TERN_TRY(one_expert(ctx, e, &o->shared, x, n, h, out));
    if (o->shared_score.data) {
        tern_matmul m = { .x = x, .ldx = dim, .n_row = n, .n_part = 1, .act = ACT_SIGMOID, .compute = TERN_F32 };
        m.part[0] = (tern_matmul_part){ .w = tern_weight_of(&o->shared_score), .y = weight, .ldy = 1 };
        TERN_TRY(ctx->backend->matmul(ctx, &m));
    }
    TERN_TRY(ctx->backend->combine(ctx, &(tern_combine){ .x = out, .y = y, .slot = slot, .weight = weight, .ldx = dim,
                                                         .ldy = dim, .n_row = n, .k = 1, .dim = dim, .add = true }));
done:
    return st;
}

tern_status tern_experts_run(tern_ctx *ctx, const tern_experts *e, const tern_tensor *input, tern_tensor *output)
{
    tern_status st = TERN_OK;
    const tern_experts_options *o = &e->o;
    const tern_backend *b = ctx->backend;
    int64_t dim = input->shape[input->rank - 1], n = tern_tensor_count(input) / dim, routes = n * o->k,
        ffn = o->expert[0].down.shape[1];
    const float *x = input->data;
    tern_mark mark = tern_arena_mark(&ctx->step);
    tern_arena *step = &ctx->step;
    float *logits = tern_arena_get(ctx, step, (size_t)(n * o->n_expert), sizeof *logits),
        *weight = tern_arena_get(ctx, step, (size_t)routes, sizeof *weight);
    float *in = tern_arena_get(ctx, step, (size_t)(routes * dim), sizeof *in),
        *out = tern_arena_get(ctx, step, (size_t)(routes * dim), sizeof *out);
    float *h = tern_arena_get(ctx, step, (size_t)(routes * ffn), sizeof *h);
    int32_t *index = tern_arena_get(ctx, step, (size_t)(3 * routes + o->n_expert + 1), sizeof *index);
    if (!logits || !weight || !in || !out || !h || !index) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    int32_t *expert = index, *token = index + routes, *slot = index + 2 * routes, *first = index + 3 * routes;

    /* The router multiplies in f32 under every compute type: its choices are discrete. */
    tern_matmul router = { .x = x, .ldx = dim, .n_row = n, .n_part = 1, .compute = TERN_F32 };
    router.part[0] = (tern_matmul_part){ .w = tern_weight_of(&o->router), .bias = o->router_b, .y = logits,
                                         .ldy = o->n_expert };
    TERN_TRY(b->matmul(ctx, &router));
    TERN_TRY(b->route(ctx, &(tern_route){ .logits = logits, .choice_bias = o->choice_bias, .n_row = n,
                                          .n_expert = o->n_expert, .k = o->k, .n_group = o->n_group,
                                          .n_group_used = o->n_group_used, .score = o->score, .normalize = o->normalize,
                                          .group_pairs = o->group_pairs,
                                          .scale = o->scale, .expert = expert, .weight = weight }));
    sort_routes(expert, n, o->k, o->n_expert, first, token, slot);
    TERN_TRY(b->gather_rows(ctx, &(tern_gather_rows){ .x = x, .out = in, .token = token, .ldx = dim, .ldout = dim,
                                                      .n_route = routes, .dim = dim }));
    for (int64_t i = 0; i < o->n_expert; i++) {
        int64_t lo = first[i], count = first[i + 1] - lo;
        if (count) TERN_TRY(one_expert(ctx, e, &o->expert[i], in + lo * dim, count, h, out + lo * dim));
    }
    TERN_TRY(b->combine(ctx, &(tern_combine){ .x = out, .y = output->data, .slot = slot, .weight = weight, .ldx = dim,
                                              .ldy = dim, .n_row = n, .k = o->k, .dim = dim }));
    if (o->shared.down.data) TERN_TRY(add_shared(ctx, e, x, n, dim, output->data));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
