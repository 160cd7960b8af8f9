/* FastGen's tests of its mixture-of-experts module, rebuilt
 * (tests/unit/inference/v2/modules/test_cutlass_moe): numbers of experts, widths, activations and
 * successive calls through tern_moe, and Mixtral's two best experts through the mixture that model
 * families have. Also which calls between ranks it makes. */
#include "ops/rig.h"

#include <tern/moe.h>

#include "backend/backend.h"
#include "layers/layers.h"
#include "ranks.h"

static double act(tern_activation_type type, double x)
{
    if (type == TERN_ACT_RELU) return x > 0 ? x : 0;
    if (type == TERN_ACT_SILU || type == TERN_ACT_GATED_SILU) return x / (1 + exp(-x));
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

typedef struct mixture {
    int64_t n_expert, dim, ffn;
    tern_activation_type act;
    size_t type;
    tern_moe_weights w;
} mixture;

static void make(mixture *m)
{
    tern_dtype t = rig_types[m->type].t;
    int64_t wide = m->act == TERN_ACT_GATED_SILU ? 2 * m->ffn : m->ffn;
    m->w = (tern_moe_weights){
        .gate_w = rig_tiled(TERN_F32, RIG_SHAPE(m->n_expert, m->dim), 1),
        .inter_w = rig_tiled(t, RIG_SHAPE(m->n_expert, m->dim, wide), 2),
        .inter_b = rig_tiled(t, RIG_SHAPE(m->n_expert, wide), 3),
        .output_w = rig_tiled(t, RIG_SHAPE(m->n_expert, m->ffn, m->dim), 4) };
    for (int64_t i = 0; i < tern_tensor_count(&m->w.gate_w); i++)
        rig_put(&m->w.gate_w, i, 0.1 * rig_get(&m->w.gate_w, i));
    for (int64_t i = 0; i < m->n_expert * wide; i++)
        rig_put(&m->w.inter_b, i, rig_get(&m->w.inter_b, i) / sqrt((double)m->ffn));
}

static void unmake(mixture *m)
{
    free(m->w.gate_w.data);
    free(m->w.inter_w.data);
    free(m->w.inter_b.data);
    free(m->w.output_w.data);
}

static tern_moe *create(const mixture *m)
{
    tern_moe_config c = tern_moe_config_default();
    tern_moe *moe;
    c.layer.dtype = rig_types[m->type].config;
    c.layer.hidden_size = m->dim;
    c.layer.mlp_act_func_type = m->act;
    c.global_experts = c.moe_experts = m->n_expert;
    c.drop_tokens = false;
    RIG_OK(tern_moe_create(rig, &c, &m->w, NULL, &moe));
    return moe;
}

/* The best expert by logits, weighed by its probability among all. */
static void expect(const mixture *m, const tern_tensor *x, int64_t row, double *y)
{
    bool gated = m->act == TERN_ACT_GATED_SILU;
    int64_t best = 0, wide = gated ? 2 * m->ffn : m->ffn;
    double *z = calloc((size_t)m->n_expert, sizeof *z), *h = calloc((size_t)wide, sizeof *h), sum = 0;
    for (int64_t e = 0; e < m->n_expert; e++) {
        for (int64_t i = 0; i < m->dim; i++)
            z[e] += rig_get(x, row * m->dim + i) * rig_get(&m->w.gate_w, e * m->dim + i);
        if (z[e] > z[best]) best = e;
    }
    for (int64_t e = 0; e < m->n_expert; e++) sum += exp(z[e] - z[best]);
    for (int64_t j = 0; j < wide; j++) h[j] = rig_get(&m->w.inter_b, best * wide + j);
    for (int64_t i = 0; i < m->dim; i++) {
        double v = rig_get(x, row * m->dim + i);
        for (int64_t j = 0; j < wide; j++) h[j] += v * rig_get(&m->w.inter_w, (best * m->dim + i) * wide + j);
    }
    for (int64_t j = 0; j < m->ffn; j++) h[j] = gated ? h[j] * act(m->act, h[m->ffn + j]) : act(m->act, h[j]);
    for (int64_t i = 0; i < m->dim; i++) y[i] = 0;
    for (int64_t j = 0; j < m->ffn; j++)
        for (int64_t i = 0; i < m->dim; i++)
            y[i] += h[j] * rig_get(&m->w.output_w, (best * m->ffn + j) * m->dim + i) / sum;
    free(z);
    free(h);
}

static void run(tern_moe *moe, const tern_tensor *x, tern_tensor *y)
{
    RIG_OK(tern_moe_run(moe, &(tern_moe_args){ .input = *x, .output = *y }));
}

/* Compares some rows. */
static void check_rows(const mixture *m, const tern_tensor *x, const tern_tensor *y, int64_t n_sample)
{
    double *want = calloc((size_t)m->dim, sizeof *want), tolerance = m->type == 2 ? 1e-1 : 1e-2;
    for (int64_t k = 0; k < rig_samples(x->shape[0]); k += (rig_samples(x->shape[0]) + n_sample - 1) / n_sample) {
        int64_t row = rig_sample(x->shape[0], k);
        expect(m, x, row, want);
        rig_close_row("a token's expert", y, row, want, tolerance, tolerance);
    }
    free(want);
}

/* Small ones, so that sums of thousands of products stay of the size of one. */
static tern_tensor tokens(const mixture *m, int64_t n, uint64_t seed)
{
    tern_tensor x = rig_tiled(rig_types[m->type].t, RIG_SHAPE(n, m->dim), seed);
    double size = 1 / sqrt((double)m->dim * (double)m->ffn);
    for (int64_t i = 0; i < n * m->dim; i++) rig_put(&x, i, size * rig_get(&x, i));
    return x;
}

static void test_experts_and_activations(void **state)
{
    static const int64_t experts[] = { 2, 32, 64 };
    static const tern_activation_type acts[] = { TERN_ACT_GELU, TERN_ACT_RELU, TERN_ACT_SILU, TERN_ACT_GATED_SILU };
    (void)state;
    for (size_t form = 0; form < 2 * 3 * 4; form++) {
        mixture m = { .n_expert = experts[form / 2 % 3], .dim = 64, .ffn = 48, .act = acts[form / 6],
                      .type = 1 + form % 2 };
        make(&m);
        tern_tensor x = rig_tiled(rig_types[m.type].t, RIG_SHAPE(37, m.dim), 9),
            y = rig_new(rig_types[m.type].t, RIG_SHAPE(37, m.dim));
        for (int64_t i = 0; i < 37 * m.dim; i++) rig_put(&x, i, 0.1 * rig_get(&x, i));
        tern_moe *moe = create(&m);
        run(moe, &x, &y);
        check_rows(&m, &x, &y, 12);
        tern_moe_free(moe);
        unmake(&m);
        free(x.data);
        free(y.data);
    }
}

static void test_widths(void **state)
{
    static const int64_t widths[][2] = { { 4096, 2048 }, { 2048, 8192 }, { 6144, 3072 } };
    (void)state;
    for (size_t i = 0; i < 3 && rig_is_best() && !SANITIZED; i++) {
        enum { TOKENS = 876 };
        mixture m = { .n_expert = 2, .dim = widths[i][0], .ffn = widths[i][1],
                      .act = i % 2 ? TERN_ACT_RELU : TERN_ACT_GELU, .type = 1 + i % 2 };
        make(&m);
        tern_tensor x = tokens(&m, TOKENS, 5), y = rig_new(rig_types[m.type].t, RIG_SHAPE(TOKENS, m.dim));
        tern_moe *moe = create(&m);
        run(moe, &x, &y);
        check_rows(&m, &x, &y, 3);
        tern_moe_free(moe);
        unmake(&m);
        free(x.data);
        free(y.data);
    }
}

/* One object, more and fewer tokens: each call gives what a new object gives, to the bit. */
static void test_successive_calls(void **state)
{
    static const int64_t calls[] = { 64, 1, 128, 17, 128, 2 };
    mixture m = { .n_expert = 32, .dim = 64, .ffn = 48, .act = TERN_ACT_GELU, .type = 1 };
    (void)state;
    make(&m);
    tern_moe *moe = create(&m);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        tern_tensor x = rig_tiled(TERN_F16, RIG_SHAPE(calls[i], m.dim), 20 + i),
            y = rig_new(TERN_F16, RIG_SHAPE(calls[i], m.dim)), again = rig_new(TERN_F16, RIG_SHAPE(calls[i], m.dim));
        tern_moe *fresh = create(&m);
        run(moe, &x, &y);
        run(fresh, &x, &again);
        assert_memory_equal(y.data, again.data, (size_t)(calls[i] * m.dim) * 2);
        tern_moe_free(fresh);
        free(x.data);
        free(y.data);
        free(again.data);
    }
    tern_moe_free(moe);
    unmake(&m);
}

/* ---- Mixtral: gated experts, the two best, their probabilities divided by their sum ---- */

enum { N_EXPERT = 8, STEP = 40 };

/* A matrix whose rows begin STEP elements after each other: large, and small in memory. */
static tern_tensor view(const tern_tensor *base, int64_t first, int64_t rows, int64_t columns)
{
    tern_tensor t = tern_tensor_of((uint16_t *)base->data + first, base->dtype, RIG_SHAPE(rows, columns));
    t.stride[0] = STEP;
    return t;
}

static double dot(const tern_tensor *w, int64_t row, const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * rig_get(w, row * STEP + i);
    return sum;
}

static void check_mixtral(int64_t n, int64_t dim, int64_t ffn, tern_dtype type)
{
    tern_expert expert[N_EXPERT] = { 0 };
    tern_tensor base = rig_tiled(type, RIG_SHAPE(STEP * (dim > ffn ? dim : ffn) + 64 * N_EXPERT + dim + ffn), 3),
        router = rig_tiled(TERN_F32, RIG_SHAPE(N_EXPERT, dim), 4), x = rig_tiled(TERN_F32, RIG_SHAPE(n, dim), 5),
        y = rig_new(TERN_F32, RIG_SHAPE(n, dim));
    double scale = 1 / sqrt((double)dim), *row = calloc((size_t)dim, sizeof *row), *h = calloc((size_t)ffn, sizeof *h),
        *want = calloc((size_t)dim, sizeof *want);
    for (int64_t i = 0; i < tern_tensor_count(&base); i++) rig_put(&base, i, scale * rig_get(&base, i));
    for (int64_t i = 0; i < N_EXPERT * dim; i++) rig_put(&router, i, scale * rig_get(&router, i));
    for (int e = 0; e < N_EXPERT; e++) {
        expert[e].gate = view(&base, 64 * e, ffn, dim);
        expert[e].up = view(&base, 64 * e + 17, ffn, dim);
        expert[e].down = view(&base, 64 * e + 31, dim, ffn);
    }
    tern_experts *experts;
    RIG_OK(tern_experts_create(rig, &(tern_experts_options){
        .n_expert = N_EXPERT, .k = 2, .n_group = 1, .n_group_used = 1, .score = ROUTE_SOFTMAX, .normalize = true,
        .scale = 1, .act = ACT_SILU, .router = router, .expert = expert }, &experts));
    RIG_OK(tern_experts_run(rig, experts, &x, &y));
    for (int64_t s = 0; s < rig_samples(n); s += dim > 1000 ? 4 : 1) {
        int64_t at = rig_sample(n, s), best[2] = { -1, -1 };
        double z[N_EXPERT];
        for (int64_t i = 0; i < dim; i++) {
            row[i] = rig_get(&x, at * dim + i);
            want[i] = 0;
        }
        for (int e = 0; e < N_EXPERT; e++) {
            z[e] = 0;
            for (int64_t i = 0; i < dim; i++) z[e] += row[i] * rig_get(&router, e * dim + i);
        }
        for (int j = 0; j < 2; j++)
            for (int e = 0; e < N_EXPERT; e++)
                if (e != best[0] && (best[j] < 0 || z[e] > z[best[j]])) best[j] = e;
        for (int j = 0; j < 2; j++) {
            const tern_expert *e = &expert[best[j]];
            double weight = exp(z[best[j]]) / (exp(z[best[0]]) + exp(z[best[1]]));
            for (int64_t i = 0; i < ffn; i++)
                h[i] = act(TERN_ACT_SILU, dot(&e->gate, i, row, dim)) * dot(&e->up, i, row, dim);
            for (int64_t i = 0; i < dim; i++) want[i] += weight * dot(&e->down, i, h, ffn);
        }
        rig_close_row("Mixtral", &y, at, want, 5e-2, 5e-2);
    }
    tern_experts_free(experts);
    free(base.data);
    free(router.data);
    free(x.data);
    free(y.data);
    free(row);
    free(h);
    free(want);
}

static void test_mixtral(void **state)
{
    (void)state;
    check_mixtral(76, 128, 256, TERN_BF16);
    check_mixtral(1, 128, 256, TERN_F16);
    if (rig_is_best() && !SANITIZED) check_mixtral(16, 4096, 14336, TERN_BF16);
}

/* ---- What ranks say to each other: tests/unit/v1/moe/test_moe.py has the capacity agreed on
 * once, by the largest, and only where there are ranks ---- */

typedef struct counted {
    const tern_comm *comm;
    int n_gather, n_exchange, n_other;
    size_t gathered, exchanged;    /* numbers of the last call of each kind */
    float largest;
} counted;

static tern_status count_gather(void *self, tern_ctx *ctx, const float *in, float *out, size_t n)
{
    counted *c = self;
    tern_status st = c->comm->all_gather(c->comm->self, ctx, in, out, n);
    c->n_gather++;
    c->gathered = n;
    for (int r = 0; r < c->comm->size; r++) c->largest = fmaxf(c->largest, out[r]);
    return st;
}

static tern_status count_exchange(void *self, tern_ctx *ctx, const float *in, float *out, size_t n)
{
    counted *c = self;
    c->n_exchange++;
    c->exchanged = n;
    return c->comm->all_to_all(c->comm->self, ctx, in, out, n);
}

static tern_status count_reduce(void *self, tern_ctx *ctx, float *data, size_t n)
{
    counted *c = self;
    c->n_other++;
    return c->comm->all_reduce(c->comm->self, ctx, data, n);
}

typedef struct capacity_job {
    const mixture *m;
    counted calls[RANKS_MOST];
    int64_t fullest[RANKS_MOST];
    tern_status status[RANKS_MOST];
} capacity_job;

/* Rank r has copies of one token, so many of them that its fullest expert has 3 + r. */
static void run_rank(tern_ctx *ctx, const tern_comm *comm, void *arg)
{
    capacity_job *j = arg;
    const mixture *m = j->m;
    tern_moe_config c = tern_moe_config_default();
    tern_moe_weights w = m->w;
    tern_moe *moe;
    counted *calls = &j->calls[comm->rank];
    tern_comm counting = { comm->rank, comm->size, calls, count_reduce, count_gather, count_exchange, NULL };
    int64_t own = m->n_expert / comm->size, n = 6;
    tern_tensor x = rig_new(TERN_F32, RIG_SHAPE(n, m->dim)), y = rig_new(TERN_F32, RIG_SHAPE(n, m->dim)),
        counts = rig_new(TERN_I64, RIG_SHAPE(m->n_expert));
    calls->comm = comm;
    /* three tokens and the rank's number of the first kind, the others of kinds of their own */
    for (int64_t t = 0; t < n; t++)
        for (int64_t i = 0; i < m->dim; i++)
            rig_put(&x, t * m->dim + i, rig_get(&m->w.gate_w, (t < 3 + comm->rank ? 0 : t) * m->dim + i));
    c.layer.dtype = TERN_DTYPE_FP32;
    c.layer.hidden_size = m->dim;
    c.global_experts = m->n_expert;
    c.moe_experts = own;
    c.drop_tokens = false;
    w.inter_w.shape[0] = w.inter_b.shape[0] = w.output_w.shape[0] = own;
    j->status[comm->rank] = tern_moe_create(ctx, &c, &w, &(tern_moe_comm){ .experts = &counting }, &moe);
    if (j->status[comm->rank]) return;
    j->status[comm->rank] = tern_moe_run(moe, &(tern_moe_args){ .input = x, .output = y, .exp_counts = counts });
    for (int64_t e = 0; e < m->n_expert; e++)
        if (rig_get(&counts, e) > (double)j->fullest[comm->rank]) j->fullest[comm->rank] = (int64_t)rig_get(&counts, e);
    tern_moe_free(moe);
    free(x.data);
    free(y.data);
    free(counts.data);
}

static void test_capacity_is_agreed_on_once(void **state)
{
    mixture m = { .n_expert = 8, .dim = 16, .ffn = 12, .act = TERN_ACT_GELU, .type = 0 };
    (void)state;
    make(&m);
    for (int size = 1; size <= 4; size *= 2) {
        capacity_job j = { .m = &m };
        assert_true(ranks_run(size, run_rank, &j));
        int64_t fullest = 0;
        for (int r = 0; r < size; r++) {
            assert_int_equal(j.status[r], TERN_OK);
            fullest = j.fullest[r] > fullest ? j.fullest[r] : fullest;
        }
        for (int r = 0; r < size; r++) {
            assert_int_equal(j.calls[r].n_gather, size > 1);
            assert_int_equal(j.calls[r].n_exchange, size > 1 ? 2 : 0);
            assert_int_equal(j.calls[r].n_other, 0);
            if (size == 1) continue;
            assert_int_equal(j.calls[r].gathered, 1);
            assert_int_equal((int64_t)j.calls[r].largest, fullest);
            /* each rank's experts, as many slots as the fullest has */
            assert_int_equal(j.calls[r].exchanged, m.n_expert / size * fullest * m.dim);
        }
        if (size > 1) assert_true(j.fullest[0] < j.fullest[size - 1]);
    }
    unmake(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_experts_and_activations), cmocka_unit_test(test_widths),
        cmocka_unit_test(test_successive_calls),
        cmocka_unit_test(test_mixtral),                 cmocka_unit_test(test_capacity_is_agreed_on_once),
    };
    RIG_ON_EVERY_ISA(tests);
}
