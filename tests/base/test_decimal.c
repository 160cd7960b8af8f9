/* A float's nine digits are printf's, to the letter: at the borders of every form, at ties, and for
 * millions of patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

static void check(float value)
{
    char got[TERN_DECIMAL_BYTES], want[TERN_DECIMAL_BYTES];
    size_t n = tern_decimal(got, value);
    snprintf(want, sizeof want, "%.9g", (double)value);
    assert_string_equal(got, want);
    assert_int_equal(n, strlen(want));
}

static const struct { float value; const char *why; } rows[] = {
    { 0, "zero has no first digit" }, { 1, "no decimals at all" }, { 100, "zeros that are not decimals stay" },
    { 0.5f, "one decimal" },
    { 0.0001f, "the least without an exponent" }, { 0.00009999f, "the first with one" },
    { 1e-8f, "below the integers' reach" },
    { 999999999.f, "rounds to 1e+09" }, { 1e9f, "above the integers' reach" },
    { 16777217.f, "more than a float holds" }, { 8388608.5f, "a half" },
    { 0.1f, "3 does not divide it" }, { 1.0000001f, "one unit above 1" }, { 0.99999994f, "one unit below 1" },
    { 9.9999998e-5f, "nines below a border" },
    { FLT_MAX, "the largest" }, { FLT_MIN, "the least of 24 bits" }, { FLT_TRUE_MIN, "the least" },
    { INFINITY, "infinity" }, { NAN, "no number" },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(rows[i].value);
        check(-rows[i].value);
    }
}

/* Around every power of ten and of two, where the number of digits before the point changes. */
static void test_borders(void **state)
{
    (void)state;
    for (int e = -45; e <= 38; e++) {
        float at = powf(10, (float)e);
        for (int i = -50; i <= 50; i++) check(at * (1 + (float)i * FLT_EPSILON));
    }
    for (int e = -149; e <= 127; e++)
        for (int i = -3; i <= 3; i++) check(ldexpf(1, e) * (1 + (float)i * FLT_EPSILON));
}

/* Ties: numbers of ten digits that end in 5. */
static void test_ties(void **state)
{
    (void)state;
    for (int i = 1; i < 20000; i += 2) {
        check((float)i / 32);
        check((float)(i + 8000000) / 2);
        check((float)i / 4096);
        check((float)i / 16384);
    }
}

static void test_patterns(void **state)
{
    uint64_t random = 88172645463325252u;
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        random ^= random << 13;    /* Marsaglia's xorshift */
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t bits = (uint32_t)(random >> 32);
        if (i % 4) bits = (bits & 0x9FFFFFFF) | 0x20000000;    /* mostly where the integers serve */
        float value;
        memcpy(&value, &bits, sizeof value);
        check(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
