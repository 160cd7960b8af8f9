/* top1gating, top2gating, topkgating: which experts each token goes to, within each expert's
 * capacity. Scores, choices, queues and the loss are the primitives route and assign; this file
 * says how each gate uses them, and writes the routes out, dense or sparse. */
#include <math.h>
#include <string.h>

#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"

typedef tern_gating_args gating;

/* What every gate gives. */
#define OUTPUTS \
    OP_ARG(gating, l_aux, OUT_MAYBE, OF_T, "1"), \
    OP_ARG(gating, capacity, OUT_MAYBE, OF_I64, "1"), \
    OP_ARG(gating, combine_weights, OUT_MAYBE, OF_T, "sEc"), \
    OP_ARG(gating, dispatch_mask, OUT_MAYBE, OF_U8, "sEc"), \
    OP_ARG(gating, exp_counts, OUT_MAYBE, OF_I64, "E"), \
    OP_ARG(gating, indices, OUT_MAYBE, OF_I32, "Ks"), \
    OP_ARG(gating, locations, OUT_MAYBE, OF_I32, "Ks"), \
    OP_ARG(gating, gates, OUT_MAYBE, OF_F32, "Ks")

static const op_arg args_table[] = { OP_ARG(gating, logits, IN, OF_PARAM, "sE"), OUTPUTS, { 0 } };
static const op_arg top1_args_table[] = { OP_ARG(gating, logits, IN, OF_PARAM, "sE"),
                                          OP_ARG(gating, used_token, MAYBE, OF_INT, "s"), OUTPUTS, { 0 } };

static const field_name drop_policies[] = { { "probs", 0 }, { "position", 1 }, { 0 } };
static const field_name noises[] = { { "None", TERN_NOISE_NONE }, { "RSample", TERN_NOISE_RSAMPLE }, { 0 } };

#define COMMON_OPTIONS                                                                                      \
    { "capacity_factor", NULL, FIELD_NUMBER, offsetof(gating, capacity_factor), 0, 0, NULL, NULL },         \
    { "min_capacity", NULL, FIELD_INT, offsetof(gating, min_capacity), 0, 1e9, NULL, NULL },                \
    { "drop_tokens", NULL, FIELD_NOT, offsetof(gating, keep_tokens), 0, 0, NULL, NULL }

static const field top1_options[] = {
    COMMON_OPTIONS,
    { "use_rts", NULL, FIELD_NOT, offsetof(gating, first_come), 0, 0, NULL, NULL },
    { "noisy_gate_policy", NULL, FIELD_ENUM, offsetof(gating, noisy_gate_policy), 0, 0, noises, NULL },
    { "seed", NULL, FIELD_INT, offsetof(gating, seed), 0, 0, NULL, NULL },
    { 0 },
};

static const field top2_options[] = {
    COMMON_OPTIONS,
    { "top2_2nd_expert_sampling", NULL, FIELD_BOOL, offsetof(gating, top2_2nd_expert_sampling), 0, 0, NULL, NULL },
    { "seed", NULL, FIELD_INT, offsetof(gating, seed), 0, 0, NULL, NULL },
    { 0 },
};

static const field topk_options[] = {
    COMMON_OPTIONS,
    { "k", NULL, FIELD_INT, offsetof(gating, k), 1, 1e9, NULL, NULL },
    { "drop_policy", NULL, FIELD_ENUM, offsetof(gating, drop_policy), 0, 0, drop_policies, NULL },
    { 0 },
};

static const char *const config[] = { NULL };
static const gating defaults = { .capacity_factor = 1, .min_capacity = 1 };

/* One gate's routes: everything that its outputs are made of. */
typedef struct routes {
    int64_t n_row, n_expert, k, capacity;
    float *score, *weight, l_aux;
    int32_t *expert, *location;
    int64_t *count;
} routes;

/* numbers for noise on the choice, and for the tokens that are kept */
enum { STREAM_CHOICE = 1, STREAM_TOKENS = 2 };

static bool is_top1(const tern_op *op)
{
    return op->desc == &op_top1gating;
}

static bool is_top2(const tern_op *op)
{
    return op->desc == &op_top2gating;
}

static int64_t k_of(const tern_op *op, const gating *a)
{
    if (is_top1(op)) return 1;
    if (is_top2(op)) return 2;
    return a->k;
}

/* logits + Gumbel's noise where the gate has it, else null. */
static tern_status noisy_logits(tern_op *op, const gating *a, const float *logits, const routes *r, const float **noisy)
{
    op_rows noise;
    bool wanted = (is_top1(op) && a->noisy_gate_policy == TERN_NOISE_RSAMPLE) ||
                  (is_top2(op) && a->top2_2nd_expert_sampling);
    int64_t n = r->n_row * r->n_expert;
    tern_status st = TERN_OK;
    *noisy = NULL;
    if (!wanted) return TERN_OK;
    TERN_TRY(op_scratch(op, 1, n, &noise));
    TERN_TRY(op->ctx->backend->random(op->ctx, &(tern_random_fill){
        .seed = (uint64_t)a->seed, .stream = STREAM_CHOICE, .y = noise.data, .n = n, .gumbel = true }));
    TERN_TRY(op->ctx->backend->add(op->ctx, &(tern_add){
        .a = logits, .b = noise.data, .y = noise.data, .alpha = 1, .n_row = 1, .dim = n, .lda = n, .ldb = n,
        .ldy = n }));
    *noisy = noise.data;
done:
    return st;
}

/* Tokens that are not used go nowhere. */
static void leave_out(const tern_tensor *used, routes *r)
{
    for (int64_t t = 0; used->data && t < r->n_row; t++) {
        int64_t use = used->dtype == TERN_I64 ? ((const int64_t *)used->data)[t] : ((const int32_t *)used->data)[t];
        if (!use) r->expert[t] = -1;
    }
}

static tern_status choose(tern_op *op, const gating *a, const op_dims *d, routes *r)
{
    const float *logits, *noisy;
    op_rows rows;
    tern_status st = TERN_OK;
    *r = (routes){ .n_row = op_dim(d, 's'), .n_expert = op_dim(d, 'e'), .k = k_of(op, a) };
    int64_t n = r->n_row * r->k;
    TERN_TRY(op_floats(op, &a->logits, &logits));
    TERN_TRY(noisy_logits(op, a, logits, r, &noisy));
    TERN_TRY(op_scratch(op, r->n_row, r->n_expert, &rows));
    r->score = rows.data;
    TERN_TRY(op_scratch(op, r->n_row, r->k, &rows));
    r->weight = rows.data;
    TERN_TRY(op_memory(op, 2 * n, sizeof *r->expert, (void **)&r->expert));
    r->location = r->expert + n;
    TERN_TRY(op_memory(op, r->n_expert, sizeof *r->count, (void **)&r->count));
    TERN_TRY(op->ctx->backend->route(op->ctx, &(tern_route){
        .logits = logits, .noisy = noisy, .first_by_score = is_top2(op), .n_row = r->n_row, .n_expert = r->n_expert,
        .k = r->k, .n_group = 1, .n_group_used = 1, .score = ROUTE_SOFTMAX, .scale = 1, .scores = r->score,
        .expert = r->expert, .weight = r->weight }));
    leave_out(&a->used_token, r);
done:
    return st;
}

static tern_status assign(tern_op *op, const gating *a, int64_t capacity, routes *r)
{
    const float *priority = NULL;
    op_rows drawn;
    tern_status st = TERN_OK;
    if (is_top1(op) && !a->first_come) {
        TERN_TRY(op_scratch(op, 1, r->n_row, &drawn));
        TERN_TRY(op->ctx->backend->random(op->ctx, &(tern_random_fill){
            .seed = (uint64_t)a->seed, .stream = STREAM_TOKENS, .y = drawn.data, .n = r->n_row, .high = 1 }));
        priority = drawn.data;
    } else if (!is_top1(op) && !is_top2(op) && a->drop_policy == 0) {
        priority = r->weight;
    }
    r->capacity = capacity;
    TERN_TRY(op->ctx->backend->assign(op->ctx, &(tern_assign){
        .expert = r->expert, .priority = priority, .score = r->score, .n_row = r->n_row, .capacity = capacity,
        .n_expert = (int32_t) r->n_expert, .k = (int32_t) r->k, .aux_k = is_top2(op) ? 1 : (int32_t) r->k,
        .by_rank = is_top2(op), .renormalize = !is_top1(op), .weight = r->weight, .location = r->location,
        .count = r->count, .l_aux = &r->l_aux }));
done:
    return st;
}

/* What the fullest expert has: the capacity that drops nothing. */
static tern_status count_fullest(tern_op *op, const gating *a, const op_dims *d, int64_t *capacity)
{
    routes r;
    tern_status st = choose(op, a, d, &r);
    if (!st) st = assign(op, a, INT32_MAX, &r);
    *capacity = 0;
    for (int64_t e = 0; !st && e < r.n_expert; e++)
        if (r.count[e] > *capacity) *capacity = r.count[e];
    return st;
}

static tern_status find_capacity(tern_op *op, const gating *a, op_dims *d)
{
    int64_t tokens = op_dim(d, 's'), experts = op_dim(d, 'e'), capacity, cells;
    if (a->keep_tokens) {
        tern_status st = count_fullest(op, a, d, &capacity);
        if (st) return st;
    } else {
        double factor = a->capacity_factor * (is_top1(op) ? 1 : (double)k_of(op, a)),
            wanted = ceil((double)tokens / (double)experts * factor);
        if (wanted > INT32_MAX)
            return op_fail(op, TERN_ERR_LIMIT, "capacity_factor %g gives a capacity of %g, more than %d",
                           a->capacity_factor, wanted, INT32_MAX);
        capacity = (int64_t)wanted > a->min_capacity ? (int64_t)wanted : a->min_capacity;
    }
    if (__builtin_mul_overflow(tokens * experts, capacity, &cells) || cells > INT64_MAX / 4)
        return op_fail(op, TERN_ERR_LIMIT, "%lld tokens of %lld experts with a capacity of %lld", (long long)tokens,
                       (long long)experts, (long long)capacity);
    op_bind(d, 'C', capacity);
    return TERN_OK;
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const gating *a = args;
    int64_t tokens = op_dim(d, 's'), experts = op_dim(d, 'e'), k = k_of(op, a);
    if (k < 1 || k > experts)
        return op_fail(op, TERN_ERR_ARGUMENT, "k is %lld, not from 1 to the %lld experts of logits", (long long)k,
                       (long long)experts);
    if (!(a->capacity_factor > 0) || !isfinite(a->capacity_factor))
        return op_fail(op, TERN_ERR_ARGUMENT, "capacity_factor is %g, not above 0", a->capacity_factor);
    if (a->min_capacity < 0 || a->min_capacity > INT32_MAX)
        return op_fail(op, TERN_ERR_ARGUMENT, "min_capacity is %lld, not from 0 to %d", (long long)a->min_capacity,
                       INT32_MAX);
    if (is_top1(op) && tokens < a->min_capacity)
        return op_fail(op, TERN_ERR_ARGUMENT, "logits has %lld tokens, fewer than min_capacity %lld", (long long)tokens,
                       (long long)a->min_capacity);
    if (tokens > INT32_MAX / k || experts > INT32_MAX)
        return op_fail(op, TERN_ERR_LIMIT, "logits has %lld tokens and %lld experts", (long long)tokens,
                       (long long)experts);
    op_bind(d, 'K', k);
    return find_capacity(op, a, d);
}

/* ---- Outputs ---- */

static tern_status put_dense(tern_op *op, const gating *a, const routes *r)
{
    op_rows y;
    uint8_t *mask = a->dispatch_mask.data;
    int64_t n = r->n_row * r->n_expert * r->capacity;
    tern_status st = TERN_OK;
    TERN_TRY(op_out(op, &a->combine_weights, &y));
    if (y.data) memset(y.data, 0, (size_t)n * sizeof *y.data);
    if (mask) memset(mask, 0, (size_t)n);
    for (int64_t i = 0; i < r->n_row * r->k; i++) {
        if (r->location[i] < 0) continue;
        int64_t cell = (i / r->k * r->n_expert + r->expert[i]) * r->capacity + r->location[i];
        if (y.data) y.data[cell] = r->weight[i];
        if (mask) mask[cell] = r->weight[i] != 0;
    }
    TERN_TRY(op_put(op, &y, &a->combine_weights));
done:
    return st;
}

static void put_sparse(const gating *a, const routes *r)
{
    for (int64_t i = 0; i < r->n_row * r->k; i++) {
        int64_t at = i % r->k * r->n_row + i / r->k;
        bool kept = r->location[i] >= 0;
        if (a->indices.data) ((int32_t *)a->indices.data)[at] = kept ? r->expert[i] : -1;
        if (a->locations.data) ((int32_t *)a->locations.data)[at] = kept ? r->location[i] : 0;
        if (a->gates.data) ((float *)a->gates.data)[at] = r->weight[i];
    }
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const gating *a = args;
    routes r;
    op_rows loss;
    tern_status st = TERN_OK;
    TERN_TRY(choose(op, a, d, &r));
    TERN_TRY(assign(op, a, op_dim(d, 'C'), &r));
    TERN_TRY(put_dense(op, a, &r));
    put_sparse(a, &r);
    TERN_TRY(op_out(op, &a->l_aux, &loss));
    if (loss.data) loss.data[0] = r.l_aux;
    TERN_TRY(op_put(op, &loss, &a->l_aux));
    if (a->capacity.data) *(int64_t *)a->capacity.data = r.capacity;
    if (a->exp_counts.data) memcpy(a->exp_counts.data, r.count, (size_t)r.n_expert * sizeof *r.count);
done:
    return st;
}

/* Softmax of the scores (5 each), their means and the loss (2), and k comparisons each for the
 * choice. */
static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    c->flops = (double)op_dim(d, 's') * (double)op_dim(d, 'e') * (double)(7 + k_of(op, args));
}

#define GATE(op_name, summary_text, table, option_table) \
    const op_desc op_##op_name = { .name = #op_name, .summary = summary_text, .args_size = sizeof(gating), \
                                   .args = table, .options = option_table, \
                                   .defaults = &defaults, .config = config, .check = check, .cost = cost, \
                                   .run = run }; \
    OP_TYPED_CALL(op_name)

GATE(top1gating, "each token to its best expert", top1_args_table, top1_options)
GATE(top2gating, "each token to its two best experts", args_table, top2_options)
GATE(topkgating, "each token to its k best experts", args_table, topk_options)
