/* The sizes to which linear and pad_transform pad heads, and what stands in them: the values of the
 * op without do_flash_attn, then zeros. Source of the sizes: DeepSpeed's ds_linear_layer and
 * padd_add_transform. A wrong size of the output is refused by name and numbers. */
#include "rig.h"

enum { B = 2, S = 3, H = 2 };

static const struct { int64_t dim, linear, transform; const char *why; } rows[] = {
    { 1, 32, 32, "the least head" },
    { 31, 32, 32, "the last that 32 holds for its readers" },
    { 32, 64, 64, "32 itself goes to 64" },
    { 40, 64, 64, "between" },
    { 63, 64, 64, "one short of 64" },
    { 64, 64, 128, "linear leaves a multiple of 64 as it is" },
    { 65, 128, 128, "one beyond 64" },
    { 128, 128, 128, "the largest" },
};

/* got [B, H, tokens, pad] has row (b, s) of from [B, S, width], head h at column begin + h * dim,
 * and zeros everywhere else. */
static void check_padded(const tern_tensor *got, int64_t tokens, int64_t pad, const tern_tensor *from, int64_t width,
                         int64_t begin, int64_t dim, const char *why)
{
    for (int64_t i = 0; i < B * H * tokens * pad; i++) {
        int64_t c = i % pad, s = i / pad % tokens, h = i / pad / tokens % H, b = i / pad / tokens / H;
        double want = c < dim && s < S ? rig_get(from, (b * S + s) * width + begin + h * dim + c) : 0;
        if (rig_get(got, i) != want)
            fail_msg("%s: [%d, %d, %d, %d] is %g, not %g", why, (int)b, (int)h, (int)s, (int)c, rig_get(got, i), want);
    }
}

static void test_linear(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t type = 0; type < 3; type++) {
            tern_config config = rig_config(type);
            tern_dtype t = rig_types[type].t;
            tern_op *op;
            int64_t k = 9, n = 3 * H * rows[r].dim, pad = rows[r].linear, plane = B * H * S * pad;
            tern_tensor x = rig_random(t, RIG_SHAPE(B, S, k), 1), w = rig_random(t, RIG_SHAPE(k, n), 2),
                bias = rig_random(t, RIG_SHAPE(n), 3);
            tern_tensor plain = rig_new(t, RIG_SHAPE(B, S, n)), heads = rig_new(t, RIG_SHAPE(3, B, H, S, pad));
            for (int64_t i = 0; i < 3 * plane; i++) rig_put(&heads, i, 7);
            RIG_OK(tern_op_create(rig, "linear", &config, &op));
            tern_linear_args args = { .input = x, .weight = w, .bias = bias, .output = plain, .num_heads = H };
            RIG_OK(tern_linear_run(op, &args));
            args.do_flash_attn = true;
            args.output = heads;
            RIG_OK(tern_linear_run(op, &args));
            for (int64_t part = 0; part < 3; part++) {
                tern_tensor one = heads;
                one.data = (char *)heads.data + (size_t)(part * plane) * tern_dtype_bytes(t);
                check_padded(&one, S, pad, &plain, n, part * H * rows[r].dim, rows[r].dim, rows[r].why);
            }
            args.output = tern_tensor_of(heads.data, t, RIG_SHAPE(3, B, H, S, pad / 2));
            assert_int_equal(tern_linear_run(op, &args), TERN_ERR_SHAPE);
            assert_true(rig_has_parts(tern_ctx_error(rig), "linear|output"));
            tern_op_free(op);
            free(x.data);
            free(w.data);
            free(bias.data);
            free(plain.data);
            free(heads.data);
        }
}

static void test_pad_transform(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        tern_config config = rig_config(0);
        tern_op *op;
        int64_t e = H * rows[r].dim, pad = rows[r].transform, tokens[3] = { S, 128, 128 };
        tern_tensor in[3], out[3];
        for (int i = 0; i < 3; i++) {
            in[i] = rig_random(TERN_F32, RIG_SHAPE(B, S, e), (uint64_t)i);
            out[i] = rig_new(TERN_F32, RIG_SHAPE(B, H, tokens[i], pad));
        }
        RIG_OK(tern_op_create(rig, "pad_transform", &config, &op));
        RIG_OK(tern_pad_transform_run(op, &(tern_pad_transform_args){ .query = in[0], .key = in[1], .value = in[2],
                                                                      .query_output = out[0], .key_output = out[1],
                                                                     .value_output = out[2], .heads = H,
                                                                     .do_flash_attn = true }));
        for (int i = 0; i < 3; i++) check_padded(&out[i], tokens[i], pad, &in[i], e, 0, rows[r].dim, rows[r].why);
        tern_op_free(op);
        for (int i = 0; i < 3; i++) {
            free(in[i].data);
            free(out[i].data);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_linear), cmocka_unit_test(test_pad_transform) };
    RIG_ON_EVERY_ISA(tests);
}
