/* Alibi's slopes by the numbers that BLOOM's definition gives: powers of two heads, and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "model/internal.h"

typedef struct slope_row {
    int64_t n;
    double exponent[16];    /* slope h is 2^-exponent[h] */
    const char *why;
} slope_row;

static const slope_row rows[] = {
    { 1, { 8 }, "one head" },
    { 2, { 4, 8 }, "two" },
    { 6, { 2, 4, 6, 8, 1, 3 }, "four, and the odd powers of eight for two more" },
    { 8, { 1, 2, 3, 4, 5, 6, 7, 8 }, "eight" },
    { 12, { 1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5 }, "eight, and the odd powers of sixteen for four more" },
    { 16, { 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8 }, "sixteen" },
};

static void test_slopes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int64_t h = 0; h < rows[i].n; h++) {
            double got = tern_alibi_slope(rows[i].n, h), want = exp2(-rows[i].exponent[h]);
            if (fabs(got - want) > 1e-7 * want)
                fail_msg("%s: head %d of %d has %.9g, not %.9g", rows[i].why, (int)h, (int)rows[i].n, got, want);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_slopes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
