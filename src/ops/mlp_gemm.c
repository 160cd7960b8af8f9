/* mlp_gemm: attention's residual, the norm between attention and MLP, and the MLP. */
#include "ops/cost.h"
#include "ops/mlp.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/parts.h"

static const op_arg args_table[] = {
    OP_ARG(tern_mlp_gemm_args, input, IN, OF_T, "*E"),
    OP_ARG(tern_mlp_gemm_args, residual, IN, OF_T, "*E"),
    OP_ARG(tern_mlp_gemm_args, weight_interm, IN, OF_WEIGHT, "EW"),
    OP_ARG(tern_mlp_gemm_args, weight_gate, MAYBE, OF_WEIGHT, "EW"),
    OP_ARG(tern_mlp_gemm_args, weight_out, IN, OF_WEIGHT, "IE"),
    OP_SCALE(tern_mlp_gemm_args, weight_interm),
    OP_SCALE(tern_mlp_gemm_args, weight_gate),
    OP_SCALE(tern_mlp_gemm_args, weight_out),
    OP_ARG(tern_mlp_gemm_args, input_bias, MAYBE, OF_PARAM, "E"),
    OP_ARG(tern_mlp_gemm_args, bias, MAYBE, OF_PARAM, "W"),
    OP_ARG(tern_mlp_gemm_args, bias_gate, MAYBE, OF_PARAM, "W"),
    OP_ARG(tern_mlp_gemm_args, gamma, IN, OF_PARAM, "E"),
    OP_ARG(tern_mlp_gemm_args, beta, MAYBE, OF_PARAM, "E"),
    OP_ARG(tern_mlp_gemm_args, output, OUT, OF_T, "*E"),
    OP_ARG(tern_mlp_gemm_args, residual_add, OUT_MAYBE, OF_T, "*E"),
    { 0 },
};

static const field options[] = {
    { "pre_layer_norm", NULL, FIELD_IGNORED, 0, 0, 0, NULL, NULL },
    { 0 },
};

static const char *const config[] = { "norm_type", "layer_norm_eps", "mlp_act_func_type", "mlp_after_attn",
                                      "transposed_mode", NULL };

static op_mlp mlp_of(const tern_mlp_gemm_args *a)
{
    return (op_mlp){ .value = &a->weight_interm, .gate = &a->weight_gate, .out = &a->weight_out,
                     .value_scale = &a->weight_interm_scale,
                     .gate_scale = &a->weight_gate_scale, .out_scale = &a->weight_out_scale, .value_bias = &a->bias,
                     .gate_bias = &a->bias_gate };
}

static tern_status prepare(tern_op *op)
{
    tern_status st = op_need_norm(op);
    if (!st) st = op_mlp_prepare(op);
    if (!st && op->config.norm_type == TERN_NORM_RMS && !op->config.mlp_after_attn)
        st = op_fail(op, TERN_ERR_UNSUPPORTED, "mlp_after_attn false goes with norm_type LayerNorm, not RMSNorm");
    return st;
}

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_mlp_gemm_args *a = args;
    op_mlp mlp = mlp_of(a);
    if (op_gated(op->config.mlp_act_func_type) && op->config.norm_type == TERN_NORM_LAYER && !a->weight_gate.data)
        return op_fail(op, TERN_ERR_UNSUPPORTED, "mlp_act_func_type %s with norm_type LayerNorm takes the gate apart, "
                       "as weight_gate", field_name_of(names_of_activations, (int)op->config.mlp_act_func_type));
    return op_mlp_check(op, &mlp, "weight_interm", d);
}

/* n = norm(r), r = input + input_bias + residual, or the residual alone in a parallel layer. */
static tern_status norm(tern_op *op, const tern_mlp_gemm_args *a, const op_rows *n, const op_rows *sum)
{
    op_rows x, residual;
    tern_status st = TERN_OK;
    op_norm_in in = { .x = &residual, .gamma = &a->gamma, .beta = &a->beta };
    TERN_TRY(op_in(op, &a->residual, &residual));
    if (op->config.mlp_after_attn) {
        TERN_TRY(op_in(op, &a->input, &x));
        in.x = &x;
        in.add = &residual;
        in.bias = &a->input_bias;
    }
    TERN_TRY(op_norm(op, &in, n, sum));
done:
    return st;
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_mlp_gemm_args *a = args;
    op_mlp mlp = mlp_of(a);
    bool rms = op->config.norm_type == TERN_NORM_RMS, wanted = a->residual_add.data;
    op_rows n, sum, y;
    tern_status st = TERN_OK;
    int64_t dim = op_dim(d, 'E');
    TERN_TRY(op_out(op, &a->output, &y));
    if (wanted && !rms) TERN_TRY(op_out(op, &a->residual_add, &n));
    else TERN_TRY(op_scratch(op, d->n_row, dim, &n));
    if (wanted && rms) TERN_TRY(op_out(op, &a->residual_add, &sum));
    TERN_TRY(norm(op, a, &n, wanted && rms ? &sum : NULL));
    TERN_TRY(op_mlp_run(op, &mlp, &n, &y));
    TERN_TRY(op_put(op, &y, &a->output));
    if (wanted) TERN_TRY(op_put(op, rms ? &sum : &n, &a->residual_add));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_mlp_gemm_args *a = args;
    double n = (double)d->n_row, dim = (double)op_dim(d, 'E');
    op_mlp mlp = mlp_of(a);
    if (!op->config.mlp_after_attn) {
        cost_unread(c, &a->input);
        cost_unread(c, &a->input_bias);
    }
    double added = op->config.mlp_after_attn ? 1 + cost_if(&a->input_bias) : 0;
    c->flops = n * dim * added + cost_norm_of(op, n, dim, a->beta.data) + op_mlp_flops(op, &mlp, d, 'E', 'E');
}

const op_desc op_mlp_gemm = {
    .name = "mlp_gemm", .summary = "attention's residual, the norm, and the MLP",
    .args_size = sizeof(tern_mlp_gemm_args), .args = args_table, .options = options, .config = config,
    .prepare = prepare, .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(mlp_gemm)
