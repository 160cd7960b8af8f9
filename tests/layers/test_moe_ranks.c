/* A mixture-of-experts layer on a grid of ranks that share experts and tensors gives what one rank
 * gives: heads, the dense MLP and, where they are split, the experts are sliced here. Each row of
 * the grid has tokens of its own; a prompt and a step, so that each rank's cache is of its own
 * heads. */
#include "ops/rig.h"

#include <tern/moe.h>

#include "ranks.h"
#include "slices.h"

enum { M = 24, F = 8, EXPERTS = 4, HEADS = 4, DIM = M / HEADS, PROMPT = 6, ROWS_MOST = 4 };

typedef struct grid_row {
    int ep, tp;
    bool split, residual, einsum, drop, post, biases;
    int64_t k;
    const char *why;
} grid_row;

/* The first twelve are the grid of tests/unit/v1/moe/test_moe_tp.py: (ep, tp), whole or split
 * experts, a dense MLP beside them or none. */
static const grid_row grids[] = {
    { 1, 2, false, false, false, false, false, true, 1, "whole experts, half of their slots each" },
    { 1, 2, true, false, false, false, false, true, 1, "experts in halves" },
    { 1, 2, false, true, false, true, false, true, 1, "whole experts and a dense MLP" },
    { 1, 2, true, true, false, true, false, true, 1, "experts in halves and a dense MLP" },
    { 1, 4, false, false, false, false, false, true, 1, "four shares of slots" },
    { 1, 4, true, false, false, false, false, true, 1, "experts in quarters" },
    { 1, 4, false, true, false, true, false, true, 2, "four shares of slots, tokens dropped, a dense MLP beside" },
    { 1, 4, true, true, false, true, false, true, 2, "experts in quarters, and the same" },
    { 2, 2, false, false, false, true, false, true, 2, "a grid: experts of two rows, slots of two columns" },
    { 2, 2, true, false, false, true, false, true, 2, "a grid of expert halves" },
    { 2, 2, false, true, true, false, false, true, 3, "dense dispatch, three experts a token" },
    { 2, 2, true, true, true, false, true, true, 3, "the same split, post-norm" },
    { 2, 2, true, true, false, false, false, false, 2, "without biases" },
    { 4, 2, false, true, false, false, true, true, 2, "one expert a row" },
    { 2, 1, false, true, false, true, false, true, 2, "experts alone" },
};

static tern_tensor small(int rank, const int64_t *shape, uint64_t seed)
{
    tern_tensor t = rig_random(TERN_F32, rank, shape, seed);
    for (int64_t i = 0; i < tern_tensor_count(&t); i++) rig_put(&t, i, 0.3 * rig_get(&t, i));
    return t;
}

static void make_weights(const grid_row *g, tern_layer_weights *a, tern_moe_weights *w)
{
    *a = (tern_layer_weights){ .norm_w = small(RIG_SHAPE(M), 1),         .norm_b = small(RIG_SHAPE(M), 2),
                               .attn_qkvw = small(RIG_SHAPE(M, 3 * M), 3),
                               .attn_ow = small(RIG_SHAPE(M, M), 4),     .attn_nw = small(RIG_SHAPE(M), 5),
                               .attn_nb = small(RIG_SHAPE(M), 6) };
    *w = (tern_moe_weights){ .gate_w = small(RIG_SHAPE(EXPERTS, M), 10), .inter_w = small(RIG_SHAPE(EXPERTS, M, F), 11),
                             .output_w = small(RIG_SHAPE(EXPERTS, F, M), 12),
                             .mlp_inter_w = small(RIG_SHAPE(M, F), 13),  .mlp_output_w = small(RIG_SHAPE(F, M), 14),
                             .coefficient_w = small(RIG_SHAPE(2, M), 15) };
    if (!g->biases) return;
    a->attn_qkvb = small(RIG_SHAPE(3 * M), 7);
    a->attn_ob = small(RIG_SHAPE(M), 8);
    w->inter_b = small(RIG_SHAPE(EXPERTS, F), 16);
    w->output_b = small(RIG_SHAPE(EXPERTS, M), 17);
    w->mlp_inter_b = small(RIG_SHAPE(F), 18);
    w->mlp_output_b = small(RIG_SHAPE(M), 19);
    w->coefficient_b = small(RIG_SHAPE(2), 20);
}

static void free_weights(tern_layer_weights *a, tern_moe_weights *w)
{
    tern_tensor *const all[] = { &a->norm_w,  &a->norm_b,    &a->attn_qkvw, &a->attn_qkvb, &a->attn_ow,     &a->attn_ob,
                                 &a->attn_nw,      &a->attn_nb,       &w->gate_w,       &w->inter_w, &w->inter_b,
                                 &w->output_w,  &w->output_b,  &w->mlp_inter_w, &w->mlp_inter_b, &w->mlp_output_w,
                                 &w->mlp_output_b, &w->coefficient_w, &w->coefficient_b };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]->data);
}

/* Experts [row * n, (row + 1) * n) of t. */
static tern_tensor own_experts(const tern_tensor *t, int row, int ep)
{
    tern_tensor s = *t;
    s.shape[0] = EXPERTS / ep;
    if (t->data) s.data = (float *)t->data + row * s.shape[0] * t->stride[0];
    return s;
}

/* Each expert's column-th part of its inner dimension: the last axis of inter, the one before of
 * output. */
static tern_tensor part_of_experts(tern_ctx *ctx, const tern_tensor *t, bool columns, int column, int tp)
{
    int64_t n = t->shape[0], shape[3] = { n, t->shape[1], t->rank == 3 ? t->shape[2] : 0 };
    shape[columns ? t->rank - 1 : 1] /= tp;
    tern_tensor s = rig_new(TERN_F32, t->rank, shape);
    for (int64_t e = 0; e < n; e++) {
        tern_tensor one = tern_tensor_of((float *)t->data + e * t->stride[0], TERN_F32, t->rank - 1, t->shape + 1);
        tern_tensor part = columns ? slice_columns(ctx, &one, 1, column, tp) : slice_rows(ctx, &one, column, tp);
        memcpy((float *)s.data + e * s.stride[0], part.data, (size_t)tern_tensor_count(&part) * sizeof(float));
        free(part.data);
    }
    return s;
}

typedef struct job {
    const grid_row *g;
    tern_layer_weights a;
    tern_moe_weights w;
    /* each row's tokens, each rank's outputs: the prompt's and the step's */
    tern_tensor x[ROWS_MOST][2], y[RANKS_MOST][2];
    tern_status status[RANKS_MOST];
    char message[RANKS_MOST][200];
} job;

static tern_moe_config config_of(const grid_row *g, int ep, int tp)
{
    tern_moe_config c = tern_moe_config_default();
    c.layer.hidden_size = M;
    c.layer.intermediate_size = F;
    c.layer.heads = HEADS;
    c.layer.layer_norm_eps = 1e-5;
    c.layer.mp_size = tp;
    c.layer.pre_layer_norm = !g->post;
    c.global_experts = EXPERTS;
    c.moe_experts = EXPERTS / ep;
    c.k = g->k;
    c.eval_capacity_factor = 0.5;
    c.drop_tokens = g->drop;
    c.mlp_type = g->residual ? TERN_MLP_RESIDUAL : TERN_MLP_STANDARD;
    c.einsum_dispatch = g->einsum;
    c.enable_expert_tensor_parallelism = g->split && tp > 1;
    return c;
}

static tern_status run_layer(tern_ctx *ctx, const tern_moe_config *c, const tern_layer_weights *a,
                             const tern_moe_weights *w, const tern_moe_comm *comm, const tern_tensor *x,
                             const tern_tensor *y)
{
    tern_moe_layer *layer = NULL;
    tern_workspace *ws = NULL;
    tern_status st = tern_moe_layer_create(ctx, c, a, w, comm, &layer);
    if (!st) st = tern_workspace_create(ctx, &(tern_workspace_options){
        .n_layer = 1, .max_batch = 1, .n_kv_head = (int32_t)(HEADS / c->layer.mp_size), .key_dim = DIM,
        .max_tokens = PROMPT + 1 }, &ws);
    for (int call = 0; !st && call < 2; call++)
        st = tern_moe_layer_run(layer, &(tern_moe_layer_args){ .input = x[call], .workspace = ws, .output = y[call] });
    tern_moe_layer_free(layer);
    tern_workspace_free(ws);
    return st;
}

static void run_rank(tern_ctx *ctx, const tern_comm *row, const tern_comm *column, void *arg)
{
    job *j = arg;
    int tp = row->size, ep = column->size, t = row->rank, e = column->rank, at = e * tp + t;
    tern_layer_weights a = j->a;
    tern_moe_weights w = j->w;
    tern_moe_config c = config_of(j->g, ep, tp);
    tern_tensor own[10] = { 0 };
    size_t n = 0;
    a.attn_qkvw = own[n++] = slice_heads(ctx, &a.attn_qkvw, HEADS, HEADS, DIM, t, tp);
    a.attn_ow = own[n++] = slice_rows(ctx, &a.attn_ow, t, tp);
    w.mlp_inter_w = own[n++] = slice_columns(ctx, &w.mlp_inter_w, 1, t, tp);
    w.mlp_output_w = own[n++] = slice_rows(ctx, &w.mlp_output_w, t, tp);
    if (j->g->biases) a.attn_qkvb = own[n++] = slice_heads(ctx, &a.attn_qkvb, HEADS, HEADS, DIM, t, tp);
    if (j->g->biases) w.mlp_inter_b = own[n++] = slice_columns(ctx, &w.mlp_inter_b, 1, t, tp);
    tern_tensor *const mine[] = { &w.inter_w, &w.inter_b, &w.output_w, &w.output_b };
    for (size_t i = 0; i < 4; i++) *mine[i] = own_experts(mine[i], e, ep);
    if (c.enable_expert_tensor_parallelism) {
        w.inter_w = own[n++] = part_of_experts(ctx, &w.inter_w, true, t, tp);
        w.output_w = own[n++] = part_of_experts(ctx, &w.output_w, false, t, tp);
        if (j->g->biases) w.inter_b = own[n++] = part_of_experts(ctx, &w.inter_b, true, t, tp);
    }
    j->status[at] = run_layer(ctx, &c, &a, &w, &(tern_moe_comm){ .experts = column, .tensors = row }, j->x[e],
                              j->y[at]);
    snprintf(j->message[at], sizeof j->message[at], "%s", tern_ctx_error(ctx));
    for (size_t i = 0; i < n; i++) free(own[i].data);
}

/* All experts and whole tensors on one rank, with the tokens of one row. */
static void run_alone(job *j, int e, tern_tensor *y)
{
    tern_moe_config c = config_of(j->g, 1, 1);
    RIG_OK(run_layer(rig, &c, &j->a, &j->w, NULL, j->x[e], y));
}

static void check_grid(const grid_row *g)
{
    job j = { .g = g };
    int64_t n_tok[2] = { PROMPT, 1 };
    make_weights(g, &j.a, &j.w);
    for (int call = 0; call < 2; call++) {
        for (int e = 0; e < g->ep; e++)
            j.x[e][call] = rig_random(TERN_F32, RIG_SHAPE(1, n_tok[call], M), (uint64_t)(40 + 2 * e + call));
        for (int r = 0; r < g->ep * g->tp; r++) j.y[r][call] = rig_new(TERN_F32, RIG_SHAPE(1, n_tok[call], M));
    }
    assert_true(ranks_run_grid(g->ep, g->tp, run_rank, &j));
    for (int e = 0; e < g->ep; e++) {
        tern_tensor alone[2] = { rig_new(TERN_F32, RIG_SHAPE(1, PROMPT, M)), rig_new(TERN_F32, RIG_SHAPE(1, 1, M)) };
        run_alone(&j, e, alone);
        for (int t = 0; t < g->tp; t++) {
            int at = e * g->tp + t;
            if (j.status[at]) fail_msg("%s: %s", g->why, j.message[at]);
            for (int call = 0; call < 2; call++) {
                double want[PROMPT * M];
                int64_t n = tern_tensor_count(&alone[call]);
                for (int64_t i = 0; i < n; i++) want[i] = rig_get(&alone[call], i);
                rig_close(g->why, &j.y[at][call], want, 2e-5, 2e-5);
                /* ranks that share tensors have the same bits */
                assert_memory_equal(j.y[at][call].data, j.y[e * g->tp][call].data, (size_t)n * sizeof(float));
            }
        }
        free(alone[0].data);
        free(alone[1].data);
    }
    for (int call = 0; call < 2; call++) {
        for (int e = 0; e < g->ep; e++) free(j.x[e][call].data);
        for (int r = 0; r < g->ep * g->tp; r++) free(j.y[r][call].data);
    }
    free_weights(&j.a, &j.w);
}

static void test_grids(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) check_grid(&grids[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_grids) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
