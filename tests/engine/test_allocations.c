/* A steady decode step allocates nothing: every call of the allocator is counted while requests
 * decode.
 *
 * The functions below stand in front of the C library's. Where a sanitizer is linked they pass on
 * to its own, so that its books stay right. */
#include "engine/models.h"

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void *__interceptor_malloc(size_t n) __attribute__((weak));
extern void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));
extern void *__interceptor_aligned_alloc(size_t align, size_t n) __attribute__((weak));

static _Atomic long n_calls;    /* of all threads: workers allocate nothing either */

void *malloc(size_t n)
{
    n_calls++;
    return __interceptor_malloc ? __interceptor_malloc(n) : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    n_calls++;
    return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    n_calls++;
    return __interceptor_realloc ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    n_calls++;
    return __interceptor_aligned_alloc ? __interceptor_aligned_alloc(align, n) : __libc_memalign(align, n);
}

static void the_counter_counts(void **state)
{
    (void)state;
    long before = n_calls;
    void *volatile a = malloc(10), *volatile b = calloc(1, 10), *volatile c = aligned_alloc(64, 64);
    void *volatile d = realloc(a, 1000);
    assert_int_equal(n_calls - before, 4);
    free(b);
    free(c);
    free(d);
}

typedef struct steady_row {
    const char *dir;
    int threads;
    tern_compute compute;
    tern_sampling sampling;
    tern_logits_wanted logits;
    bool text;
    const char *why;
} steady_row;

enum { REQUESTS = 4, WARM = 70, COUNTED = 100 };    /* both go past a page's end */

#define GREEDY { 0, 0, 1, 0, 1, 0 }

static const steady_row rows[] = {
    { DEMO, 1, TERN_COMPUTE_F32, GREEDY, TERN_LOGITS_NONE, false, "greedy, f32" },
    { DEMO, 2, TERN_COMPUTE_BF16, GREEDY, TERN_LOGITS_LAST, false, "greedy, bf16, with logits, two threads" },
    { DEMO, 2, TERN_COMPUTE_F16, GREEDY, TERN_LOGITS_LAST, false, "greedy, f16, with logits, two threads" },
    { DEMO, 2, TERN_COMPUTE_BF16, { 0.8f, 40, 0.9f, 0.05f, 1.1f, 7 }, TERN_LOGITS_NONE, true,
      "sampled, with text and a stop string, two threads" },
};

static bool count_tokens(void *user, const tern_event *e)
{
    *(int *)user += e->token >= 0;
    return true;
}

static void check_row(const steady_row *row)
{
    static const char *const stop[] = { "a text that does not come" };
    bench b;
    tern_tokenizer *tok = NULL;
    int n[REQUESTS] = { 0 };
    bench_open(&b, row->dir, NULL, row->threads, row->compute);
    if (row->text && tern_tokenizer_open(b.ctx, row->dir, &tok)) fail_msg("%s", tern_ctx_error(b.ctx));
    tern_engine *e = bench_engine(&b, (tern_engine_options){ .max_requests = REQUESTS });
    for (int i = 0; i < REQUESTS; i++) {
        int32_t id[3] = { 300 + i, 400, 500 };
        tern_request q = request_of(id, 3, WARM + COUNTED + 10, NULL);
        q.sampling = row->sampling;
        q.logits = row->logits;
        q.tokenizer = tok;
        q.stop = stop;
        q.n_stop = tok != NULL;
        q.on_event = count_tokens;
        q.user = &n[i];
        submit(b.ctx, e, &q);
    }
    for (int i = 0; i < WARM; i++) assert_int_equal(tern_engine_step(e, NULL), TERN_OK);
    long before = n_calls;
    for (int i = 0; i < COUNTED; i++) assert_int_equal(tern_engine_step(e, NULL), TERN_OK);
    long calls = n_calls - before;
    for (int i = 0; i < REQUESTS; i++) assert_int_equal(n[i], WARM + COUNTED);
    tern_engine_free(e);
    tern_tokenizer_free(tok);
    bench_close(&b);
    if (calls) fail_msg("%s: %ld allocations in %d steps", row->why, calls, COUNTED);
}

static void a_steady_decode_step_allocates_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(a_steady_decode_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
