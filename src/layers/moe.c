/* A gate, its experts, and a dense MLP beside them: tern_moe. Built from ops; routes and the
 * exchange between ranks are in moe_routes.c. Called by moe_layer.c and by users of the layer
 * API. */
#include "layers/moe.h"

#include <string.h>

#include "base/fp.h"
#include "base/memory.h"
#include "layers/layers.h"
#include "ops/config_fields.h"

/* ---- Creation ---- */

static tern_status check_weights(tern_ctx *ctx, const tern_moe_config *c, const tern_moe_weights *w,
                                 const tern_comm *experts, const tern_comm *tensors)
{
    int64_t dim = c->layer.hidden_size;
    const struct { const char *name; const tern_tensor *t; bool needed; int rank; int64_t first; } rows[] = {
        { "gate_w", &w->gate_w, true, 2, c->global_experts }, { "inter_w", &w->inter_w, true, 3, c->moe_experts },
        { "output_w", &w->output_w, true, 3, c->moe_experts },
        { "inter_b", &w->inter_b, false, 2, c->moe_experts }, { "output_b", &w->output_b, false, 2, c->moe_experts },
        { "inter_w_scale", &w->inter_w_scale, false, 2, c->moe_experts },
        { "output_w_scale", &w->output_w_scale, false, 2, c->moe_experts },
        { "coefficient_w", &w->coefficient_w, c->mlp_type == TERN_MLP_RESIDUAL, 2, 2 },
        { "mlp_inter_w", &w->mlp_inter_w, c->mlp_type == TERN_MLP_RESIDUAL, 2, 0 },
        { "mlp_output_w", &w->mlp_output_w, c->mlp_type == TERN_MLP_RESIDUAL, 2, 0 },
    };
    if (dim < 1) return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe: hidden_size is %lld, not 1 or more", (long long)dim);
    if (experts->size != c->global_experts / c->moe_experts)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe: global_experts %lld by moe_experts %lld are %lld ranks, and the "
                         "communicator has %d", (long long)c->global_experts, (long long)c->moe_experts,
                         (long long)(c->global_experts / c->moe_experts), experts->size);
    if (tensors->size != c->layer.mp_size)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe: mp_size is %lld and the communicator has %d ranks",
                         (long long)c->layer.mp_size, tensors->size);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tern_tensor *t = rows[i].t;
        if (!t->data && rows[i].needed) return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe: %s is missing", rows[i].name);
        if (!t->data) continue;
        if (t->rank != rows[i].rank)
            return tern_fail(ctx, TERN_ERR_SHAPE, "moe: %s has %d axes, not %d", rows[i].name, t->rank, rows[i].rank);
        if (rows[i].first && t->shape[0] != rows[i].first)
            return tern_fail(ctx, TERN_ERR_SHAPE, "moe: axis 0 of %s is %lld, not %lld", rows[i].name,
                             (long long)t->shape[0], (long long)rows[i].first);
        if (!tern_tensor_contiguous(t))
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe: %s is not contiguous", rows[i].name);
    }
    return TERN_OK;
}

/* Gates and coefficients multiply in f32, [out, in]: their choices are discrete. */
static tern_status create_ops(tern_moe *moe)
{
    static const char *const gates[] = { "top1gating", "top2gating", "topkgating" };
    const tern_moe_config *c = &moe->config;
    tern_ctx *ctx = moe->ctx;
    tern_config wide = c->layer, plain;
    tern_status st = TERN_OK;
    wide.dtype = TERN_DTYPE_FP32;
    wide.compute = TERN_F32;
    wide.transposed_mode = true;
    plain = wide;
    plain.transposed_mode = false;
    TERN_TRY(tern_op_create(ctx, "vector_matmul", &wide, &moe->score));
    TERN_TRY(tern_op_create(ctx, gates[c->k < 3 ? c->k - 1 : 2], &wide, &moe->gate));
    TERN_TRY(tern_op_create(ctx, "gelu_gemm", &c->layer, &moe->expert));
    TERN_TRY(tern_op_create(ctx, "bias_add", &c->layer, &moe->bias));
    TERN_TRY(tern_op_create(ctx, "linear", &wide, &moe->coefficient));
    TERN_TRY(tern_op_create(ctx, "softmax", &(tern_config){ .dtype = TERN_DTYPE_FP32, .mp_size = 1 }, &moe->share));
    TERN_TRY(tern_op_create(ctx, "moe_res_matmul", &c->layer, &moe->mix));
    TERN_TRY(tern_op_create(ctx, "einsum_sec_sm_ecm", &plain, &moe->mask));
    TERN_TRY(tern_op_create(ctx, "vector_matmul", &plain, &moe->weigh));
done:
    return st;
}

tern_status tern_moe_create(tern_ctx *ctx, const tern_moe_config *config, const tern_moe_weights *weights,
                            const tern_moe_comm *comm, tern_moe **out)
{
    const tern_comm *experts = comm && comm->experts ? comm->experts : tern_comm_single(),
        *tensors = comm && comm->tensors ? comm->tensors : tern_comm_single();
    tern_moe *moe = NULL;
    tern_status st = TERN_OK;
    if (!config || !weights || !out)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "moe: no config, no weights, or no place for it");
    TERN_TRY(tern_moe_config_check(ctx, config));
    TERN_TRY(check_weights(ctx, config, weights, experts, tensors));
    moe = tern_alloc(ctx, 1, sizeof *moe, "a mixture of experts");
    if (!moe) return TERN_ERR_MEMORY;
    moe->ctx = ctx;
    moe->config = *config;
    moe->w = *weights;
    moe->experts = experts;
    moe->tensors = tensors;
    moe->dim = config->layer.hidden_size;
    TERN_TRY(create_ops(moe));
    moe->t = config_type(config->layer.dtype);
    *out = moe;
    moe = NULL;
done:
    tern_moe_free(moe);
    return st;
}

void tern_moe_free(tern_moe *moe)
{
    if (!moe) return;
    tern_op *const ops[] = { moe->score, moe->gate, moe->expert, moe->bias, moe->coefficient, moe->share, moe->mix,
                             moe->mask, moe->weigh };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) tern_op_free(ops[i]);
    tern_free(moe);
}

/* ---- Tensors of a call ---- */

tern_tensor moe_rows(tern_moe *moe, tern_dtype dtype, int64_t n, int64_t dim)
{
    tern_tensor t = tern_tensor_of(NULL, dtype, 2, (int64_t[]){ n, dim });
    t.data = tern_arena_get(moe->ctx, &moe->ctx->step, (size_t)(n * dim), tern_dtype_bytes(dtype));
    return t;
}

tern_status moe_convert_into(tern_moe *moe, const tern_tensor *x, tern_tensor *y)
{
    return moe->ctx->backend->convert(moe->ctx, &(tern_convert){
        .from = x->data, .to = y->data, .from_dtype = x->dtype, .to_dtype = y->dtype, .n = tern_tensor_count(x) });
}

tern_status moe_convert(tern_moe *moe, const tern_tensor *x, tern_dtype dtype, tern_tensor *y)
{
    *y = *x;
    if (x->dtype == dtype) return TERN_OK;
    *y = moe_rows(moe, dtype, x->shape[0], x->shape[1]);
    return y->data ? moe_convert_into(moe, x, y) : TERN_ERR_MEMORY;
}

/* ---- The call ---- */

/* x * U(0.99, 1.01), element by element: DeepSpeed's multiplicative_jitter. */
static tern_status jitter(tern_moe *moe, int64_t seed, tern_tensor *x)
{
    enum { STREAM_JITTER = 3 };
    int64_t n = tern_tensor_count(x);
    tern_tensor noise = moe_rows(moe, TERN_F32, x->shape[0], x->shape[1]);
    tern_status st = TERN_OK;
    if (!noise.data) return TERN_ERR_MEMORY;
    TERN_TRY(moe->ctx->backend->random(moe->ctx, &(tern_random_fill){
        .seed = (uint64_t)seed, .stream = STREAM_JITTER, .y = noise.data, .n = n, .low = 0.99f, .high = 1.01f }));
    TERN_TRY(moe->ctx->backend->blend(moe->ctx, &(tern_blend){
        .a = x->data, .weight_a = noise.data, .y = noise.data, .lda = n, .ldy = n, .weight_row = n, .weight_col = 1,
        .n_row = 1, .dim = n }));
    *x = noise;
done:
    return st;
}

static tern_status score_tokens(tern_moe *moe, const tern_moe_args *args, const tern_tensor *x, tern_tensor *logits)
{
    tern_tensor wide;
    tern_status st = TERN_OK;
    *logits = moe_rows(moe, TERN_F32, x->shape[0], moe->config.global_experts);
    if (!logits->data) return TERN_ERR_MEMORY;
    TERN_TRY(moe_convert(moe, x, TERN_F32, &wide));
    if (args->training && moe->config.noisy_gate_policy == TERN_NOISE_JITTER) TERN_TRY(jitter(moe, args->seed, &wide));
    TERN_TRY(tern_vector_matmul_run(moe->score, &(tern_vector_matmul_args){ .input = wide, .weight = moe->w.gate_w,
                                                                            .output = *logits }));
done:
    return st;
}

/* y = y * p0 + mlp(x) * p1 */
static tern_status add_dense(tern_moe *moe, const tern_tensor *x, tern_tensor *y)
{
    const tern_moe_weights *w = &moe->w;
    int64_t n = x->shape[0];
    tern_tensor wide, mlp = moe_rows(moe, moe->t, n, moe->dim), coef = moe_rows(moe, TERN_F32, n, 2);
    tern_tensor as_scores = tern_tensor_of(coef.data, TERN_F32, 4, (int64_t[]){ 1, 1, n, 2 });
    tern_status st = TERN_OK;
    if (!mlp.data || !coef.data) return TERN_ERR_MEMORY;
    TERN_TRY(tern_gelu_gemm_run(moe->expert, &(tern_gelu_gemm_args){
        .input = *x, .weight = w->mlp_inter_w, .weight_scale = w->mlp_inter_w_scale, .bias = w->mlp_inter_b,
        .weight_out = w->mlp_output_w, .weight_out_scale = w->mlp_output_w_scale, .output = mlp }));
    TERN_TRY(tern_ranks_sum(moe->ctx, moe->tensors, &mlp));
    if (w->mlp_output_b.data)
        TERN_TRY(tern_bias_add_run(moe->bias,
                                   &(tern_bias_add_args){ .input = mlp, .bias = w->mlp_output_b, .output = mlp }));
    TERN_TRY(moe_convert(moe, x, TERN_F32, &wide));
    tern_tensor bias = w->coefficient_b;
    if (bias.data && bias.dtype != TERN_F32) {
        tern_tensor row = tern_tensor_of(bias.data, bias.dtype, 2, (int64_t[]){ 1, 2 }), wide_row;
        TERN_TRY(moe_convert(moe, &row, TERN_F32, &wide_row));
        bias = tern_tensor_of(wide_row.data, TERN_F32, 1, (int64_t[]){ 2 });
    }
    TERN_TRY(tern_linear_run(moe->coefficient, &(tern_linear_args){ .input = wide, .weight = w->coefficient_w,
                                                                    .bias = bias, .output = coef }));
    TERN_TRY(tern_softmax_run(moe->share, &(tern_softmax_args){
        .attn_scores = as_scores, .not_triangular = true, .layer_scale = 1, .output = as_scores }));
    TERN_TRY(tern_moe_res_matmul_run(moe->mix, &(tern_moe_res_matmul_args){ .residual = mlp, .coef = coef, .output = *y,
                                                                            .result = *y }));
done:
    return st;
}

static tern_status check_rows(tern_moe *moe, const char *name, const tern_tensor *t, int64_t n_row)
{
    int64_t width = t->rank > 0 ? t->shape[t->rank - 1] : 0;
    if (!t->data) return tern_fail(moe->ctx, TERN_ERR_ARGUMENT, "moe: %s is missing", name);
    if (t->dtype != moe->t)
        return tern_fail(moe->ctx, TERN_ERR_DTYPE, "moe: %s is %s, not %s", name, tern_dtype_name(t->dtype),
                         tern_dtype_name(moe->t));
    if (width != moe->dim)
        return tern_fail(moe->ctx, TERN_ERR_SHAPE, "moe: %s has %lld channels, not hidden_size %lld", name,
                         (long long)width, (long long)moe->dim);
    if (!tern_tensor_contiguous(t)) return tern_fail(moe->ctx, TERN_ERR_ARGUMENT, "moe: %s is not contiguous", name);
    if (tern_tensor_count(t) / width == n_row) return TERN_OK;
    return tern_fail(moe->ctx, TERN_ERR_SHAPE, "moe: %s has %lld rows, not %lld", name,
                     (long long)(tern_tensor_count(t) / width), (long long)n_row);
}

tern_status tern_moe_run(tern_moe *moe, const tern_moe_args *args)
{
    tern_ctx *ctx = moe->ctx;
    TERN_OWN_FP(ctx);
    tern_status st = TERN_OK;
    moe_routes routes;
    tern_tensor logits;
    tern_mark mark = tern_arena_mark(&ctx->step);
    int64_t n = tern_tensor_count(&args->input) / moe->dim;
    TERN_TRY(check_rows(moe, "input", &args->input, n));
    TERN_TRY(check_rows(moe, "output", &args->output, n));
    tern_tensor x = tern_tensor_of(args->input.data, moe->t, 2, (int64_t[]){ n, moe->dim }),
                y = tern_tensor_of(args->output.data, moe->t, 2, (int64_t[]){ n, moe->dim });
    TERN_TRY(score_tokens(moe, args, &x, &logits));
    TERN_TRY(moe_choose(moe, args, &logits, &routes));
    TERN_TRY(moe_experts(moe, &routes, &x, &y));
    if (moe->config.mlp_type == TERN_MLP_RESIDUAL && n) TERN_TRY(add_dense(moe, &x, &y));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
