/* A report on a directory by the library's calls: what it says with and without an opened model, of
 * a directory that is none, and where memory ends. What each part says is
 * tests/cli/test_info.py's. */
#include "engine/models.h"

#include <tern/report.h>

#include "torture.h"

#define GOLDEN TERN_SOURCE_DIR "/tests/golden/models/"

static const tern_ability *ability_of(const tern_report *r, const char *command)
{
    const tern_ability *list;
    size_t n = tern_report_abilities(r, &list);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].command, command)) return &list[i];
    return NULL;
}

static void says_the_same_with_and_without_a_model(void **state)
{
    static const char *const dirs[] = { DEMO, GOLDEN "bert-model", GOLDEN "made-bert-classes", GOLDEN "bert-mlm" };
    (void)state;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        bench b;
        tern_report *with, *without;
        const tern_ability *list, *other;
        bench_open(&b, dirs[i], NULL, 1, TERN_COMPUTE_F32);
        assert_int_equal(tern_report_create(b.ctx, dirs[i], NULL, b.model, &with), TERN_OK);
        assert_int_equal(tern_report_create(b.ctx, dirs[i], NULL, NULL, &without), TERN_OK);
        size_t n = tern_report_abilities(with, &list);
        assert_true(n > 8);
        assert_int_equal(tern_report_abilities(without, &other), n);
        for (size_t k = 0; k < n; k++) {
            assert_string_equal(list[k].command, other[k].command);
            assert_string_equal(list[k].detail, other[k].detail);
            assert_int_equal(list[k].able, other[k].able);
        }
        assert_true(tern_report_serves(with) && tern_report_serves(without));
        assert_int_equal(tern_report_reasons(with).n, 0);
        tern_report_free(with);
        tern_report_free(without);
        bench_close(&b);
    }
}

static void nothing_can_be_done_with_nothing(void **state)
{
    tern_ctx *ctx;
    tern_report *r;
    const tern_ability *list;
    (void)state;
    assert_int_equal(tern_ctx_create(NULL, &ctx), TERN_OK);
    assert_int_equal(tern_report_create(ctx, "/nonexistent/dir", NULL, NULL, &r), TERN_OK);
    assert_int_equal(tern_report_abilities(r, &list), 0);
    assert_int_equal(tern_report_reasons(r).n, 1);
    assert_non_null(strstr(tern_report_reasons(r).text[0], "/nonexistent/dir"));
    assert_false(tern_report_serves(r));
    tern_report_free(r);
    tern_report_free(NULL);
    assert_int_equal(tern_report_create(ctx, NULL, NULL, NULL, &r), TERN_OK);
    assert_non_null(ability_of(r, "generate"));
    tern_report_free(r);
    tern_ctx_free(ctx);
}

/* Every allocation fails once, later ones with growing gaps: the report is whole or the call says
 * TERN_ERR_MEMORY, and nothing is left. */
static void memory_may_end(void **state)
{
    static const char *const dirs[] = { GOLDEN "made-bert-classes", GOLDEN "bert-model",
                                        TERN_SOURCE_DIR "/tests/golden/tokenizers", "/nonexistent" };
    tern_ctx *ctx;
    (void)state;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx), TERN_OK);
    torture_jansson();
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        bool failed = true;
        for (size_t k = 1; failed; k += 1 + k / 16) {
            tern_report *r = NULL;
            size_t before = n_live;
            countdown = k;
            tern_status st = tern_report_create(ctx, dirs[i], NULL, NULL, &r);
            failed = !countdown;
            countdown = 0;
            if (st && (!failed || st != TERN_ERR_MEMORY))
                fail_msg("%s: allocation %zu: %s: %s", dirs[i], k, tern_status_name(st), tern_ctx_error(ctx));
            if (!st) assert_true(ability_of(r, "generate") || tern_report_reasons(r).n);
            tern_report_free(r);
            if (n_live != before)
                fail_msg("%s: %zu allocations are left when the %zuth fails", dirs[i], n_live - before, k);
        }
    }
    tern_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_the_same_with_and_without_a_model),
        cmocka_unit_test(nothing_can_be_done_with_nothing),
        cmocka_unit_test(memory_may_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
