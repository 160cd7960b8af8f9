/* Numbers of 16 bits, exhaustively: every value survives the way to f32 and back, and every
 * rounding goes to the nearest, ties to even. Also the names, sizes and shapes of tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>

#include <tern/tensor.h>

#include "base/dtype.h"

/* The value of a 16-bit pattern with so many exponent bits, by the definition of IEEE 754. */
static double value_of(uint32_t bits, int exponent_bits)
{
    int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1, most = (1 << exponent_bits) - 1;
    int exponent = (int)(bits >> fraction_bits) & most, fraction = (int)bits & ((1 << fraction_bits) - 1);
    double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == most) return fraction ? NAN : sign * INFINITY;
    if (!exponent) return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

typedef struct kind {
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
    int exponent_bits;
    uint16_t infinity;
} kind;

static const kind kinds[] = {
    { tern_f32_from_f16, tern_f16_from_f32, 5, 0x7C00 },
    { tern_f32_from_bf16, tern_bf16_from_f32, 8, 0x7F80 },
};

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (uint32_t bits = 0; bits < 65536; bits++) {
            float f = kinds[k].widen((uint16_t)bits);
            double want = value_of(bits, kinds[k].exponent_bits);
            if (isnan(want)) {
                assert_true(isnan(f));
                assert_true(isnan(kinds[k].widen(kinds[k].narrow(f))));
                assert_int_equal(kinds[k].narrow(f) & 0x8000, bits & 0x8000);
            } else {
                assert_true((double)f == want && (signbit(f) != 0) == (bits >> 15));
                assert_int_equal(kinds[k].narrow(f), bits);
            }
        }
}

/* Between each value and the next: just below the middle, the middle, just above it. */
static void test_rounding(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (uint32_t bits = 0; bits < kinds[k].infinity; bits++) {
            double low = value_of(bits, kinds[k].exponent_bits), high = value_of(bits + 1, kinds[k].exponent_bits);
            if (isinf(high)) high = low + (low - value_of(bits - 1, kinds[k].exponent_bits));
            float middle = (float)((low + high) / 2);
            uint16_t even = (uint16_t)(bits & 1 ? bits + 1 : bits), down = (uint16_t)bits, up = (uint16_t)(bits + 1);
            /* half of bf16's least subnormal step is still an f32, so never */
            if ((double)middle != (low + high) / 2) continue;
            assert_int_equal(kinds[k].narrow(middle), even);
            assert_int_equal(kinds[k].narrow(nextafterf(middle, 0)), down);
            assert_int_equal(kinds[k].narrow(nextafterf(middle, INFINITY)), up);
            assert_int_equal(kinds[k].narrow(-middle), even | 0x8000);
        }
}

static void test_extremes(void **state)
{
    (void)state;
    assert_int_equal(tern_f16_from_f32(65519.996f), 0x7BFF);
    assert_int_equal(tern_f16_from_f32(65520), 0x7C00);
    assert_int_equal(tern_f16_from_f32(1e30f), 0x7C00);
    assert_int_equal(tern_f16_from_f32(-INFINITY), 0xFC00);
    assert_int_equal(tern_f16_from_f32(0x1p-25f), 0);
    assert_int_equal(tern_f16_from_f32(nextafterf(0x1p-25f, 1)), 1);
    assert_int_equal(tern_f16_from_f32(-0.0f), 0x8000);
    assert_int_equal(tern_bf16_from_f32(3.4e38f), 0x7F80);
    /* a NaN whose upper half is an infinity's */
    assert_int_equal(tern_bf16_from_f32(tern_float_of(0x7F800001)), 0x7FC0);
    assert_int_equal(tern_bf16_from_f32(tern_float_of(0x7FFFFFFF)), 0x7FFF);    /* a NaN that adding would carry over */
}

static void test_tensor(void **state)
{
    static const struct { tern_dtype dtype; size_t bytes; const char *name; } rows[] = {
        { TERN_F32, 4, "f32" }, { TERN_F16, 2, "f16" },   { TERN_BF16, 2, "bf16" }, { TERN_I8, 1, "i8" },
        { TERN_U8, 1, "u8" },
        { TERN_I32, 4, "i32" }, { TERN_BOOL, 1, "bool" }, { TERN_I64, 8, "i64" },
        { TERN_F16_PACKED, 2, "f16 packed" }, { TERN_N_DTYPES, 0, "?" }, { (tern_dtype)-1, 0, "?" },
    };
    static const int64_t shape[] = { 2, 3, 4 };
    float data[24];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tern_dtype_bytes(rows[i].dtype), rows[i].bytes);
        assert_string_equal(tern_dtype_name(rows[i].dtype), rows[i].name);
    }
    tern_tensor t = tern_tensor_of(data, TERN_F32, 3, shape);
    assert_int_equal(tern_tensor_count(&t), 24);
    assert_int_equal(t.stride[0], 12);
    assert_true(tern_tensor_contiguous(&t));
    t.stride[0] = 13;
    assert_false(tern_tensor_contiguous(&t));
    t.shape[0] = 1;
    assert_true(tern_tensor_contiguous(&t));    /* an axis of one has no step */
    t = tern_tensor_of(data, TERN_F32, 0, NULL);
    assert_int_equal(tern_tensor_count(&t), 1);
    assert_null(tern_tensor_of(data, TERN_F32, TERN_MAX_RANK + 1, shape).data);
    assert_null(tern_tensor_of(data, TERN_F32, -1, shape).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
