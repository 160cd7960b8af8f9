/* A host that rounds otherwise gets the same bits as one that does not, from one thread and from
 * several, and has its mode back after every call. */
#include <fenv.h>
#include <tern/embed.h>
#include <tern/ops.h>

#include "models.h"

static const struct {
    int mode;
    const char *why;
} modes[] = { { FE_UPWARD, "upward" }, { FE_DOWNWARD, "downward" }, { FE_TOWARDZERO, "toward zero" } };

/* One op, a greedy and a drawn token with their logits, and a vector: everything that a host may
 * ask for. */
typedef struct results {
    float op[64], logits[4096], vector[512];
    int32_t token;
} results;

static bool keep(void *user, const tern_event *event)
{
    results *r = user;
    if (event->logits) memcpy(r->logits, event->logits, 2048 * sizeof(float));
    if (event->token >= 0) r->token = event->token;
    return true;
}

static void run_op(bench *b, results *r)
{
    float x[64];
    tern_config c = tern_config_default();
    tern_op *op;
    for (int i = 0; i < 64; i++) x[i] = (float)((i * 37) % 64) / 8;    /* exact in every mode */
    c.dtype = TERN_DTYPE_FP32;
    c.layer_norm_eps = 1e-5;
    tern_tensor t = tern_tensor_of(x, TERN_F32, 2, (int64_t[]){ 1, 64 }),
        gamma = tern_tensor_of(x, TERN_F32, 1, (int64_t[]){ 64 }), y = t;
    y.data = r->op;
    assert_int_equal(tern_op_create(b->ctx, "rms_norm", &c, &op), TERN_OK);
    assert_int_equal(tern_rms_norm_run(op, &(tern_rms_norm_args){ .input = t, .gamma = gamma, .output = y }), TERN_OK);
    tern_op_free(op);
}

static void run_all(int threads, int mode, results *r)
{
    const int32_t ids[] = { 5, 100, 7, 300 };
    bench b;
    tern_embedder *embedder;
    memset(r, 0, sizeof *r);
    fesetround(mode);
    bench_open(&b, DEMO, NULL, threads, TERN_COMPUTE_F32);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ .context_tokens = 32, .max_requests = 1 });
    tern_request request = { .ids = ids, .n_ids = 4, .max_new_tokens = 1, .sampling = tern_sampling_greedy(),
                             .ignore_eos = true, .logits = TERN_LOGITS_LAST, .on_event = keep, .user = r };
    request.sampling.temperature = 1;
    assert_int_equal(tern_engine_submit(e, &request, NULL), TERN_OK);
    assert_int_equal(tern_engine_run(e), TERN_OK);
    run_op(&b, r);
    assert_int_equal(tern_embedder_create(b.ctx, b.model, NULL, &embedder), TERN_OK);
    assert_int_equal(tern_embedder_run(embedder, &(tern_embed_input){ .ids = ids, .n_ids = 4 }, 1, r->vector), TERN_OK);
    tern_embedder_free(embedder);
    tern_engine_free(e);
    bench_close(&b);
    assert_int_equal(fegetround(), mode);
    fesetround(FE_TONEAREST);
}

static void the_host_s_rounding_changes_nothing(void **state)
{
    static results plain, other;
    (void)state;
    run_all(1, FE_TONEAREST, &plain);
    assert_true(plain.op[5] != 0 && plain.logits[5] != 0 && plain.vector[5] != 0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (int threads = 1; threads < 4; threads += 2) {
            run_all(threads, modes[i].mode, &other);
            if (memcmp(&plain, &other, sizeof plain)) fail_msg("%s, %d threads: other bits", modes[i].why, threads);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_host_s_rounding_changes_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
