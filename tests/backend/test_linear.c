/* FastGen's tests of its linear layers, rebuilt for the matmul primitive
 * (tests/unit/inference/v2/kernels/core_ops/test_blas_linear, modules/test_blas_linear_module):
 * large products in f16 and bf16, weights stored either way, activations and biases. All outputs
 * are computed, and some of them compared with a sum in double. Weights are matrices whose rows
 * overlap in memory: each row its own, without the memory of all. */
#include "backend/rig.h"

typedef struct product {
    int64_t n_row, in, out;
    tern_dtype type;
    bool transposed_in, gated, biased;
    tern_act act;
    const char *why;
} product;

enum { STEP = 24 };    /* elements from one stored row to the next */

static void check(tern_ctx *ctx, const product *p)
{
    int64_t stored = p->transposed_in ? p->in : p->out, wide = p->transposed_in ? p->out : p->in,
        n_part = p->gated ? 2 : 1;
    size_t n_weight = (size_t)((stored - 1) * STEP + wide), n_x = (size_t)(p->n_row * p->in);
    float *value = rig_floats(n_weight + STEP / 2, 0.02f), *x = rig_floats(n_x, 1),
        *bias = rig_floats((size_t)(n_part * p->out), 1);
    float *y = malloc((size_t)(p->n_row * p->out) * sizeof *y);
    char *w = malloc((n_weight + STEP / 2) * sizeof(uint16_t));
    rig_store(w, p->type, value, n_weight + STEP / 2);
    for (size_t i = 0; i < n_x; i++) x[i] = (float)rig_round(p->type, x[i]);
    tern_matmul m = { .x = x, .ldx = p->in, .n_row = p->n_row, .n_part = (int)n_part, .act = p->act, .gated = p->gated,
                      .round = p->type };
    for (int64_t part = 0; part < n_part; part++)    /* the value's weight begins half a step behind the gate's */
        m.part[part] = (tern_matmul_part){ .w = { .data = w + part * (STEP / 2) * 2, .dtype = p->type, .transposed_in =
            p->transposed_in, .out = p->out, .in = p->in, .ld = STEP },
                                           .bias = p->biased ? bias + part * p->out : NULL, .y = part ? NULL : y,
                                           .ldy = p->out };
    assert_int_equal(ctx->backend->matmul(ctx, &m), TERN_OK);
    double rtol = p->type == TERN_F16 ? 3e-2 : 4.8e-1, atol = p->type == TERN_F16 ? 2e-3 : 3.2e-2;
    for (int sample = 0; sample < 40; sample++) {    /* the corners, and others */
        int64_t i = sample < 4 ? sample / 2 * (p->n_row - 1) : rig_below(p->n_row),
            j = sample < 4 ? sample % 2 * (p->out - 1) : rig_below(p->out);
        double part[2] = { 0, 1 };
        for (int64_t g = 0; g < n_part; g++) {
            double sum = p->biased ? bias[g * p->out + j] : 0;
            for (int64_t k = 0; k < p->in; k++)
                sum += (double)x[i * p->in + k] *
                       rig_round(p->type, value[(p->transposed_in ? k * STEP + j : j * STEP + k) + g * (STEP / 2)]);
            part[g] = g ? sum : rig_act(p->act, sum);
        }
        double want = part[0] * part[1];
        rig_near(ctx, p->why, (size_t)(i * p->out + j), y[i * p->out + j], want, atol + rtol * fabs(want));
    }
    free(value);
    free(x);
    free(bias);
    free(y);
    free(w);
}

/* Two threads of the machine's best instruction set; the shapes of test_matmul.c run on all. */
static tern_ctx *best(void)
{
    tern_ctx *ctx = rig_ctx[rig_n - 1];
    for (int i = 0; i < rig_n; i++)
        if (tern_ctx_threads(rig_ctx[i]) == 2) ctx = rig_ctx[i];
    return ctx;
}

static bool too_large(const product *p)
{
    return SANITIZED && p->n_row * p->in * p->out > (int64_t)1 << 30;
}

static void test_blas_linear(void **state)
{
    static const product rows[] = {
        { 1, 1024, 1024, .why = "one token" },
        { 1024, 1024, 1024, .why = "1024 tokens" },
        { 2048, 1024, 1024, .why = "two sequences of 1024 tokens" },
        { 128, 768, 3072, .why = "GPT-2's first" },
        { 128, 3072, 768, .why = "GPT-2's second" },
        { 13, 32768, 8192, .why = "13 tokens, a sum of 32768" },
    };
    static const product large[] = {
        { 1024, 8192, 8192, TERN_F16, false, .why = "8192 square" },
        { 61, 8192, 8192, TERN_BF16, true, .why = "8192 square, stored [in, out]" },
        { 733, 8192, 32768, TERN_BF16, false, .why = "733 tokens, 32768 outputs" },
        { 61, 8192, 32768, TERN_F16, true, .why = "32768 outputs, stored [in, out]" },
    };
    (void)state;
    rig_seed = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int form = 0; form < 4; form++) {
            product p = rows[i];
            p.type = form % 2 ? TERN_BF16 : TERN_F16;
            p.transposed_in = form / 2;
            if (!too_large(&p)) check(best(), &p);
        }
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        if (!too_large(&large[i])) check(best(), &large[i]);
}

/* Six activations, three of them gated, with a bias and without. */
static void test_linear_module(void **state)
{
    static const struct { tern_act act; bool gated; } acts[] = {
        { ACT_NONE, false }, { ACT_RELU, false }, { ACT_GELU_TANH, false }, { ACT_SILU, false }, { ACT_SILU, true },
        { ACT_GELU_TANH, true }, { ACT_RELU, true },
    };
    static const int64_t sizes[][3] = { { 1, 4608, 1728 }, { 37, 8192, 4096 }, { 1280, 3072, 6144 } };
    (void)state;
    rig_seed = 2;
    for (size_t s = 0; s < 3; s++)
        for (size_t a = 0; a < sizeof acts / sizeof *acts; a++)
            for (int biased = 0; biased < 2; biased++) {
                product p = { sizes[s][0], sizes[s][1], sizes[s][2], (a + (size_t)biased) % 2 ? TERN_BF16 : TERN_F16,
                              .gated = acts[a].gated, .biased = biased, .act = acts[a].act,
                              .why = "a linear module" };
                /* of the largest, every activation once, two of them with a bias */
                if (s == 2 && biased != (a == 2 || a == 4)) continue;
                if (s == 2 && !biased) p.n_row = 128;
                if (!too_large(&p)) check(best(), &p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_blas_linear), cmocka_unit_test(test_linear_module) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
