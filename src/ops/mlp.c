/* An activation between two products: see mlp.h. */
#include "ops/mlp.h"

#include "ops/cost.h"

tern_status op_mlp_prepare(tern_op *op)
{
    int act = (int)op->config.mlp_act_func_type;
    if (act > TERN_ACT_UNKNOWN && act <= TERN_ACT_GATED_RELU) return TERN_OK;
    return op_fail(op, TERN_ERR_UNSUPPORTED, "mlp_act_func_type is %s (%d)", field_name_of(names_of_activations, act),
                   act);
}

tern_status op_mlp_check(tern_op *op, const op_mlp *mlp, const char *value_name, op_dims *d)
{
    bool gated = op_gated(op->config.mlp_act_func_type), apart = mlp->gate->data;
    int64_t wide = op_dim(d, 'W'), inner = op_dim(d, 'I');
    const char *act = field_name_of(names_of_activations, (int)op->config.mlp_act_func_type);
    if (apart && !gated)
        return op_fail(op, TERN_ERR_ARGUMENT, "weight_gate is given, and mlp_act_func_type %s has no gate", act);
    if (mlp->gate_bias->data && !apart)
        return op_fail(op, TERN_ERR_ARGUMENT, "bias_gate is given and weight_gate is missing");
    if (gated && !apart && wide % 2)
        return op_fail(op, TERN_ERR_SHAPE, "%s has %lld outputs, not twice as many as %s makes of them", value_name,
                       (long long)wide, act);
    int64_t made = gated && !apart ? wide / 2 : wide;
    if (made == inner) return TERN_OK;
    return op_fail(op, TERN_ERR_SHAPE, "%s and %s give %lld channels, and weight_out takes %lld", value_name, act,
                   (long long)made, (long long)inner);
}

double op_mlp_flops(const tern_op *op, const op_mlp *mlp, const op_dims *d, char in, char out)
{
    bool gated = op_gated(op->config.mlp_act_func_type), apart = mlp->gate->data;
    double n = (double)d->n_row, wide = (double)op_dim(d, 'W') * (apart ? 2 : 1), inner = (double)op_dim(d, 'I');
    double biases = (cost_if(mlp->value_bias) + cost_if(mlp->gate_bias)) * (double)op_dim(d, 'W');
    return cost_product(n, (double)op_dim(d, in),
                        wide) + n * (biases + inner * (gated ? 2 : 1)) + cost_product(n, inner, (double)op_dim(d, out));
}

/* Part 0 is the gate, part 1 the value; in one piece they are the second and the first half of the
 * outputs. */
static tern_status gate_parts(tern_op *op, const op_mlp *mlp, tern_matmul *m)
{
    tern_status st = TERN_OK;
    tern_matmul_part *gate = &m->part[0], *value = &m->part[1];
    m->gated = true;
    m->n_part = 2;
    value->w = op_weight(op, mlp->value, mlp->value_scale);
    TERN_TRY(op_floats(op, mlp->value_bias, &value->bias));
    if (mlp->gate->data) {
        gate->w = op_weight(op, mlp->gate, mlp->gate_scale);
        TERN_TRY(op_floats(op, mlp->gate_bias, &gate->bias));
    } else {
        tern_weight both = value->w;
        int64_t half = both.out / 2;
        TERN_TRY(op_weight_slice(op, &both, 0, half, &value->w));
        TERN_TRY(op_weight_slice(op, &both, half, half, &gate->w));
        if (value->bias) gate->bias = value->bias + half;
    }
done:
    return st;
}

tern_status op_mlp_run(tern_op *op, const op_mlp *mlp, const op_rows *x, const op_rows *y)
{
    tern_matmul m = { .x = x->data, .ldx = x->ld, .n_row = x->n_row, .n_part = 1,
                      .act = op_act(op->config.mlp_act_func_type),
                      .compute = op->config.compute, .round = op->t };
    tern_weight out = op_weight(op, mlp->out, mlp->out_scale);
    op_rows h;
    tern_status st = TERN_OK;
    if (op_gated(op->config.mlp_act_func_type)) {
        TERN_TRY(gate_parts(op, mlp, &m));
    } else {
        m.part[0].w = op_weight(op, mlp->value, mlp->value_scale);
        TERN_TRY(op_floats(op, mlp->value_bias, &m.part[0].bias));
    }
    TERN_TRY(op_scratch(op, x->n_row, out.in, &h));
    m.part[0].y = h.data;
    m.part[0].ldy = h.ld;
    TERN_TRY(op->ctx->backend->matmul(op->ctx, &m));
    TERN_TRY(op->ctx->backend->matmul(op->ctx, &(tern_matmul){
        .x = h.data, .ldx = h.ld, .n_row = x->n_row, .n_part = 1, .part[0] = { .w = out, .y = y->data, .ldy = y->ld },
        .compute = op->config.compute, .round = op->t }));
done:
    return st;
}
