/* Norms and products that several ops share: see parts.h. */
#include "ops/parts.h"

tern_status op_check_parts(tern_op *op, const tern_tensor *weight_k, const tern_tensor *weight_v, op_dims *d)
{
    bool k = weight_k->data, v = weight_v->data;
    if (k != v)
        return op_fail(op, TERN_ERR_ARGUMENT, "%s is given and %s is missing", k ? "weight_k" : "weight_v",
                       k ? "weight_v" : "weight_k");
    op_bind(d, 'O', op_dim(d, 'N') + (k ? op_dim(d, 'P') + op_dim(d, 'Q') : 0));
    return TERN_OK;
}

tern_status op_matmul_parts(tern_op *op, const op_parts *parts, const op_rows *x, const op_rows *y)
{
    tern_matmul m = { .x = x->data, .ldx = x->ld, .n_row = x->n_row, .compute = op->config.compute, .round = op->t };
    float *column = y->data;
    for (int i = 0; i < 3; i++) {
        if (!parts->weight[i] || !parts->weight[i]->data) continue;
        tern_matmul_part *p = &m.part[m.n_part++];
        p->w = op_weight(op, parts->weight[i], parts->scale[i]);
        p->y = column;
        p->ldy = y->ld;
        column += p->w.out;
        tern_status st = parts->bias[i] ? op_floats(op, parts->bias[i], &p->bias) : TERN_OK;
        if (st) return st;
    }
    return op->ctx->backend->matmul(op->ctx, &m);
}

tern_status op_norm_of_kind(tern_op *op, tern_norm_kind kind, const op_norm_in *in, const op_rows *y,
                            const op_rows *sum)
{
    tern_norm n = { .kind = kind, .x = in->x->data, .ldx = in->x->ld, .y = y->data, .ldy = y->ld, .n_row = in->x->n_row,
                    .dim = in->x->dim,
                    .eps = (float)op->config.layer_norm_eps, .round = op->t };
    tern_status st = TERN_OK;
    if (in->add) {
        n.add = in->add->data;
        n.ldadd = in->add->ld;
    }
    if (sum) {
        n.sum = sum->data;
        n.ldsum = sum->ld;
    }
    if (in->bias) TERN_TRY(op_floats(op, in->bias, &n.add_bias));
    if (in->gamma) TERN_TRY(op_floats(op, in->gamma, &n.w));
    if (in->beta) TERN_TRY(op_floats(op, in->beta, &n.b));
    TERN_TRY(op->ctx->backend->norm(op->ctx, &n));
done:
    return st;
}

tern_status op_norm(tern_op *op, const op_norm_in *in, const op_rows *y, const op_rows *sum)
{
    return op_norm_of_kind(op, op->config.norm_type == TERN_NORM_RMS ? NORM_RMS : NORM_LAYER, in, y, sum);
}

tern_status op_padded_head(tern_op *op, int64_t head_dim, int64_t *padded)
{
    if (head_dim < 32) *padded = 32;
    else if (head_dim <= 64) *padded = 64;
    else *padded = 128;
    return head_dim <= 128 ? TERN_OK : op_fail(op, TERN_ERR_UNSUPPORTED, "heads of %lld channels; do_flash_attn pads "
                                               "up to 128", (long long)head_dim);
}
