/* The step arena and the allocation calls: alignment, marks, growth that ends, products that
 * overflow; and the messages of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/arena.h"
#include "base/ctx.h"
#include "base/memory.h"

static void test_arena_pieces(void **state)
{
    tern_arena a = { 0 };
    tern_mark start = tern_arena_mark(&a);
    unsigned char *piece[100];
    (void)state;
    for (size_t i = 0; i < 100; i++) {
        piece[i] = tern_arena_get(NULL, &a, i * 1000, 3);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % 64, 0);
        memset(piece[i], (int)i, i * 3000);
    }
    for (size_t i = 0; i < 100; i++)
        for (size_t b = 0; b < i * 3000; b += 999) assert_int_equal(piece[i][b], i);
    tern_arena_reset(&a, start);
    tern_arena_free(&a);
    tern_arena_free(&a);
}

static void test_arena_marks(void **state)
{
    tern_arena a = { 0 };
    (void)state;
    char *outer = tern_arena_get(NULL, &a, 100, 1);
    tern_mark mark = tern_arena_mark(&a);
    char *inner = tern_arena_get(NULL, &a, 100, 1);
    memset(outer, 1, 100);
    tern_arena_reset(&a, mark);
    assert_ptr_equal(tern_arena_get(NULL, &a, 50, 1), inner);
    char *far = tern_arena_get(NULL, &a, 5u << 20, 1);    /* a chunk of its own */
    memset(far, 2, 5u << 20);
    tern_arena_reset(&a, mark);
    assert_ptr_equal(tern_arena_get(NULL, &a, 50, 1), inner);
    assert_int_equal(outer[99], 1);
    tern_arena_free(&a);
}

/* A mark of the empty arena serves after a larger step inside it: its reset merges the chunks, and
 * the outer one must not find the old first one. */
static void test_arena_nested(void **state)
{
    tern_arena a = { 0 };
    (void)state;
    for (size_t step = 1; step < 4; step++) {
        tern_mark outer = tern_arena_mark(&a), inner = tern_arena_mark(&a);
        for (int i = 0; i < 3; i++) assert_non_null(tern_arena_get(NULL, &a, step << 20, 1));
        tern_arena_reset(&a, inner);
        const void *merged = a.first;
        tern_arena_reset(&a, outer);
        assert_ptr_equal(a.first, merged);
        assert_ptr_equal(a.current, merged);
    }
    tern_arena_free(&a);
}

/* The same steps again take no memory: after the first one there is one chunk, and it stays. */
static void test_arena_steady(void **state)
{
    tern_arena a = { 0 };
    const void *chunk = NULL;
    (void)state;
    for (int step = 0; step < 5; step++) {
        tern_mark mark = tern_arena_mark(&a);
        for (int i = 0; i < 40; i++) assert_non_null(tern_arena_get(NULL, &a, 300000, 1));
        tern_arena_reset(&a, mark);
        if (step == 1) chunk = a.first;
        if (step > 1) assert_ptr_equal(a.first, chunk);
    }
    tern_arena_free(&a);
}

static void test_overflow(void **state)
{
    tern_arena a = { 0 };
    void *p = NULL;
    (void)state;
    assert_null(tern_arena_get(NULL, &a, SIZE_MAX / 2, 4));
    assert_null(tern_alloc(NULL, SIZE_MAX / 2, 4, "a test"));
    assert_non_null(strstr(tern_create_error(), "a test"));
    assert_null(tern_alloc_aligned(NULL, 64, SIZE_MAX / 2, 4, "a test"));
    assert_null(tern_alloc_aligned(NULL, 64, PTRDIFF_MAX, 1, "a test"));
    assert_int_equal(tern_grow(NULL, &p, SIZE_MAX / 2, 4, "a test"), TERN_ERR_MEMORY);
    assert_null(p);
    tern_arena_free(&a);
}

static void test_alloc(void **state)
{
    void *p = NULL;
    (void)state;
    unsigned char *zero = tern_alloc(NULL, 1000, 3, "zeros"), *none = tern_alloc(NULL, 0, 8, "nothing");
    for (size_t i = 0; i < 3000; i++) assert_int_equal(zero[i], 0);
    assert_non_null(none);
    void *aligned = tern_alloc_aligned(NULL, 4096, 5, 1, "a page");
    assert_int_equal((uintptr_t)aligned % 4096, 0);
    assert_int_equal(tern_grow(NULL, &p, 4, 2, "eight bytes"), TERN_OK);
    memcpy(p, "seven..", 8);
    assert_int_equal(tern_grow(NULL, &p, 4000, 2, "more"), TERN_OK);
    assert_string_equal(p, "seven..");
    char *copy = tern_strdup(NULL, "tern"), *part = tern_strndup(NULL, "terns", 3);
    assert_string_equal(copy, "tern");
    assert_string_equal(part, "ter");
    tern_free(zero);
    tern_free(none);
    tern_free(aligned);
    tern_free(p);
    tern_free(copy);
    tern_free(part);
    tern_free(NULL);
}

/* kB of huge pages that the system has put below p; -1: it does not say. */
static long huge_kb_at(const void *p)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long from, to;
    long kb = -1;
    bool here = false;
    while (f && kb < 0 && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) here = from <= (uintptr_t)p && (uintptr_t)p < to;
        else if (here && sscanf(line, "AnonHugePages: %ld kB", &kb) != 1) kb = -1;
    }
    if (f) fclose(f);
    return kb;
}

/* Where a huge page may begin, from a size on that is worth it; every byte is there, and keeps its
 * value. */
static void check_huge(bool denied)
{
    static const struct { size_t n_bytes, align; const char *why; } rows[] = {
        { 0, 64, "nothing" }, { 100, 64, "a little" }, { (8u << 20) - 1, 64, "less than four huge pages" },
        { 8u << 20, 2u << 20, "four huge pages" },
        { (9u << 20) + 5, 2u << 20, "and a rest" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char *p = tern_alloc_huge(NULL, rows[i].n_bytes, rows[i].why);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % rows[i].align, 0);
        for (size_t k = 0; k < rows[i].n_bytes; k++) p[k] = (unsigned char)(k % 251);
        if (denied) assert_true(huge_kb_at(p) <= 0);
        for (size_t k = 0; k < rows[i].n_bytes; k++)
            if (p[k] != k % 251) fail_msg("%s: byte %zu", rows[i].why, k);
        tern_free(p);
    }
}

static void test_huge(void **state)
{
    (void)state;
    check_huge(false);
    assert_null(tern_alloc_huge(NULL, PTRDIFF_MAX, "a test"));
    assert_non_null(strstr(tern_create_error(), "a test"));
}

/* In a process that gets no huge pages, as on systems that have none: the same places, on small
 * ones. */
static void test_no_huge(void **state)
{
    (void)state;
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)) skip();
    check_huge(true);
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
}

static void test_words(void **state)
{
    tern_ctx *ctx;
    char wide[2048];
    tern_ctx_options o = { .threads = 1 };
    (void)state;
    assert_int_equal(tern_ctx_create(&o, &ctx), TERN_OK);
    assert_string_equal(tern_ctx_error(ctx), "");
    assert_int_equal(tern_fail(ctx, TERN_ERR_SHAPE, "%d is not %d", 3, 4), TERN_ERR_SHAPE);
    assert_string_equal(tern_ctx_error(ctx), "3 is not 4");
    tern_fail_in(ctx, TERN_ERR_SHAPE, "%s: ", "a.json");
    assert_string_equal(tern_ctx_error(ctx), "a.json: 3 is not 4");
    assert_int_equal(tern_fail_errno(ctx, ENOENT, "b.json"), TERN_ERR_IO);
    assert_string_equal(tern_ctx_error(ctx), "b.json: No such file or directory");
    /* a long sentence is cut between characters */
    for (size_t i = 0; i < sizeof wide - 2; i += 2) memcpy(wide + i, "\xc3\xa9", 3);
    for (int shift = 0; shift < 2; shift++) {
        tern_fail(ctx, TERN_ERR_FORMAT, "%s%s", shift ? "x" : "", wide);
        const char *message = tern_ctx_error(ctx);
        size_t n = strlen(message);
        assert_true(n > 1000 && n < 1024);
        assert_string_equal(message + n - 3, "...");
        assert_int_equal((unsigned char)message[n - 4], 0xa9);
    }
    assert_string_equal(tern_status_name(TERN_ERR_LIMIT), "TERN_ERR_LIMIT");
    assert_string_equal(tern_status_name((tern_status)99), "TERN_ERR_?");
    assert_string_equal(tern_status_name((tern_status)-1), "TERN_ERR_?");
    tern_ctx_free(ctx);
}

static void keep_line(void *user, tern_log_level level, const char *line)
{
    snprintf(user, 600, "%d %s", (int)level, line);
}

static void test_log(void **state)
{
    char line[600] = "";
    tern_ctx *ctx;
    tern_ctx_options o = { .threads = 1, .log = keep_line, .log_user = line };
    (void)state;
    assert_int_equal(tern_ctx_create(&o, &ctx), TERN_OK);
    tern_log(ctx, TERN_LOG_WARNING, "%d pages", 7);
    assert_string_equal(line, "1 7 pages");
    tern_log(NULL, TERN_LOG_INFO, "no handler");
    tern_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_huge),    /* first: memory that was given back keeps its huge pages */
        cmocka_unit_test(test_arena_pieces), cmocka_unit_test(test_arena_marks), cmocka_unit_test(test_arena_steady),
        cmocka_unit_test(test_arena_nested),
        cmocka_unit_test(test_overflow),     cmocka_unit_test(test_alloc),       cmocka_unit_test(test_huge),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
