/* A float's nine digits in integers: see decimal.h. The program's writers call it.
 *
 * A float is m 2^e, m below 2^24. With p = 8 less the power of ten of its first digit, its nine
 * digits are m 5^p 2^(e + p), rounded to the nearest, ties to even: for numbers from 1e-8 to 1e9
 * the product has at most 64 bits, so that nothing is lost before the one rounding. The rest is
 * printf's. */
#include "base/decimal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 9, MOST_POWER = 17 };

static const uint64_t billion = 1000000000;

/* m 5^p 2^(e + p), rounded. */
static uint64_t scaled(uint64_t m, int e, int p)
{
    static const uint64_t power_of_5[MOST_POWER + 1] = {
        1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625,
        30517578125, 152587890625, 762939453125 };
    uint64_t n = m * power_of_5[p];
    int shift = -(e + p);
    if (shift <= 0) return n << -shift;
    uint64_t q = n >> shift, rest = n - (q << shift), half = UINT64_C(1) << (shift - 1);
    return q + (rest > half || (rest == half && q % 2));
}

/* %g's form: a plain number where the first digit's power is -5 < power < 9, else one with an
 * exponent; no zeros at the end of the decimals. */
static size_t put_digits(char *text, uint64_t digits, int power)
{
    char d[DIGITS], *to = text;
    int n = DIGITS;
    int whole = 1;
    if (power >= 0 && power < DIGITS) whole = power + 1;
    else if (power >= -4 && power < 0) whole = 0;
    for (int i = DIGITS - 1; i >= 0; i--, digits /= 10) d[i] = (char)('0' + digits % 10);
    while (n > whole && d[n - 1] == '0') n--;
    memcpy(to, whole ? d : "0", whole ? (size_t)whole : 1);
    to += whole ? whole : 1;
    if (n > whole) *to++ = '.';
    for (int i = -1; i > power && !whole; i--) *to++ = '0';
    memcpy(to, d + whole, (size_t)(n - whole));
    to += n - whole;
    if (power < -4) {    /* above 9 digits printf has the word */
        *to++ = 'e';
        *to++ = '-';
        *to++ = (char)('0' + -power / 10);
        *to++ = (char)('0' + -power % 10);
    }
    *to = 0;
    return (size_t)(to - text);
}

size_t tern_decimal(char *text, float value)
{
    float size = fabsf(value);
    if (!(size > 1e-8f && size < 1e9f)) return (size_t)snprintf(text, TERN_DECIMAL_BYTES, "%.9g", (double)value);
    uint32_t bits;
    memcpy(&bits, &size, sizeof bits);
    /* log10 2 is nearly 1233 / 4096: right, or one too low */
    int e = (int)(bits >> 23) - 150, power = (e + 23) * 1233 / 4096 - ((e + 23) < 0);
    uint64_t m = (bits & 0x7FFFFF) | 0x800000, digits;
    if (power < -8) power = -8;
    digits = scaled(m, e, DIGITS - 1 - power);
    if (digits >= billion) digits = scaled(m, e, DIGITS - 1 - ++power);
    if (value < 0) *text++ = '-';
    return put_digits(text, digits, power) + (value < 0);
}
