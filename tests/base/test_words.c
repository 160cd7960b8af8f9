/* Philox against its authors' known answers, and the nearest of known names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/nearest.h"
#include "base/philox.h"

/* Random123, tests/kat_vectors, philox4x32-10: counter, key, result. */
static void test_philox_known_answers(void **state)
{
    static const struct { uint32_t counter[4], key[2], want[4]; } rows[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint32_t *c = rows[i].counter, *k = rows[i].key;
        tern_random r = tern_philox(k[0] | (uint64_t)k[1] << 32, c[0] | (uint64_t)c[1] << 32,
                                    c[2] | (uint64_t)c[3] << 32);
        assert_memory_equal(r.word, rows[i].want, sizeof r.word);
    }
    assert_true(tern_uniform(0) == 0 && tern_uniform(~0u) < 1);
    assert_true(tern_uniform_open(0) > 0 && tern_uniform_open(~0u) < 1);
}

static void test_edit_distance(void **state)
{
    static const struct { const char *a, *b; size_t want; } rows[] = {
        { "", "", 0 }, { "abc", "", 3 }, { "kitten", "sitting", 3 }, { "hiden_size", "hidden_size", 1 },
        { "heads", "Heads", 0 }, { "ehads", "heads", 1 }, { "abcd", "acbd", 1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tern_edit_distance(rows[i].a, rows[i].b), rows[i].want);
        assert_int_equal(tern_edit_distance(rows[i].b, rows[i].a), rows[i].want);
    }
}

static void test_nearest(void **state)
{
    static const char *const names[] = { "hidden_size", "heads", "head_dim", "window_size" };
    static const struct { const char *word, *want; } rows[] = {
        { "hiden_size", "hidden_size" }, { "head", "heads" }, { "window", NULL }, { "zebra", NULL },
        { "headdim", "head_dim" }, { "", NULL }, { "hidn_siz", NULL }, { "hiden_siz", "hidden_size" },
        { "heads2", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_nearest near = { .word = rows[i].word };
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) tern_nearest_offer(&near, names[n]);
        if (rows[i].want) assert_string_equal(near.best, rows[i].want);
        else assert_null(near.best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_known_answers),
        cmocka_unit_test(test_edit_distance),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
