/* Which part of a parameter each rank has: DeepSpeed's own numbers
 * (tests/unit/module_inject/test_tp_shard.py, test_fused_repartition.py,
 * tests/unit/inference/v2/model_implementations/sharding), and what it refuses. All parts together
 * are the whole, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <tern/comm.h>

enum { MOST = 8 };

static tern_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    return tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx);
}

static int teardown(void **state)
{
    (void)state;
    tern_ctx_free(ctx);
    return 0;
}

#define OK(call)                                                                      \
    do {                                                                              \
        if (call) fail_msg("%s", tern_ctx_error(ctx));                                \
    } while (0)

typedef struct axis_row {
    int64_t n, grain;
    int size;
    int64_t want[MOST];    /* 0: not said */
    const char *why;
} axis_row;

static const axis_row axes[] = {
    { 50257, 64, 2, { 25152, 25105 }, "GPT-2's vocabulary over 2" },
    { 50257, 64, 8, { 6336, 6272 }, "over 8: 785 grains, and 17 more for the last" },
    { 151936, 64, 8, { 19008, 19008, 19008, 19008, 19008, 19008, 18944, 18944 }, "Qwen's" },
    { 32000, 64, 4, { 8000, 8000, 8000, 8000 }, "Llama's" },
    { 101, 1, 2, { 51, 50 }, "one by one" },
    { 384, 64, 4, { 128, 128, 64, 64 }, "six KV heads of 64 over 4" },
    { 48, 64, 4, { 12, 12, 12, 12 }, "less than a grain" },
    { 50, 64, 4, { 13, 13, 12, 12 }, "less than a grain, uneven" },
    { 4096, 32, 1, { 4096 }, "an MLP of 4 x 1024 for one" },
    { 4096, 32, 8, { 512, 512, 512, 512, 512, 512, 512, 512 }, "over 8" },
    { 4096, 32, 6, { 704, 704, 672, 672, 672, 672 }, "over 6: 128 grains of 32" },
    { 7, 1, 7, { 1, 1, 1, 1, 1, 1, 1 }, "one each" },
};

static void test_axes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
        const axis_row *r = &axes[i];
        int64_t next = 0;
        int n_unaligned = 0;
        for (int rank = 0; rank < r->size; rank++) {
            tern_part p;
            OK(tern_part_of(ctx, r->n, r->grain, rank, r->size, &p));
            assert_int_equal(p.first, next);
            if (r->want[rank] && p.n != r->want[rank])
                fail_msg("%s: rank %d has %d, not %d", r->why, rank, (int)p.n, (int)r->want[rank]);
            n_unaligned += r->n >= r->grain * r->size && p.n % r->grain != 0;
            next += p.n;
        }
        assert_int_equal(next, r->n);
        assert_true(n_unaligned <= 1);
    }
}

typedef struct head_row {
    int64_t heads, kv;
    int size;
    int64_t q[MOST], first_kv[MOST], n_kv[MOST];
    const char *why;
} head_row;

static const head_row heads[] = {
    { 1, 1, 1, { 1 }, { 0 }, { 1 }, "one head" },
    { 32, 32, 1, { 32 }, { 0 }, { 32 }, "all on one rank" },
    { 32, 32, 8, { 4, 4, 4, 4, 4, 4, 4, 4 }, { 0, 4, 8, 12, 16, 20, 24, 28 }, { 4, 4, 4, 4, 4, 4, 4, 4 }, "even" },
    { 3, 3, 2, { 2, 1 }, { 0, 2 }, { 2, 1 }, "three over two" },
    { 20, 20, 8, { 3, 3, 3, 3, 2, 2, 2, 2 }, { 0, 3, 6, 9, 12, 14, 16, 18 }, { 3, 3, 3, 3, 2, 2, 2, 2 },
      "twenty over eight" },
    { 4, 2, 1, { 4 }, { 0 }, { 2 }, "grouped, one rank" },
    { 8, 2, 1, { 8 }, { 0 }, { 2 }, "grouped, one rank" },
    { 64, 16, 8, { 8, 8, 8, 8, 8, 8, 8, 8 }, { 0, 2, 4, 6, 8, 10, 12, 14 }, { 2, 2, 2, 2, 2, 2, 2, 2 },
      "grouped, even" },
    { 4, 2, 4, { 1, 1, 1, 1 }, { 0, 0, 1, 1 }, { 1, 1, 1, 1 }, "two ranks share a KV head" },
    { 20, 4, 8, { 3, 2, 3, 2, 3, 2, 3, 2 }, { 0, 0, 1, 1, 2, 2, 3, 3 }, { 1, 1, 1, 1, 1, 1, 1, 1 },
      "two ranks share five query heads" },
    { 12, 1, 3, { 4, 4, 4 }, { 0, 0, 0 }, { 1, 1, 1 }, "one KV head for all" },
};

static void test_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        const head_row *r = &heads[i];
        int64_t next = 0;
        for (int rank = 0; rank < r->size; rank++) {
            tern_part q, k, part[3];
            OK(tern_part_heads(ctx, r->heads, r->kv, rank, r->size, &q, &k));
            if (q.first != next || q.n != r->q[rank])
                fail_msg("%s: rank %d has %d heads from %d on", r->why, rank, (int)q.n, (int)q.first);
            if (k.first != r->first_kv[rank] || k.n != r->n_kv[rank])
                fail_msg("%s: rank %d has %d KV heads from %d on", r->why, rank, (int)k.n, (int)k.first);
            /* whom it looks at is there */
            for (int64_t h = q.first; h < q.first + q.n; h++)
                assert_in_range(h / (r->heads / r->kv), k.first, k.first + k.n - 1);
            next += q.n;
            OK(tern_part_qkv(ctx, r->heads, r->kv, 64, rank, r->size, part));
            assert_true(part[0].first == q.first * 64 && part[0].n == q.n * 64);
            assert_true(part[1].first == (r->heads + k.first) * 64 && part[1].n == k.n * 64);
            assert_true(part[2].first == (r->heads + r->kv + k.first) * 64 && part[2].n == k.n * 64);
        }
        assert_int_equal(next, r->heads);
    }
}

static void test_refusals(void **state)
{
    static const struct { int64_t heads, kv; int rank, size; tern_status status; const char *message; } rows[] = {
        { 6, 6, 0, 8, TERN_ERR_SHAPE, "6 heads cannot be dealt out to 8 ranks" },
        { 5, 2, 0, 1, TERN_ERR_SHAPE, "5 heads are no multiple of 2 KV heads" },
        { 40, 10, 0, 8, TERN_ERR_SHAPE, "10 KV heads cannot be dealt out evenly to 8 ranks" },
        { 30, 5, 0, 8, TERN_ERR_SHAPE, "8 ranks cannot share 5 KV heads evenly" },
        { 8, 0, 0, 1, TERN_ERR_SHAPE, "8 heads are no multiple of 0 KV heads" },
        { 8, 8, 2, 2, TERN_ERR_ARGUMENT, "rank 2 of 2 ranks" },
        { 8, 8, -1, 2, TERN_ERR_ARGUMENT, "rank -1 of 2 ranks" },
        { 8, 8, 0, 0, TERN_ERR_ARGUMENT, "rank 0 of 0 ranks" },
    };
    tern_part p, q, part[3];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tern_part_heads(ctx, rows[i].heads, rows[i].kv, rows[i].rank, rows[i].size, &p, &q),
                         rows[i].status);
        assert_string_equal(tern_ctx_error(ctx), rows[i].message);
        assert_int_equal(tern_part_qkv(ctx, rows[i].heads, rows[i].kv, 64, rows[i].rank, rows[i].size, part),
                         rows[i].status);
    }
    assert_int_equal(tern_part_qkv(ctx, 8, 8, 0, 0, 1, part), TERN_ERR_ARGUMENT);
    assert_string_equal(tern_ctx_error(ctx), "heads of 0 channels");
    /* a rank with nothing, as Qwen's empty shard there */
    assert_int_equal(tern_part_of(ctx, 3, 1, 0, 4, &p), TERN_ERR_SHAPE);
    assert_string_equal(tern_ctx_error(ctx), "3 cannot be dealt out to 4 ranks");
    assert_int_equal(tern_part_of(ctx, 8, 0, 0, 4, &p), TERN_ERR_ARGUMENT);
    assert_string_equal(tern_ctx_error(ctx), "a grain of 0, not 1 or more");
    assert_int_equal(tern_part_of(ctx, 8, 1, 4, 4, &p), TERN_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_axes), cmocka_unit_test(test_heads),
                                        cmocka_unit_test(test_refusals) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
