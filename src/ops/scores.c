/* Masks and alibi as a primitive takes them: see scores.h. */
#include "ops/scores.h"

/* No tensor, or DeepSpeed's placeholder for none: one axis of one element. */
static bool absent(const tern_tensor *t)
{
    return !t->data || (t->rank == 1 && t->shape[0] == 1);
}

static tern_status check_mask(tern_op *op, const score_shape *s, const char *name, const tern_tensor *mask)
{
    const int64_t full[4] = { s->n_seq, s->n_head, s->n_row, s->n_key };
    if (mask->rank != 2 && mask->rank != 4)
        return op_fail(op, TERN_ERR_SHAPE, "%s has %d axes, not 2 or 4", name, mask->rank);
    for (int i = 0; i < mask->rank; i++) {
        int64_t have = mask->shape[i], want = full[mask->rank == 2 && i == 1 ? 3 : i];
        bool key = i == mask->rank - 1;
        if (have == want || (have == 1 && !key)) continue;
        const char *more = want == 1 ? "" : " or 1";
        return op_fail(op, TERN_ERR_SHAPE, "axis %d of %s is %lld, not %lld%s", i, name, (long long)have,
                       (long long)want, key ? " (the keys)" : more);
    }
    return TERN_OK;
}

static tern_status check_alibi(tern_op *op, const score_shape *s, const char *name, const tern_tensor *alibi)
{
    int64_t total = s->n_head * s->mp_size;
    if (alibi->rank != 3 || alibi->shape[1] != 1)
        return op_fail(op, TERN_ERR_SHAPE, "%s has %d axes, not [batch * heads, 1, keys]", name, alibi->rank);
    if (alibi->shape[0] != s->n_seq * total)
        return op_fail(op, TERN_ERR_SHAPE, "axis 0 of %s is %lld, not %lld (%lld sequences of %lld heads)", name,
                       (long long)alibi->shape[0], (long long)(s->n_seq * total), (long long)s->n_seq,
                       (long long)total);
    if (alibi->shape[2] != s->n_key)
        return op_fail(op, TERN_ERR_SHAPE, "axis 2 of %s is %lld, not %lld (the keys)", name,
                       (long long)alibi->shape[2], (long long)s->n_key);
    if (s->head_offset < 0 || s->head_offset + s->n_head > total)
        return op_fail(op, TERN_ERR_ARGUMENT, "head_offset is %lld, and %lld heads from there are beyond the %lld of "
                       "%s", (long long)s->head_offset, (long long)s->n_head, (long long)total, name);
    return TERN_OK;
}

tern_status scores_check(tern_op *op, const score_shape *shape, const char *mask_name, const tern_tensor *mask,
                         const char *alibi_name, const tern_tensor *alibi)
{
    tern_status st = !absent(mask) ? check_mask(op, shape, mask_name, mask) : TERN_OK;
    if (!st && !absent(alibi)) st = check_alibi(op, shape, alibi_name, alibi);
    return st;
}

tern_status scores_mask(tern_op *op, const score_shape *shape, const tern_tensor *mask, tern_score_bias *out)
{
    *out = (tern_score_bias){ 0 };
    if (absent(mask)) return TERN_OK;
    tern_status st = op_floats(op, mask, &out->data);
    if (st) return st;
    bool flat = mask->rank == 2;
    int64_t heads = flat ? 1 : mask->shape[1], rows = flat ? 1 : mask->shape[2];
    out->stride_row = rows > 1 ? shape->n_key : 0;
    out->stride_head = heads > 1 ? rows * shape->n_key : 0;
    out->stride_seq = mask->shape[0] > 1 ? heads * rows * shape->n_key : 0;
    return TERN_OK;
}

tern_status scores_alibi(tern_op *op, const score_shape *shape, const tern_tensor *alibi, tern_score_bias *out)
{
    *out = (tern_score_bias){ 0 };
    if (absent(alibi)) return TERN_OK;
    tern_status st = op_floats(op, alibi, &out->data);
    if (st) return st;
    out->data += shape->head_offset * shape->n_key;
    out->stride_head = shape->n_key;
    out->stride_seq = shape->n_head * shape->mp_size * shape->n_key;
    return TERN_OK;
}
