/* The rows that tern bench --ops times, proved: on every instruction set and by several threads
 * each gives what the scalar kernels give by one, and the same bits by any number of threads. The
 * scalar kernels' values are proved by formulas and by fixtures in the other tests. */
#include "rig.h"

#include "ops/rows.h"

enum { N_ROWS = sizeof op_rows / sizeof *op_rows };

typedef struct run {
    tern_op *op;
    tern_workspace *ws;
    tern_named_tensor in[OP_ROW_TENSORS], out[OP_ROW_OUTPUTS];
    size_t n_in, n_out;
} run;

static void run_row(tern_ctx *ctx, const op_row *row, run *r)
{
    *r = (run){ 0 };
    for (const op_row_tensor *t = row->in; t < row->in + OP_ROW_TENSORS && t->name; t++, r->n_in++) {
        tern_tensor shape = op_row_tensor_of(t);
        r->in[r->n_in] = (tern_named_tensor){ t->name, rig_random(t->type, shape.rank, shape.shape, 100 + r->n_in) };
    }
    for (; r->n_out < OP_ROW_OUTPUTS && row->out[r->n_out]; r->n_out++) r->out[r->n_out].name = row->out[r->n_out];
    if (op_row_create(ctx, row, &r->op, &r->ws) || tern_op_run(r->op, r->in, r->n_in, r->out, r->n_out, NULL))
        fail_msg("%s (%s): %s", row->op, row->why, tern_ctx_error(ctx));
}

static void free_run(run *r)
{
    tern_outputs_free(r->out, r->n_out);
    tern_op_free(r->op);
    tern_workspace_free(r->ws);
    for (size_t i = 0; i < r->n_in; i++) free(r->in[i].tensor.data);
}

/* Relative to the number and to the root mean square of all: sums of thousands of products in
 * another order; of 16-bit types a rounding that falls to the other side, and what comes of it
 * behind another product. */
static double tolerance(tern_dtype t)
{
    if (t == TERN_BF16) return 0x1p-6;
    if (t == TERN_F16) return 0x1p-9;
    return 2e-5;
}

static void check_near(const op_row *row, const char *isa, const tern_named_tensor *got, const tern_named_tensor *want)
{
    int64_t n = tern_tensor_count(&want->tensor);
    double squares = 0, e = tolerance(want->tensor.dtype);
    assert_int_equal(n, tern_tensor_count(&got->tensor));
    for (int64_t i = 0; i < n; i++) squares += pow(rig_get(&want->tensor, i), 2);
    for (int64_t i = 0; i < n; i++) {
        double g = rig_get(&got->tensor, i), w = rig_get(&want->tensor, i),
            allowed = want->tensor.dtype == TERN_I8 ? 1 : e * (fabs(w) + sqrt(squares / (double)n));
        if (!(g == w || fabs(g - w) <= allowed))
            fail_msg("%s (%s) on %s: %s[%lld] is %.9g, the scalar kernels have %.9g", row->op, row->why, isa,
                     want->name, (long long)i, g, w);
    }
}

static void check_same_bits(const op_row *row, const char *isa, const tern_named_tensor *a, const tern_named_tensor *b)
{
    size_t n = (size_t)tern_tensor_count(&a->tensor) * tern_dtype_bytes(a->tensor.dtype);
    if (memcmp(a->tensor.data, b->tensor.data, n))
        fail_msg("%s (%s) on %s: %s has other bits by three threads than by one", row->op, row->why, isa, a->name);
}

static void check_row(const op_row *row)
{
    tern_ctx *scalar, *one, *three;
    run want, a, b;
    const char *isa;
    RIG_OK(tern_ctx_create(&(tern_ctx_options){ .threads = 1, .isa = "scalar" }, &scalar));
    run_row(scalar, row, &want);
    for (size_t i = 1; (isa = tern_isa_name(i)); i++) {
        if (!tern_isa_usable(i)) continue;
        RIG_OK(tern_ctx_create(&(tern_ctx_options){ .threads = 1, .isa = isa }, &one));
        RIG_OK(tern_ctx_create(&(tern_ctx_options){ .threads = 3, .isa = isa }, &three));
        run_row(one, row, &a);
        run_row(three, row, &b);
        for (size_t o = 0; o < want.n_out; o++) {
            check_near(row, isa, &a.out[o], &want.out[o]);
            check_same_bits(row, isa, &a.out[o], &b.out[o]);
        }
        free_run(&a);
        free_run(&b);
        tern_ctx_free(one);
        tern_ctx_free(three);
    }
    free_run(&want);
    tern_ctx_free(scalar);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) check_row(&op_rows[i]);
}

static void test_every_op_has_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; tern_op_name(i); i++) {
        bool found = false;
        for (size_t r = 0; r < N_ROWS; r++) found = found || !strcmp(op_rows[r].op, tern_op_name(i));
        if (!found) fail_msg("%s has no row", tern_op_name(i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_every_op_has_a_row) };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
