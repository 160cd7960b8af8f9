/* What weights lose when they are rounded to f16: those beyond its range are refused, those below it are counted and told of. Called by owned.c for each matrix
 * that is converted, and by open.c at the end. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "model/internal.h"

/* A matrix whose rounding error is beyond this share of it, both as root mean squares, has lost what f16's 11 bits would keep: those of plain rounding are 1.7e-4. */
static const double most_lost = 1e-3;

static double value_at(const tern_tensor *t, int64_t i)
{
    return t->dtype == TERN_F32 ? (double)((const float *)t->data)[i] : (double)tern_f32_from_bf16(((const uint16_t *)t->data)[i]);
}

static void keep_name(char to[TERN_SHOWN_BYTES], const char *name)
{
    if (!*to) tern_show_name(name, to);
}

tern_status tern_model_check_f16(tern_model *m, const tern_tensor *from, const tern_tensor *to, const char *name)
{
    const uint16_t *rounded = to->data;
    tern_f16_losses *lost = &m->f16;
    double off = 0, whole = 0;
    int64_t n = tern_tensor_count(to), n_zero = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = value_at(from, i), r = (double)tern_f32_from_f16(rounded[i]);
        if (isinf(r) && isfinite(v)) return tern_fail(m->ctx, TERN_ERR_NUMERIC, "tensor %s has %g, and f16 holds no more than 65504; compute in f32 or bf16", name, v);
        n_zero += r == 0 && v != 0;
        off += (v - r) * (v - r);
        whole += v * v;
    }
    lost->n += n;
    lost->n_zero += n_zero;
    if (n_zero) keep_name(lost->first_zero, name);
    double share = whole > 0 ? sqrt(off / whole) : 0;
    if (!(share > most_lost)) return TERN_OK;
    lost->n_coarse++;
    if (share <= lost->worst) return TERN_OK;
    lost->worst = share;
    tern_show_name(name, lost->worst_name);
    return TERN_OK;
}

void tern_model_tell_f16(const tern_model *m)
{
    const tern_f16_losses *lost = &m->f16;
    if (lost->n_zero)
        tern_log(m->ctx, TERN_LOG_WARNING, "%s: %lld of %lld weights are too small for f16 (below 2.98e-08) and count as 0, the first in tensor %s; compute in f32 or bf16 keeps them", m->dir,
                 (long long)lost->n_zero, (long long)lost->n, lost->first_zero);
    if (lost->n_coarse)
        tern_log(m->ctx, TERN_LOG_WARNING, "%s: %lld of the tensors lie so far below 6.1e-05 that f16 keeps few of their bits; %s is off the most, by %.2g %%; compute in f32 or bf16 keeps them",
                 m->dir, (long long)lost->n_coarse, lost->worst_name, 100 * lost->worst);
}
