/* gelu_gemm: an MLP without its norm: what layers with one norm and experts run. */
#include "ops/cost.h"
#include "ops/mlp.h"
#include "ops/operands.h"
#include "ops/ops.h"

static const op_arg args_table[] = {
    OP_ARG(tern_gelu_gemm_args, input, IN, OF_T, "*E"),
    OP_ARG(tern_gelu_gemm_args, weight, IN, OF_WEIGHT, "EW"),
    OP_ARG(tern_gelu_gemm_args, weight_gate, MAYBE, OF_WEIGHT, "EW"),
    OP_ARG(tern_gelu_gemm_args, weight_out, IN, OF_WEIGHT, "IO"),
    OP_SCALE(tern_gelu_gemm_args, weight),
    OP_SCALE(tern_gelu_gemm_args, weight_gate),
    OP_SCALE(tern_gelu_gemm_args, weight_out),
    OP_ARG(tern_gelu_gemm_args, bias, MAYBE, OF_PARAM, "W"),
    OP_ARG(tern_gelu_gemm_args, bias_gate, MAYBE, OF_PARAM, "W"),
    OP_ARG(tern_gelu_gemm_args, output, OUT, OF_T, "*O"),
    { 0 },
};

static const char *const config[] = { "mlp_act_func_type", "transposed_mode", NULL };

static op_mlp mlp_of(const tern_gelu_gemm_args *a)
{
    return (op_mlp){ .value = &a->weight, .gate = &a->weight_gate, .out = &a->weight_out,
                     .value_scale = &a->weight_scale,
                     .gate_scale = &a->weight_gate_scale, .out_scale = &a->weight_out_scale, .value_bias = &a->bias,
                     .gate_bias = &a->bias_gate };
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    op_mlp mlp = mlp_of(args);
    return op_mlp_check(op, &mlp, "weight", d);
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_gelu_gemm_args *a = args;
    op_mlp mlp = mlp_of(a);
    op_rows x, y;
    tern_status st = TERN_OK;
    (void)d;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_out(op, &a->output, &y));
    TERN_TRY(op_mlp_run(op, &mlp, &x, &y));
    TERN_TRY(op_put(op, &y, &a->output));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_gelu_gemm_args *a = args;
    op_mlp mlp = mlp_of(a);
    c->flops = op_mlp_flops(op, &mlp, d, 'E', 'O');
}

const op_desc op_gelu_gemm = {
    .name = "gelu_gemm", .summary = "an MLP without its norm", .args_size = sizeof(tern_gelu_gemm_args),
    .args = args_table, .config = config, .prepare = op_mlp_prepare, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(gelu_gemm)
