/* Rewriting character by character: see transform.h. Called by the normal forms and by
 * Precompiled. */
#include "text/tokenizer/transform.h"

#include "base/ctx.h"
#include "text/utf8.h"

/* Writes the character that waits. */
static tern_status flush(transform *t)
{
    size_t src = t->at;
    if (!t->n_last) return TERN_OK;
    if (t->out->mode != ALIGN_NONE && t->in->n) {
        if (t->change > 0) src = t->at ? t->at - 1 : SIZE_MAX;
        else if (src >= t->in->n) src = t->in->n - 1;
        for (int64_t k = t->change; k <= 0 && t->at < t->in->n; k++)
            t->at += utf8_length((unsigned char)t->in->data[t->at]);
    }
    tern_status st = aligned_put(t->ctx, t->out, t->in, src, t->last, t->n_last);
    t->n_last = 0;
    return st;
}

tern_status transform_put(transform *t, uint32_t c, int64_t change)
{
    tern_status st = flush(t);
    t->n_last = utf8_put(t->last, c);
    t->change = change;
    return st;
}

void transform_adjust(transform *t, int64_t by)
{
    t->change += by;
}

tern_status transform_end(transform *t)
{
    return flush(t);
}
