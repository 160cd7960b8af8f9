/* qkv_gemm: the norm before attention and the projection behind it. */
#include "ops/cost.h"
#include "ops/operands.h"
#include "ops/ops.h"
#include "ops/parts.h"

static const op_arg args_table[] = {
    OP_ARG(tern_qkv_gemm_args, input, IN, OF_T, "*E"),
    OP_ARG(tern_qkv_gemm_args, weight, IN, OF_WEIGHT, "EN"),
    OP_ARG(tern_qkv_gemm_args, weight_k, MAYBE, OF_WEIGHT, "EP"),
    OP_ARG(tern_qkv_gemm_args, weight_v, MAYBE, OF_WEIGHT, "EQ"),
    OP_SCALE(tern_qkv_gemm_args, weight),
    OP_SCALE(tern_qkv_gemm_args, weight_k),
    OP_SCALE(tern_qkv_gemm_args, weight_v),
    OP_ARG(tern_qkv_gemm_args, bias, MAYBE, OF_PARAM, "N"),
    OP_ARG(tern_qkv_gemm_args, bias_k, MAYBE, OF_PARAM, "P"),
    OP_ARG(tern_qkv_gemm_args, bias_v, MAYBE, OF_PARAM, "Q"),
    OP_ARG(tern_qkv_gemm_args, gamma, IN, OF_PARAM, "E"),
    OP_ARG(tern_qkv_gemm_args, beta, MAYBE, OF_PARAM, "E"),
    OP_ARG(tern_qkv_gemm_args, output, OUT, OF_T, "*O"),
    OP_ARG(tern_qkv_gemm_args, inp_norm, OUT_MAYBE, OF_T, "*E"),
    { 0 },
};

static const char *const config[] = { "norm_type", "layer_norm_eps", "transposed_mode", NULL };

static tern_status check(tern_op *op, const void *args, op_dims *d)
{
    const tern_qkv_gemm_args *a = args;
    return op_check_parts(op, &a->weight_k, &a->weight_v, d);
}

static tern_status run(tern_op *op, const void *args, const op_dims *d)
{
    const tern_qkv_gemm_args *a = args;
    op_rows x, n, y;
    tern_status st = TERN_OK;
    TERN_TRY(op_in(op, &a->input, &x));
    TERN_TRY(op_out(op, &a->output, &y));
    if (a->inp_norm.data) TERN_TRY(op_out(op, &a->inp_norm, &n));
    else TERN_TRY(op_scratch(op, x.n_row, op_dim(d, 'E'), &n));
    TERN_TRY(op_norm(op, &(op_norm_in){ .x = &x, .gamma = &a->gamma, .beta = &a->beta }, &n, NULL));
    TERN_TRY(op_matmul_parts(op,
                             &(op_parts){ { &a->weight, &a->weight_k, &a->weight_v },
                                          { &a->weight_scale, &a->weight_k_scale, &a->weight_v_scale },
                                          { &a->bias, &a->bias_k, &a->bias_v } },
                             &n, &y));
    TERN_TRY(op_put(op, &y, &a->output));
    TERN_TRY(op_put(op, &n, &a->inp_norm));
done:
    return st;
}

static void cost(const tern_op *op, const void *args, const op_dims *d, tern_cost *c)
{
    const tern_qkv_gemm_args *a = args;
    double n = (double)d->n_row, dim = (double)op_dim(d, 'E'), biases = cost_if(&a->bias) * (double)op_dim(d, 'N');
    biases += a->bias_k.data ? (double)op_dim(d, 'P') : 0;
    biases += a->bias_v.data ? (double)op_dim(d, 'Q') : 0;
    c->flops = cost_norm_of(op, n, dim, a->beta.data) + cost_product(n, dim, (double)op_dim(d, 'O')) + n * biases;
}

const op_desc op_qkv_gemm = {
    .name = "qkv_gemm", .summary = "the norm before attention and the projection to q, k and v",
    .args_size = sizeof(tern_qkv_gemm_args), .args = args_table, .config = config, .prepare = op_need_norm,
    .check = check, .cost = cost, .run = run,
};
OP_TYPED_CALL(qkv_gemm)
