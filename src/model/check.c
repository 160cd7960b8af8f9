/* Weights that are no numbers: every stored element looked at, on demand. Called by programs (tern
 * info --check). */
#include "base/ctx.h"
#include "base/dtype.h"
#include "model/internal.h"

enum { MOST_NAMED = 16 };

/* The bits of an exponent that is all ones: infinity, or no number where the mantissa has a bit. */
static const struct { tern_stored_dtype dtype; size_t n_bytes; uint32_t exponent, mantissa; } kinds[] = {
    { TERN_ST_F32, 4, 0x7F800000u, 0x7FFFFFu }, { TERN_ST_BF16, 2, 0x7F80u, 0x7Fu },
    { TERN_ST_F16, 2, 0x7C00u, 0x3FFu },
};

static void look_at(const tern_stored *t, size_t kind, tern_faults *faults)
{
    size_t width = kinds[kind].n_bytes, n = t->n_bytes / width;
    char shown[TERN_SHOWN_BYTES];
    for (size_t i = 0; i < n; i++) {
        const unsigned char *p = t->data + i * width;
        uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8;
        if (width == 4) bits |= (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        if ((bits & kinds[kind].exponent) != kinds[kind].exponent) continue;
        tern_faults_add(faults, TERN_ERR_FORMAT, "tensor %s is %s at element %zu", tern_show_name(t->name, shown),
                        bits & kinds[kind].mantissa ? "NaN" : "infinite", i);
        return;
    }
}

tern_status tern_model_check_weights(tern_model *m)
{
    tern_faults faults = { 0 };
    tern_status st = tern_model_intact(m);
    if (st) return st;
    for (size_t i = 0; m->checkpoint && i < tern_checkpoint_count(m->checkpoint) && faults.count < MOST_NAMED; i++) {
        const tern_stored *t = tern_checkpoint_at(m->checkpoint, i);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (t->dtype == kinds[k].dtype && tern_checkpoint_used(m->checkpoint, i)) look_at(t, k, &faults);
    }
    st = tern_model_cut(m);
    if (!st) st = tern_faults_fail(m->ctx, &faults, m->dir);
    tern_faults_free(&faults);
    return st;
}
