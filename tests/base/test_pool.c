/* The thread pool: every item is done once and by one thread, job after job, for any size, grain
 * and number of threads, though one of them stand still; and a context's choice of threads and
 * instruction sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/pool.h"

enum { MOST_ITEMS = 3000, MOST_THREADS = 8 };

typedef struct job {
    int64_t n, grain;
    int threads;
    int done[MOST_ITEMS];               /* plain: a tile that ran twice at a time would be a race */
    int64_t of_worker[MOST_THREADS];    /* plain too: a worker's index is its own */
    _Atomic int64_t tiles, wrong;
} job;

static void mark(void *arg, int64_t lo, int64_t hi, int worker)
{
    job *j = arg;
    if (lo < 0 || hi > j->n || lo >= hi || worker < 0 || worker >= j->threads) atomic_fetch_add(&j->wrong, 1);
    if (j->threads > 1 && j->n > j->grain && (hi - lo > j->grain || lo % j->grain)) atomic_fetch_add(&j->wrong, 1);
    for (int64_t i = lo; i < hi; i++) j->done[i]++;
    j->of_worker[worker] += hi - lo;
    atomic_fetch_add(&j->tiles, 1);
}

static void run_job(tern_pool *pool, int64_t n, int64_t grain)
{
    static job j;
    memset(&j, 0, sizeof j);
    j.n = n;
    j.grain = grain < 1 ? 1 : grain;
    j.threads = tern_pool_threads(pool);
    tern_pool_run(pool, n, grain, mark, &j);
    int64_t all = 0;
    assert_int_equal(j.wrong, 0);
    for (int64_t i = 0; i < n; i++) assert_int_equal(j.done[i], 1);
    for (int t = 0; t < MOST_THREADS; t++) all += j.of_worker[t];
    assert_int_equal(all, n > 0 ? n : 0);
}

static void test_coverage(void **state)
{
    static const struct { int64_t n, grain; const char *why; } rows[] = {
        { 0, 1, "nothing to do" },      { -5, 1, "less than nothing" },     { 1, 1, "one item" },
        { 7, 0, "a grain of 0 counts as 1" },
        { 1000, 1, "a tile an item" },  { 1000, 7, "a short last tile" },   { 1000, 1000, "one tile" },
        { 1000, 5000, "a grain beyond the end" },
        { 3, 2, "fewer tiles than threads" }, { MOST_ITEMS, 64, "many tiles" },
    };
    (void)state;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        tern_pool *pool;
        assert_int_equal(tern_pool_create(NULL, threads, &pool), TERN_OK);
        assert_int_equal(tern_pool_threads(pool), threads);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) run_job(pool, rows[i].n, rows[i].grain);
        tern_pool_free(pool);
    }
}

/* Jobs in quick succession, with pauses now and then that are long enough for workers to fall
 * asleep. */
static void test_many_jobs(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        tern_pool *pool;
        assert_int_equal(tern_pool_create(NULL, threads, &pool), TERN_OK);
        for (int i = 0; i < 2000; i++) {
            run_job(pool, 1 + i % 97, 1 + i % 5);
            if (i % 200 == 199) usleep(2000);
        }
        tern_pool_free(pool);
    }
}

/* Whoever takes tile number stays waits in it until all others are done, which somebody else must
 * do; for SECONDS at most. */
typedef struct held_job {
    int64_t n, stays;
    _Atomic int64_t done;
    _Atomic bool held_up;
} held_job;

static void hold(void *arg, int64_t lo, int64_t hi, int worker)
{
    enum { SECONDS = 60, NAP_US = 100 };
    held_job *j = arg;
    (void)worker;
    for (int naps = 0; lo == j->stays && atomic_load(&j->done) < j->n - 1; naps++) {
        if (naps == SECONDS * 1000000 / NAP_US) {
            j->held_up = true;
            break;
        }
        usleep(NAP_US);
    }
    atomic_fetch_add(&j->done, hi - lo);
}

static void test_others_take_what_is_left(void **state)
{
    static const struct { int threads; int64_t n, stays; const char *why; } rows[] = {
        { 2, 40, 0, "the caller stands in its first tile: the worker takes the caller's others" },
        { 2, 40, 20, "the worker stands in its first one, or the caller has come to it" },
        { 3, 40, 0, "two take from one" },
        { 3, 41, 14, "the second of three" },
        { 8, 9, 0, "a tile for each, and one more" },
        { 8, 3, 0, "some begin with none" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_pool *pool;
        held_job j = { .n = rows[i].n, .stays = rows[i].stays };
        assert_int_equal(tern_pool_create(NULL, rows[i].threads, &pool), TERN_OK);
        tern_pool_run(pool, j.n, 1, hold, &j);
        tern_pool_free(pool);
        assert_int_equal(j.done, j.n);
        if (j.held_up) fail_msg("what was left was not taken: %s", rows[i].why);
    }
}

static void test_idle(void **state)
{
    tern_pool *pool;
    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(tern_pool_create(NULL, 1 + i % MOST_THREADS, &pool), TERN_OK);
        if (i % 3 == 0) usleep(300);
        tern_pool_free(pool);
    }
    tern_pool_free(NULL);
    assert_true(tern_default_threads() >= 1);
}

static void test_context(void **state)
{
    static const struct { tern_ctx_options o; tern_status status; const char *message, *why; } rows[] = {
        { { .threads = 3 }, TERN_OK, NULL, "three threads" },
        { { .isa = "scalar", .threads = 1 }, TERN_OK, NULL, "the lowest instruction set" },
        { { .isa = "abacus" }, TERN_ERR_UNSUPPORTED, "abacus", "an unknown instruction set" },
        { { .threads = -1 }, TERN_ERR_ARGUMENT, "-1 threads", "less than one thread" },
        { { .threads = 1025 }, TERN_ERR_ARGUMENT, "1025", "too many threads" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_ctx *ctx = NULL;
        assert_int_equal(tern_ctx_create(&rows[i].o, &ctx), rows[i].status);
        if (rows[i].message) assert_non_null(strstr(tern_create_error(), rows[i].message));
        else if (rows[i].o.threads) assert_int_equal(tern_ctx_threads(ctx), rows[i].o.threads);
        if (rows[i].o.isa && ctx) assert_string_equal(tern_ctx_isa(ctx), rows[i].o.isa);
        tern_ctx_free(ctx);
    }
    tern_ctx *ctx;
    setenv("TERN_THREADS", "2", 1);
    setenv("TERN_ISA", "scalar", 1);
    assert_int_equal(tern_ctx_create(NULL, &ctx), TERN_OK);
    assert_int_equal(tern_ctx_threads(ctx), 2);
    assert_string_equal(tern_ctx_isa(ctx), "scalar");
    tern_ctx_free(ctx);
    setenv("TERN_THREADS", "two", 1);
    assert_int_equal(tern_ctx_create(NULL, &ctx), TERN_ERR_ARGUMENT);
    assert_non_null(strstr(tern_create_error(), "\"two\""));
    unsetenv("TERN_THREADS");
    unsetenv("TERN_ISA");
    tern_ctx_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_many_jobs),
        cmocka_unit_test(test_others_take_what_is_left),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
