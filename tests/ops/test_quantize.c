/* Codes of 4 and 8 bits: DeepSpeed's asymmetric groups by their formula in both directions, and its
 * bounds for what comes back. */
#include "formulas.h"

typedef struct asymmetric_row {
    int64_t n, k, group_size, group_dim, bits;
    int type;                      /* of rig_types */
    double value;                  /* not 0: every weight; 0: random ones */
    const char *why;
} asymmetric_row;

static const asymmetric_row rows[] = {
    { 6, 8, 4, 1, 8, 0, 0, "groups along the rows" },
    { 6, 8, 3, 0, 8, 0, 0, "groups down the columns" },
    { 6, 8, 4, 1, 4, 0, 0, "two codes a byte" },
    { 6, 8, 2, 0, 4, 0, 0, "two codes of different groups in a byte" },
    { 1, 2, 1, 1, 4, 0, 0, "groups of one number" },
    { 7, 26, 13, 1, 8, 0, 0, "odd sizes" },
    { 7, 26, 7, 0, 4, 0, 0, "a whole column a group" },
    { 6, 8, 4, 1, 8, 0, 0.7, "groups of one value: DeepSpeed divides by zero" },
    { 6, 8, 6, 0, 4, 0, -3, "the same down the columns" },
    { 512, 16384, 64, 1, 8, 0, 0, "tests/unit/ops/quantizer's largest groups and more" },
    { 16, 4096, 16, 1, 8, 0, 0, "test_fake_quantization's" },
    { 128, 256, 1, 1, 8, 0, 0, "and a group each" },
    { 32768, 64, 64, 1, 8, 0, 0, "test_intX_quantization's matrix" },
    { 32768, 64, 64, 1, 4, 0, 0, "in 4 bits" },
    { 64, 64, 64, 0, 4, 1, 0, "weights of f16" },
    { 64, 64, 32, 1, 8, 2, 0, "weights of bf16" },
};

static int64_t code_at(const tern_tensor *q, const asymmetric_row *r, int64_t i, int64_t j)
{
    const uint8_t *byte = q->data;
    if (r->bits == 8) return byte[i * r->k + j];
    int64_t pair = byte[(i * r->k + j) / 2];
    return j % 2 ? pair % 16 : pair / 16;
}

static int64_t group_at(const asymmetric_row *r, int64_t i, int64_t j)
{
    return r->group_dim ? i * (r->k / r->group_size) + j / r->group_size : i / r->group_size * r->k + j;
}

/* Least and largest of each group. */
static void find_ranges(const asymmetric_row *r, const tern_tensor *w, int64_t n_group, double *least, double *most)
{
    for (int64_t g = 0; g < n_group; g++) {
        least[g] = INFINITY;
        most[g] = -INFINITY;
    }
    for (int64_t i = 0; i < r->n; i++)
        for (int64_t j = 0; j < r->k; j++) {
            int64_t g = group_at(r, i, j);
            least[g] = fmin(least[g], rig_get(w, i * r->k + j));
            most[g] = fmax(most[g], rig_get(w, i * r->k + j));
        }
}

static void check_row(const asymmetric_row *r)
{
    tern_dtype type = rig_types[r->type].t;
    tern_config config = rig_config((size_t)r->type);
    int64_t n_group = r->n * r->k / r->group_size;
    int64_t down = r->group_dim ? r->n : r->n / r->group_size, across = n_group / down;
    tern_tensor w = rig_tiled(type, RIG_SHAPE(r->n, r->k), 5), back = rig_new(type, RIG_SHAPE(r->n, r->k));
    tern_tensor q = rig_new(TERN_U8, RIG_SHAPE(r->n, r->bits == 4 ? r->k / 2 : r->k)),
        scale = rig_new(TERN_F32, RIG_SHAPE(down, across)), min = rig_new(TERN_F32, RIG_SHAPE(down, across));
    double *least = malloc((size_t)n_group * sizeof *least), *most = malloc((size_t)n_group * sizeof *most), sum = 0,
        worst = 0;
    assert_true(least && most);
    for (int64_t i = 0; r->value != 0 && i < r->n * r->k; i++) rig_put(&w, i, r->value);
    tern_op *there = make_op("quantize_asymmetric", &config), *here = make_op("dequantize_asymmetric", &config);
    RIG_OK(tern_quantize_asymmetric_run(there, &(tern_quantize_asymmetric_args){
        .weight = w, .num_bits = r->bits, .group_size = r->group_size, .group_dim = r->group_dim, .q = q,
        .scale = scale, .min = min }));
    RIG_OK(tern_dequantize_asymmetric_run(here, &(tern_dequantize_asymmetric_args){ .weight = q, .weight_scale =
        scale, .weight_min = min, .num_bits = r->bits,
        .group_size = r->group_size, .group_dim = r->group_dim, .output = back }));
    find_ranges(r, &w, n_group, least, most);
    double range = (double)((1 << r->bits) - 1);
    double ulp = 0x1p-7;
    if (type == TERN_F32) ulp = 0x1p-22;
    else if (type == TERN_F16) ulp = 0x1p-10;
    for (int64_t i = 0; i < r->n; i++)
        for (int64_t j = 0; j < r->k; j++) {
            int64_t g = group_at(r, i, j), code = code_at(&q, r, i, j);
            double v = rig_get(&w, i * r->k + j), s = most[g] > least[g] ? range / (most[g] - least[g]) : 1,
                exact = (v - least[g]) * s;
            if (fabs(rig_get(&scale, g) - s) > 1e-6 * s || rig_get(&min, g) != least[g])
                fail_msg("%s: group %d has scale %g and least %g", r->why, (int)g, rig_get(&scale, g),
                         rig_get(&min, g));
            /* the nearest code, or by f32's rounding its neighbour half way between two */
            if (!(fabs((double)code - exact) <= 0.5 + 1e-4))
                fail_msg("%s: [%d, %d] has code %d, not %g", r->why, (int)i, (int)j, (int)code, exact);
            double want = (double)code / s + least[g], got = rig_get(&back, i * r->k + j);
            if (!(fabs(got - want) <= ulp * (fabs(want) + fabs(least[g]))))
                fail_msg("%s: [%d, %d] comes back as %g, not %g", r->why, (int)i, (int)j, got, want);
            sum += fabs(got - v);
            worst = fmax(worst, fabs(got - v));
        }
    if (!(sum / (double)(r->n * r->k) < 0.15 && worst < 0.5))
        fail_msg("%s: off by %g, at worst %g", r->why, sum / (double)(r->n * r->k), worst);
    tern_op_free(there);
    tern_op_free(here);
    free(w.data);
    free(back.data);
    free(q.data);
    free(scale.data);
    free(min.data);
    free(least);
    free(most);
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rig_is_best() || rows[i].n * rows[i].k < 1 << 18) check_row(&rows[i]);
}

/* By hand: -1 0 1 2 in 4 bits is 0 5 10 15; 3 3 3 is one value. A NaN and infinities give codes,
 * and nothing breaks. */
static void test_bytes(void **state)
{
    static float numbers[] = { -1, 0, 1, 2, 3, 3, 3, 3 },
        odd[] = { NAN, -INFINITY, INFINITY, 1, NAN, NAN, 0, 0x1p-149f };
    uint8_t bytes[4];
    float scale[2], min[2];
    (void)state;
    tern_config config = rig_config(0);
    tern_op *op = make_op("quantize_asymmetric", &config);
    tern_quantize_asymmetric_args a = { .num_bits = 4, .group_size = 4, .group_dim = 1,
                                        .weight = tern_tensor_of(numbers, TERN_F32, RIG_SHAPE(2, 4)),
        .q = tern_tensor_of(bytes, TERN_U8, RIG_SHAPE(2, 2)), .scale = tern_tensor_of(scale, TERN_F32, RIG_SHAPE(2, 1)),
        .min = tern_tensor_of(min, TERN_F32, RIG_SHAPE(2, 1)) };
    RIG_OK(tern_quantize_asymmetric_run(op, &a));
    assert_int_equal(bytes[0], 0x05);
    assert_int_equal(bytes[1], 0xAF);
    assert_int_equal(bytes[2] | bytes[3], 0);
    assert_true(scale[0] == 5 && min[0] == -1 && scale[1] == 1 && min[1] == 3);
    a.weight.data = odd;
    RIG_OK(tern_quantize_asymmetric_run(op, &a));
    tern_op_free(op);
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_bytes) };
    RIG_ON_EVERY_ISA(tests);
}
