/* The mixture of experts: gathered and dense dispatch agree with a plain sum, experts split over
 * ranks with one process, the layer with its parts. */
#include "ops/rig.h"

#include <tern/moe.h>

#include "ranks.h"

enum { M = 12, F = 10, E = 4, ROWS = 8 };

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static tern_moe_weights weights_of(tern_dtype t)
{
    return (tern_moe_weights){
        .gate_w = rig_random(t, RIG_SHAPE(E, M), 1), .inter_w = rig_random(t, RIG_SHAPE(E, M, F), 2),
        .inter_b = rig_random(t, RIG_SHAPE(E, F), 3), .output_w = rig_random(t, RIG_SHAPE(E, F, M), 4),
        .output_b = rig_random(t, RIG_SHAPE(E, M), 5), .mlp_inter_w = rig_random(t, RIG_SHAPE(M, F), 6),
        .mlp_inter_b = rig_random(t, RIG_SHAPE(F), 7), .mlp_output_w = rig_random(t, RIG_SHAPE(F, M), 8),
        .mlp_output_b = rig_random(t, RIG_SHAPE(M), 9), .coefficient_w = rig_random(t, RIG_SHAPE(2, M), 10),
        .coefficient_b = rig_random(t, RIG_SHAPE(2), 11),
    };
}

static tern_moe_weights make_weights(void)
{
    return weights_of(TERN_F32);
}

static void free_weights(tern_moe_weights *w)
{
    tern_tensor *const all[] = { &w->gate_w,      &w->inter_w,      &w->inter_b,      &w->output_w,      &w->output_b,
                                 &w->mlp_inter_w, &w->mlp_inter_b, &w->mlp_output_w, &w->mlp_output_b,
                                 &w->coefficient_w, &w->coefficient_b };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]->data);
}

static tern_moe_config make_config(int64_t k)
{
    tern_moe_config c = tern_moe_config_default();
    c.layer.hidden_size = M;
    c.global_experts = c.moe_experts = E;
    c.k = k;
    return c;
}

/* f(x . w1 + b1) . w2 + b2 */
static void mlp(const double *x, const tern_tensor *w1, const tern_tensor *b1, const tern_tensor *w2,
                const tern_tensor *b2, int64_t at, double *y)
{
    double h[F];
    for (int j = 0; j < F; j++) {
        h[j] = rig_get(b1, at * F + j);
        for (int i = 0; i < M; i++) h[j] += x[i] * rig_get(w1, (at * M + i) * F + j);
        h[j] = gelu(h[j]);
    }
    for (int i = 0; i < M; i++) {
        y[i] = rig_get(b2, at * M + i);
        for (int j = 0; j < F; j++) y[i] += h[j] * rig_get(w2, (at * F + j) * M + i);
    }
}

/* Nothing dropped: the k best experts by softmax, renormalized where k > 1. */
static void plain_sum(const tern_moe_weights *w, const double *x, int64_t k, bool residual, double *y)
{
    double p[E], sum = 0, used = 0, out[M];
    bool taken[E] = { false };
    for (int e = 0; e < E; e++) {
        double z = 0;
        for (int i = 0; i < M; i++) z += x[i] * rig_get(&w->gate_w, e * M + i);
        sum += p[e] = exp(z);
    }
    int chosen[E];
    for (int64_t j = 0; j < k; j++) {
        chosen[j] = -1;
        for (int e = 0; e < E; e++)
            if (!taken[e] && (chosen[j] < 0 || p[e] > p[chosen[j]])) chosen[j] = e;
        taken[chosen[j]] = true;
        used += p[chosen[j]];
    }
    for (int i = 0; i < M; i++) y[i] = 0;
    for (int64_t j = 0; j < k; j++) {
        mlp(x, &w->inter_w, &w->inter_b, &w->output_w, &w->output_b, chosen[j], out);
        for (int i = 0; i < M; i++) y[i] += out[i] * p[chosen[j]] / (k == 1 ? sum : used);
    }
    if (!residual) return;
    double z[2], top;
    for (int c = 0; c < 2; c++) {
        z[c] = rig_get(&w->coefficient_b, c);
        for (int i = 0; i < M; i++) z[c] += x[i] * rig_get(&w->coefficient_w, c * M + i);
    }
    top = 1 / (1 + exp(z[1] - z[0]));
    mlp(x, &w->mlp_inter_w, &w->mlp_inter_b, &w->mlp_output_w, &w->mlp_output_b, 0, out);
    for (int i = 0; i < M; i++) y[i] = y[i] * top + out[i] * (1 - top);
}

/* Results have magnitudes up to about 50, which hidden rows of T are rounded from. */
static void against_the_formula(size_t type)
{
    static const double tol[] = { 1e-4, 5e-2, 4e-1 };
    tern_dtype t = rig_types[type].t;
    tern_moe_weights w = weights_of(t);
    tern_tensor x = rig_random(t, RIG_SHAPE(2, ROWS / 2, M), 20), y = rig_new(t, RIG_SHAPE(2, ROWS / 2, M)),
        counts = rig_new(TERN_I64, RIG_SHAPE(E)), loss = rig_new(TERN_F32, RIG_SHAPE(1));
    for (int bits = 0; bits < 12; bits++) {
        tern_moe_config c = make_config(bits / 4 + 1);
        tern_moe *moe;
        double want[ROWS * M], row[M];
        c.mlp_type = bits & 1 ? TERN_MLP_RESIDUAL : TERN_MLP_STANDARD;
        c.einsum_dispatch = bits & 2;
        c.drop_tokens = false;
        c.layer.dtype = rig_types[type].config;
        for (int r = 0; r < ROWS; r++) {
            for (int i = 0; i < M; i++) row[i] = rig_get(&x, r * M + i);
            plain_sum(&w, row, c.k, bits & 1, want + r * M);
        }
        RIG_OK(tern_moe_create(rig, &c, &w, NULL, &moe));
        RIG_OK(tern_moe_run(moe, &(tern_moe_args){ .input = x, .output = y, .exp_counts = counts, .l_aux = loss }));
        rig_close(tern_dtype_name(t), &y, want, 0, tol[type]);
        double routes = 0;
        for (int e = 0; e < E; e++) routes += rig_get(&counts, e);
        assert_true(routes == (double)(ROWS * c.k));
        tern_moe_free(moe);
    }
    free_weights(&w);
    free(x.data);
    free(y.data);
    free(counts.data);
    free(loss.data);
}

static void test_against_the_formula(void **state)
{
    (void)state;
    for (size_t type = 0; type < sizeof rig_types / sizeof *rig_types; type++) against_the_formula(type);
}

/* Capacity drops tokens: gathered and dense dispatch drop the same ones, and a token without a
 * route gets 0. */
static void test_dropping_is_the_same_both_ways(void **state)
{
    tern_moe_weights w = make_weights();
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(ROWS, M), 20),
                y[2] = { rig_new(TERN_F32, RIG_SHAPE(ROWS, M)), rig_new(TERN_F32, RIG_SHAPE(ROWS, M)) };
    (void)state;
    for (int64_t k = 1; k < 4; k++) {
        double want[ROWS * M];
        int zero = 0;
        for (int dense = 0; dense < 2; dense++) {
            tern_moe_config c = make_config(k);
            tern_moe *moe;
            c.eval_capacity_factor = 0.25;
            c.einsum_dispatch = dense;
            RIG_OK(tern_moe_create(rig, &c, &w, NULL, &moe));
            RIG_OK(tern_moe_run(moe, &(tern_moe_args){ .input = x, .output = y[dense] }));
            tern_moe_free(moe);
        }
        for (int i = 0; i < ROWS * M; i++) want[i] = rig_get(&y[1], i);
        rig_close("gather and einsum", &y[0], want, 1e-5, 1e-5);
        for (int r = 0; r < ROWS; r++) zero += rig_get(&y[0], r * M) == 0;
        if (k == 1) assert_true(zero >= ROWS - E);    /* at most one token an expert */
    }
    free_weights(&w);
    free(x.data);
    free(y[0].data);
    free(y[1].data);
}

/* ---- Ranks ---- */

typedef struct rank_job {
    const tern_moe_weights *w;
    const tern_tensor *x;       /* of all ranks */
    tern_tensor *y;
    int64_t k;
    bool dense, drop;
    tern_status status[RANKS_MOST];
} rank_job;

static tern_tensor slice(const tern_tensor *t, int rank, int size)
{
    int64_t n = t->shape[0] / size;
    tern_tensor s = *t;
    s.shape[0] = n;
    s.data = (float *)t->data + rank * n * t->stride[0];
    return s;
}

/* Each rank has its own tokens, and its own of the experts. */
static void run_rank(tern_ctx *ctx, const tern_comm *comm, void *arg)
{
    rank_job *j = arg;
    tern_moe_weights w = *j->w;
    tern_moe_config c = make_config(j->k);
    tern_moe *moe;
    tern_tensor *const split[] = { &w.inter_w, &w.inter_b, &w.output_w, &w.output_b };
    for (size_t i = 0; i < 4; i++) *split[i] = slice(split[i], comm->rank, comm->size);
    c.moe_experts = E / comm->size;
    c.einsum_dispatch = j->dense;
    c.drop_tokens = j->drop;
    c.eval_capacity_factor = 0.5;
    j->status[comm->rank] = tern_moe_create(ctx, &c, &w, &(tern_moe_comm){ .experts = comm }, &moe);
    if (j->status[comm->rank]) return;
    j->status[comm->rank] = tern_moe_run(moe, &(tern_moe_args){
        .input = slice(j->x, comm->rank, comm->size), .output = slice(j->y, comm->rank, comm->size) });
    tern_moe_free(moe);
}

static void test_expert_ranks(void **state)
{
    tern_moe_weights w = make_weights();
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(4 * ROWS, M), 21), y = rig_new(TERN_F32, RIG_SHAPE(4 * ROWS, M)),
                one = rig_new(TERN_F32, RIG_SHAPE(4 * ROWS, M));
    (void)state;
    for (int bits = 0; bits < 12; bits++)
        for (int size = 1; size <= 4; size *= 2) {
            rank_job j = { .w = &w, .x = &x, .y = &y, .k = bits / 4 + 1, .dense = bits & 1, .drop = bits & 2 };
            assert_true(ranks_run(size, run_rank, &j));
            for (int r = 0; r < size; r++) assert_int_equal(j.status[r], TERN_OK);
            /* The same without ranks: each rank's tokens go through all experts by themselves, with
             * that rank's own capacity. */
            for (int r = 0; r < size; r++) {
                tern_moe_config c = make_config(j.k);
                tern_moe *moe;
                c.drop_tokens = j.drop;
                c.eval_capacity_factor = 0.5;
                RIG_OK(tern_moe_create(rig, &c, &w, NULL, &moe));
                RIG_OK(tern_moe_run(moe,
                                    &(tern_moe_args){ .input = slice(&x, r, size), .output = slice(&one, r, size) }));
                tern_moe_free(moe);
            }
            double want[4 * ROWS * M];
            for (int i = 0; i < 4 * ROWS * M; i++) want[i] = rig_get(&one, i);
            rig_close("expert ranks", &y, want, 1e-5, 1e-5);
        }
    free_weights(&w);
    free(x.data);
    free(y.data);
    free(one.data);
}

/* ---- The layer ---- */

/* y = r + moe(n(r)), r = x + attention + bias: with zero attention weights r is x + bo, and the
 * layer's input is there. */
static void test_layer_adds_its_input(void **state)
{
    tern_moe_weights w = make_weights();
    tern_moe_config c = make_config(2);
    tern_tensor ones = rig_new(TERN_F32, RIG_SHAPE(M)), zeros = rig_new(TERN_F32, RIG_SHAPE(M)),
        qkvw = rig_new(TERN_F32, RIG_SHAPE(M, 3 * M)), ow = rig_new(TERN_F32, RIG_SHAPE(M, M)),
        ob = rig_random(TERN_F32, RIG_SHAPE(M), 30);
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(1, ROWS, M), 31), y = rig_new(TERN_F32, RIG_SHAPE(1, ROWS, M)),
                counts = rig_new(TERN_I64, RIG_SHAPE(E));
    tern_layer_weights a = { .norm_w = ones, .norm_b = zeros, .attn_qkvw = qkvw, .attn_ow = ow, .attn_ob = ob,
                             .attn_nw = ones, .attn_nb = zeros };
    tern_moe_layer *layer;
    tern_workspace *ws;
    (void)state;
    for (int i = 0; i < M; i++) rig_put(&ones, i, 1);
    c.layer.heads = 3;
    c.layer.layer_norm_eps = 1e-5;
    c.drop_tokens = false;
    for (int post = 0; post < 2; post++) {
        double want[ROWS * M];
        c.layer.pre_layer_norm = !post;
        for (int r = 0; r < ROWS; r++) {
            double sum[M], n[M], mean = 0, var = 0;
            for (int i = 0; i < M; i++) mean += (sum[i] = rig_get(&x, r * M + i) + rig_get(&ob, i)) / M;
            for (int i = 0; i < M; i++) var += (sum[i] - mean) * (sum[i] - mean) / M;
            for (int i = 0; i < M; i++) n[i] = (sum[i] - mean) / sqrt(var + 1e-5);
            plain_sum(&w, n, 2, false, want + r * M);
            for (int i = 0; i < M; i++) want[r * M + i] += sum[i];
            if (!post) continue;
            mean = var = 0;
            for (int i = 0; i < M; i++) mean += want[r * M + i] / M;
            for (int i = 0; i < M; i++) var += (want[r * M + i] - mean) * (want[r * M + i] - mean) / M;
            for (int i = 0; i < M; i++) want[r * M + i] = (want[r * M + i] - mean) / sqrt(var + 1e-5);
        }
        RIG_OK(tern_workspace_create(rig, &(tern_workspace_options){
            .n_layer = 1, .max_batch = 1, .n_kv_head = 3, .key_dim = M / 3, .max_tokens = 16 }, &ws));
        RIG_OK(tern_moe_layer_create(rig, &c, &a, &w, NULL, &layer));
        RIG_OK(tern_moe_layer_run(layer, &(tern_moe_layer_args){ .input = x, .workspace = ws, .output = y,
                                                                 .exp_counts = counts }));
        rig_close(post ? "post-norm" : "pre-norm", &y, want, 1e-4, 1e-4);
        assert_int_equal(tern_workspace_tokens(ws, 0, 0), ROWS);
        tern_moe_layer_free(layer);
        tern_workspace_free(ws);
    }
    free_weights(&w);
    free(ones.data);
    free(zeros.data);
    free(qkvw.data);
    free(ow.data);
    free(ob.data);
    free(x.data);
    free(y.data);
    free(counts.data);
}

/* ---- Training, and refusals ---- */

static void test_training_has_its_own_factor_and_noise(void **state)
{
    tern_moe_weights w = make_weights();
    tern_moe_config c = make_config(1);
    tern_moe *moe;
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(ROWS, M), 20), a = rig_new(TERN_F32, RIG_SHAPE(ROWS, M)),
                b = rig_new(TERN_F32, RIG_SHAPE(ROWS, M)), loss[3];
    (void)state;
    for (int i = 0; i < 3; i++) loss[i] = rig_new(TERN_F32, RIG_SHAPE(1));
    c.eval_capacity_factor = 4;
    c.capacity_factor = 0.25;
    c.noisy_gate_policy = TERN_NOISE_JITTER;
    RIG_OK(tern_moe_create(rig, &c, &w, NULL, &moe));
    RIG_OK(tern_moe_run(moe, &(tern_moe_args){ .input = x, .output = a, .l_aux = loss[0] }));
    RIG_OK(tern_moe_run(moe,
                        &(tern_moe_args){ .input = x, .output = b, .l_aux = loss[1], .training = true, .seed = 1 }));
    assert_memory_not_equal(a.data, b.data, ROWS * M * sizeof(float));
    RIG_OK(tern_moe_run(moe,
                        &(tern_moe_args){ .input = x, .output = b, .l_aux = loss[2], .training = true, .seed = 2 }));
    assert_true(rig_get(&loss[1], 0) != rig_get(&loss[2], 0));
    assert_true(fabs(rig_get(&loss[0], 0) - rig_get(&loss[1], 0)) < 0.3);
    tern_moe_free(moe);
    free_weights(&w);
    free(x.data);
    free(a.data);
    free(b.data);
    for (int i = 0; i < 3; i++) free(loss[i].data);
}

static void test_refusals(void **state)
{
    tern_moe_weights w = make_weights(), none = { 0 };
    tern_moe_config c = make_config(1);
    tern_moe *moe;
    tern_moe_layer *layer;
    tern_tensor x = rig_random(TERN_F32, RIG_SHAPE(ROWS, M), 20),
        narrow = rig_random(TERN_F32, RIG_SHAPE(ROWS, M - 1), 20), y = rig_new(TERN_F32, RIG_SHAPE(ROWS, M)),
        used = rig_new(TERN_I64, RIG_SHAPE(ROWS));
    (void)state;
#define REFUSED(call, status, message) \
    do { \
        assert_int_equal(call, status); \
        if (!rig_has_parts(tern_ctx_error(rig), message)) \
            fail_msg("\"%s\" has not all of %s", tern_ctx_error(rig), message); \
    } while (0)
    REFUSED(tern_moe_create(rig, &c, &none, NULL, &moe), TERN_ERR_ARGUMENT, "moe|gate_w|missing");
    c.moe_experts = 2;
    REFUSED(tern_moe_create(rig, &c, &w, NULL, &moe), TERN_ERR_ARGUMENT,
            "moe|global_experts 4|moe_experts 2|2 ranks|1");
    c = make_config(1);
    c.global_experts = c.moe_experts = 5;
    REFUSED(tern_moe_create(rig, &c, &w, NULL, &moe), TERN_ERR_SHAPE, "moe|gate_w|4|5");
    c = make_config(1);
    c.layer.hidden_size = 0;
    REFUSED(tern_moe_create(rig, &c, &w, NULL, &moe), TERN_ERR_ARGUMENT, "moe|hidden_size|0");
    c = make_config(2);
    RIG_OK(tern_moe_create(rig, &c, &w, NULL, &moe));
    REFUSED(tern_moe_run(moe, &(tern_moe_args){ .input = narrow, .output = y }), TERN_ERR_SHAPE, "moe|input|11|12");
    REFUSED(tern_moe_run(moe, &(tern_moe_args){ .input = x }), TERN_ERR_ARGUMENT, "moe|output|missing");
    REFUSED(tern_moe_run(moe, &(tern_moe_args){ .input = x, .output = y, .used_token = used }), TERN_ERR_UNSUPPORTED,
            "moe|used_token|2");
    tern_moe_free(moe);
    c.layer.heads = 3;
    REFUSED(tern_moe_layer_create(rig, &c, &(tern_layer_weights){ 0 }, &w, NULL, &layer), TERN_ERR_ARGUMENT,
            "moe layer|attn_nw|missing");
    c.layer.mp_size = 3;
    REFUSED(tern_moe_create(rig, &c, &w, NULL, &moe), TERN_ERR_ARGUMENT, "moe|mp_size is 3|1 ranks");
    free_weights(&w);
    free(x.data);
    free(narrow.data);
    free(y.data);
    free(used.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_formula),
        cmocka_unit_test(test_dropping_is_the_same_both_ways),
        cmocka_unit_test(test_expert_ranks),
        cmocka_unit_test(test_layer_adds_its_input),
        cmocka_unit_test(test_training_has_its_own_factor_and_noise),
        cmocka_unit_test(test_refusals),
    };
    RIG_ON_EVERY_ISA(tests);
}
