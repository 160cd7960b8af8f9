/* Routes of one call, the exchange of tokens between the ranks that share the experts, and the
 * experts themselves. Called by moe.c.
 *
 *     x [n, M] --slots--> [expert][slot][M] --all to all--> [source][own expert][slot][M]
 *     --experts--> and back --weights--> y [n, M]
 *
 * One process alone packs the slots that are in use; ranks exchange all capacity slots of every
 * expert. Ranks that share tensors have the same slots: where experts are whole on each, rank t
 * takes the t-th share of every expert's slots through all of this, and the outputs are gathered at
 * its end. */
#include <string.h>

#include "layers/layers.h"
#include "layers/moe.h"

static tern_status no_memory(const tern_tensor *t)
{
    return t->data ? TERN_OK : TERN_ERR_MEMORY;
}

/* ---- Routes ---- */

/* Into how many shares each expert's slots are cut. */
static int64_t shares(const tern_moe *moe)
{
    return moe->config.enable_expert_tensor_parallelism ? 1 : moe->tensors->size;
}

/* Are only the slots in use stored, each expert's behind the one before? Else every expert has as
 * many. */
static bool packed(const tern_moe *moe)
{
    return moe->experts->size == 1 && shares(moe) == 1 && !moe->config.einsum_dispatch;
}

/* The largest capacity of all ranks: blocks that they exchange have one size. */
static tern_status common_capacity(tern_moe *moe, int64_t *capacity)
{
    int size = moe->experts->size;
    float own = (float)*capacity, *all;
    if (size == 1) return TERN_OK;
    if (*capacity > 1 << 24)
        return tern_fail(moe->ctx, TERN_ERR_LIMIT, "moe: a capacity of %lld between ranks; at most %d",
                         (long long)*capacity, 1 << 24);
    all = tern_arena_get(moe->ctx, &moe->ctx->step, (size_t)size, sizeof *all);
    if (!all) return TERN_ERR_MEMORY;
    tern_status st = moe->experts->all_gather(moe->experts->self, moe->ctx, &own, all, 1);
    for (int r = 0; !st && r < size; r++)
        if (all[r] > (float)*capacity) *capacity = (int64_t)all[r];
    return st;
}

static tern_status lay_slots(tern_moe *moe, moe_routes *r)
{
    int64_t n = r->n_row * r->k, experts = moe->config.global_experts;
    const int32_t *index = r->index.data, *location = r->location.data;
    const float *gate = r->gate.data;
    r->first = tern_arena_get(moe->ctx, &moe->ctx->step, 2 * (size_t)experts, sizeof *r->first);
    r->slot = tern_arena_get(moe->ctx, &moe->ctx->step, (size_t)n, sizeof *r->slot);
    r->weight = tern_arena_get(moe->ctx, &moe->ctx->step, (size_t)n, sizeof *r->weight);
    if (!r->first || !r->slot || !r->weight) return TERN_ERR_MEMORY;
    r->count = r->first + experts;
    memset(r->count, 0, (size_t)experts * sizeof *r->count);
    for (int64_t i = 0; i < n; i++)
        if (index[i] >= 0) r->count[index[i]]++;
    r->n_slot = 0;
    for (int64_t e = 0; e < experts; e++) {
        r->first[e] = r->n_slot;
        r->n_slot += packed(moe) ? r->count[e] : r->capacity;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t token = i % r->n_row, at = token * r->k + i / r->n_row;
        r->slot[at] = index[i] < 0 ? -1 : (int32_t)(r->first[index[i]] + location[i]);
        r->weight[at] = gate[i];
    }
    return TERN_OK;
}

tern_status moe_choose(tern_moe *moe, const tern_moe_args *args, const tern_tensor *logits, moe_routes *r)
{
    tern_ctx *ctx = moe->ctx;
    const tern_moe_config *c = &moe->config;
    tern_status st = TERN_OK;
    *r = (moe_routes){ .n_row = logits->shape[0], .k = c->k };
    r->index = moe_rows(moe, TERN_I32, r->k, r->n_row);
    r->location = moe_rows(moe, TERN_I32, r->k, r->n_row);
    r->gate = moe_rows(moe, TERN_F32, r->k, r->n_row);
    if (!r->index.data || !r->location.data || !r->gate.data) return TERN_ERR_MEMORY;
    tern_gating_args gate = {
        .logits = *logits, .used_token = args->used_token, .k = c->k,
        .capacity_factor = args->training ? c->capacity_factor : c->eval_capacity_factor,
        .min_capacity = c->min_capacity, .keep_tokens = !c->drop_tokens, .first_come = !c->use_rts,
        .noisy_gate_policy = args->training && c->noisy_gate_policy == TERN_NOISE_RSAMPLE
                                 ? TERN_NOISE_RSAMPLE : TERN_NOISE_NONE,
        .top2_2nd_expert_sampling = c->top2_2nd_expert_sampling, .seed = args->seed, .l_aux = args->l_aux,
        .exp_counts = args->exp_counts, .capacity = tern_tensor_of(&r->capacity, TERN_I64, 1, (int64_t[]){ 1 }),
        .indices = r->index, .locations = r->location, .gates = r->gate };
    if (c->k > 1 && args->used_token.data)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "moe: used_token with k = %lld; it goes with k = 1",
                         (long long)c->k);
    if (c->k == 1) TERN_TRY(tern_top1gating_run(moe->gate, &gate));
    else if (c->k == 2) TERN_TRY(tern_top2gating_run(moe->gate, &gate));
    else TERN_TRY(tern_topkgating_run(moe->gate, &gate));
    TERN_TRY(common_capacity(moe, &r->capacity));
    r->capacity = (r->capacity + shares(moe) - 1) / shares(moe) * shares(moe);
    r->share = r->capacity / shares(moe);
    TERN_TRY(lay_slots(moe, r));
done:
    return st;
}

/* ---- Dispatch and combine ---- */

/* slots [n_slot, M] f32 by copying each token to its slots. */
static tern_status dispatch(tern_moe *moe, const moe_routes *r, const tern_tensor *x, tern_tensor *slots)
{
    int32_t *token = tern_arena_get(moe->ctx, &moe->ctx->step, (size_t)r->n_slot, sizeof *token);
    if (!token) return TERN_ERR_MEMORY;
    memset(token, -1, (size_t)r->n_slot * sizeof *token);
    for (int64_t i = 0; i < r->n_row * r->k; i++)
        if (r->slot[i] >= 0) token[r->slot[i]] = (int32_t)(i / r->k);
    return moe->ctx->backend->gather_rows(moe->ctx, &(tern_gather_rows){
        .x = x->data, .out = slots->data, .token = token, .ldx = moe->dim, .ldout = moe->dim, .n_route = r->n_slot,
        .dim = moe->dim });
}

static tern_status scatter(tern_moe *moe, const moe_routes *r, const tern_tensor *slots, tern_tensor *y)
{
    return moe->ctx->backend->combine(moe->ctx, &(tern_combine){
        .x = slots->data, .y = y->data, .slot = r->slot, .weight = r->weight, .ldx = moe->dim, .ldy = moe->dim,
        .n_row = r->n_row, .k = r->k, .dim = moe->dim });
}

/* A dense [n, e, c] of the routes: 1 or the weight at each route's slot. */
static tern_tensor dense(tern_moe *moe, const moe_routes *r, bool weights)
{
    tern_tensor t = tern_tensor_of(NULL, TERN_F32, 3, (int64_t[]){ r->n_row, moe->config.global_experts, r->capacity });
    size_t n = (size_t)tern_tensor_count(&t);
    float *cell = t.data = tern_arena_get(moe->ctx, &moe->ctx->step, n, sizeof *cell);
    if (cell) memset(cell, 0, n * sizeof *cell);
    for (int64_t i = 0; cell && i < r->n_row * r->k; i++)
        if (r->slot[i] >= 0) cell[i / r->k * r->n_slot + r->slot[i]] = weights ? r->weight[i] : 1;
    return t;
}

static tern_status dispatch_by_einsum(tern_moe *moe, const moe_routes *r, const tern_tensor *x, tern_tensor *slots)
{
    tern_tensor mask = dense(moe, r, false), out =
        tern_tensor_of(slots->data, TERN_F32, 3, (int64_t[]){ moe->config.global_experts, r->capacity, moe->dim });
    if (!mask.data) return TERN_ERR_MEMORY;
    return tern_einsum_sec_sm_ecm_run(moe->mask, &(tern_einsum_sec_sm_ecm_args){ .Q = mask, .W = *x, .output = out });
}

static tern_status scatter_by_einsum(tern_moe *moe, const moe_routes *r, const tern_tensor *slots, tern_tensor *y)
{
    tern_tensor weights = dense(moe, r, true),
        rows = tern_tensor_of(weights.data, TERN_F32, 2, (int64_t[]){ r->n_row, r->n_slot });
    if (!weights.data) return TERN_ERR_MEMORY;
    return tern_vector_matmul_run(moe->weigh,
                                  &(tern_vector_matmul_args){ .input = rows, .weight = *slots, .output = *y });
}

/* ---- Experts ---- */

static tern_tensor one_of(const tern_tensor *all, int64_t i)
{
    tern_tensor t = { 0 };
    if (!all->data) return t;
    t = tern_tensor_of((char *)all->data + (size_t)(i * all->stride[0]) * tern_dtype_bytes(all->dtype), all->dtype,
                       all->rank - 1, all->shape + 1);
    return t;
}

/* Rows [first, first + n) of t. */
static tern_tensor rows_of(const tern_moe *moe, const tern_tensor *t, int64_t first, int64_t n)
{
    return tern_tensor_of((char *)t->data + (size_t)(first * moe->dim) * tern_dtype_bytes(moe->t), moe->t, 2,
                          (int64_t[]){ n, moe->dim });
}

/* Which rows of this rank's slots the i-th block has: block i belongs to own expert i %
 * moe_experts. */
static int64_t block(const tern_moe *moe, const moe_routes *r, int64_t i, int64_t *first)
{
    *first = packed(moe) ? r->first[i] : i * r->share;
    return packed(moe) ? r->count[i] : r->share;
}

/* y = f(x . W1 + b1) . W2 of each block's expert; ranks that have parts of the experts sum them. */
static tern_status multiply(tern_moe *moe, const moe_routes *r, int64_t n_block, const tern_tensor *x, tern_tensor *y)
{
    const tern_moe_weights *w = &moe->w;
    tern_status st = TERN_OK;
    int64_t first;
    for (int64_t i = 0; i < n_block; i++) {
        int64_t n = block(moe, r, i, &first), e = i % moe->config.moe_experts;
        if (n) TERN_TRY(tern_gelu_gemm_run(moe->expert, &(tern_gelu_gemm_args){
            .input = rows_of(moe, x, first, n), .weight = one_of(&w->inter_w, e),
            .weight_scale = one_of(&w->inter_w_scale, e), .bias = one_of(&w->inter_b, e),
            .weight_out = one_of(&w->output_w, e), .weight_out_scale = one_of(&w->output_w_scale, e),
            .output = rows_of(moe, y, first, n) }));
    }
    if (moe->config.enable_expert_tensor_parallelism) TERN_TRY(tern_ranks_sum(moe->ctx, moe->tensors, y));
done:
    return st;
}

static tern_status add_biases(tern_moe *moe, const moe_routes *r, int64_t n_block, tern_tensor *y)
{
    tern_status st = TERN_OK;
    int64_t first;
    for (int64_t i = 0; moe->w.output_b.data && i < n_block; i++) {
        int64_t n = block(moe, r, i, &first);
        tern_tensor rows = rows_of(moe, y, first, n);
        if (n) TERN_TRY(tern_bias_add_run(moe->bias, &(tern_bias_add_args){
            .input = rows, .bias = one_of(&moe->w.output_b, i % moe->config.moe_experts), .output = rows }));
    }
done:
    return st;
}

/* All of this rank's experts over the slots that it has, f32 in and out. */
static tern_status run_experts(tern_moe *moe, const moe_routes *r, const tern_tensor *in, tern_tensor *out)
{
    int64_t n_block = moe->experts->size * moe->config.moe_experts;
    tern_tensor x, y = moe_rows(moe, moe->t, in->shape[0], moe->dim);
    tern_status st = TERN_OK;
    TERN_TRY(no_memory(&y));
    TERN_TRY(moe_convert(moe, in, moe->t, &x));
    TERN_TRY(multiply(moe, r, n_block, &x, &y));
    TERN_TRY(add_biases(moe, r, n_block, &y));
    TERN_TRY(moe_convert(moe, &y, TERN_F32, out));
done:
    return st;
}

/* Copies every expert's share of slots: between whole [expert][capacity][M] from the share's first
 * slot on, and part [expert][share][M]. */
static void move_share(const tern_moe *moe, const moe_routes *r, int64_t share, float *whole, float *part,
                       bool into_part)
{
    size_t n = (size_t)(r->share * moe->dim);
    for (int64_t e = 0; e < moe->config.global_experts; e++) {
        float *at = whole + (e * r->capacity + share * r->share) * moe->dim, *own = part + e * r->share * moe->dim;
        memcpy(into_part ? own : at, into_part ? at : own, n * sizeof *at);
    }
}

/* This rank's share of all slots, where experts are whole on each of the ranks that share
 * tensors. */
static tern_status take_share(tern_moe *moe, const moe_routes *r, tern_tensor *slots)
{
    if (shares(moe) == 1) return TERN_OK;
    tern_tensor part = moe_rows(moe, TERN_F32, moe->config.global_experts * r->share, moe->dim);
    if (!part.data) return TERN_ERR_MEMORY;
    move_share(moe, r, moe->tensors->rank, slots->data, part.data, true);
    *slots = part;
    return TERN_OK;
}

static tern_status gather_shares(tern_moe *moe, const moe_routes *r, tern_tensor *slots)
{
    if (shares(moe) == 1) return TERN_OK;
    tern_status st = TERN_OK;
    int64_t n = tern_tensor_count(slots);
    tern_tensor parts = moe_rows(moe, TERN_F32, shares(moe), n), whole = moe_rows(moe, TERN_F32, r->n_slot, moe->dim);
    TERN_TRY(no_memory(&parts));
    TERN_TRY(no_memory(&whole));
    TERN_TRY(moe->tensors->all_gather(moe->tensors->self, moe->ctx, slots->data, parts.data, (size_t)n));
    for (int64_t t = 0; t < shares(moe); t++) move_share(moe, r, t, whole.data, (float *)parts.data + t * n, false);
    *slots = whole;
done:
    return st;
}

/* Blocks of this rank's tokens to the experts' owners, or their outputs back: the same call both
 * ways. */
static tern_status exchange(tern_moe *moe, const moe_routes *r, tern_tensor *slots)
{
    if (moe->experts->size == 1) return TERN_OK;
    tern_tensor got = moe_rows(moe, TERN_F32, slots->shape[0], moe->dim);
    if (!got.data) return TERN_ERR_MEMORY;
    tern_status st = moe->experts->all_to_all(moe->experts->self, moe->ctx, slots->data, got.data,
                                              (size_t)(moe->config.moe_experts * r->share * moe->dim));
    *slots = got;
    return st;
}

tern_status moe_experts(tern_moe *moe, const moe_routes *r, const tern_tensor *x, tern_tensor *y)
{
    tern_tensor wide, sum = moe_rows(moe, TERN_F32, r->n_row, moe->dim),
        slots = moe_rows(moe, TERN_F32, r->n_slot, moe->dim), outputs;
    bool einsum = moe->config.einsum_dispatch;
    tern_status st = TERN_OK;
    TERN_TRY(no_memory(&sum));
    TERN_TRY(no_memory(&slots));
    TERN_TRY(moe_convert(moe, x, TERN_F32, &wide));
    TERN_TRY(einsum ? dispatch_by_einsum(moe, r, &wide, &slots) : dispatch(moe, r, &wide, &slots));
    TERN_TRY(take_share(moe, r, &slots));
    TERN_TRY(exchange(moe, r, &slots));
    TERN_TRY(run_experts(moe, r, &slots, &outputs));
    TERN_TRY(exchange(moe, r, &outputs));
    TERN_TRY(gather_shares(moe, r, &outputs));
    TERN_TRY(einsum ? scatter_by_einsum(moe, r, &outputs, &sum) : scatter(moe, r, &outputs, &sum));
    TERN_TRY(moe_convert_into(moe, &sum, y));
done:
    return st;
}
