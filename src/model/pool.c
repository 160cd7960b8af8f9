/* What stands on a single hidden state: pooler and classification head. Called by the embedder;
 * built from primitives. */
#include <stdio.h>

#include "base/ctx.h"
#include "base/fp.h"
#include "model/internal.h"

const char *tern_model_dir(const tern_model *m)
{
    return m->root;
}

bool tern_model_has_pooler(const tern_model *m)
{
    return m->slot[W_POOL].data != NULL;
}

/* y = act(x . w^T + b) */
static tern_status layer(tern_model *m, tern_slot w, tern_slot b, tern_act act, int64_t n, const float *x, float *y)
{
    const tern_tensor *t = &m->slot[w];
    tern_matmul product = { .x = x, .ldx = t->shape[1], .n_row = n, .n_part = 1, .act = act, .compute = m->compute };
    product.part[0] = (tern_matmul_part){ .w = tern_weight_of(t), .bias = m->slot[b].data, .y = y, .ldy = t->shape[0] };
    tern_status st = m->ctx->backend->matmul(m->ctx, &product);
    return st ? st : tern_model_cut(m);
}

tern_status tern_model_pool(tern_model *m, int64_t n, const float *x, float *out)
{
    TERN_OWN_FP(m->ctx);
    if (!tern_model_has_pooler(m))
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "%s: the model has no pooler", m->dir);
    return layer(m, W_POOL, W_POOL_B, ACT_TANH, n, x, out);
}

tern_status tern_model_classify(tern_model *m, int64_t n, const float *x, float *logits)
{
    TERN_OWN_FP(m->ctx);
    tern_status st = TERN_OK;
    if (!m->slot[W_CLASSIFY].data)
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "%s: %s has no classification head", m->dir,
                         m->spec->architecture);
    tern_mark mark = tern_arena_mark(&m->ctx->step);
    float *inner = tern_arena_get(m->ctx, &m->ctx->step, (size_t)(n * tern_get(m->spec, S_DIM)), sizeof *inner);
    if (!inner) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    if (m->slot[W_CLASSIFY_DENSE].data) {
        TERN_TRY(layer(m, W_CLASSIFY_DENSE, W_CLASSIFY_DENSE_B, (tern_act)tern_get(m->spec, S_CLASSIFY_ACT), n, x,
                       inner));
        x = inner;
    } else if (tern_model_has_pooler(m)) {
        TERN_TRY(tern_model_pool(m, n, x, inner));
        x = inner;
    }
    TERN_TRY(layer(m, W_CLASSIFY, W_CLASSIFY_B, ACT_NONE, n, x, logits));
done:
    tern_arena_reset(&m->ctx->step, mark);
    return st;
}

const char *tern_model_label(const tern_model *m, int64_t label)
{
    if (label < 0 || label >= tern_get(m->spec, S_LABELS)) return NULL;
    return m->label[label];
}
