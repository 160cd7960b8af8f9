/* What weights lose when they are rounded to f16: those beyond its range are refused, those below
 * it are counted and told of. Called by owned.c for each matrix that is converted, and by open.c at
 * the end. */
#include <math.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "base/memory.h"
#include "base/pool.h"
#include "model/internal.h"

/* A matrix whose rounding error is beyond this share of it, both as root mean squares, has lost
 * what f16's 11 bits would keep: those of plain rounding are 1.7e-4. */
static const double most_lost = 1e-3;

/* Of a run of weights. Only what lies below the least normal number loses more than plain rounding
 * takes. */
typedef struct run_losses {
    int64_t n_zero, infinite;    /* infinite: the first finite number that became so; -1: none */
    double off, whole;           /* sums of squares: of what was lost, of the weights */
} run_losses;

enum { RUN = 1 << 16 };

typedef struct look_job {
    const tern_tensor *from;
    const uint16_t *rounded;
    int64_t n;
    run_losses *run;    /* [runs of RUN weights] */
} look_job;

static float value_at(const tern_tensor *t, int64_t i)
{
    return t->dtype == TERN_F32 ? ((const float *)t->data)[i] : tern_f32_from_bf16(((const uint16_t *)t->data)[i]);
}

static void look_at_runs(void *arg, int64_t lo, int64_t hi, int worker)
{
    const look_job *j = arg;
    (void)worker;
    for (int64_t k = lo; k < hi; k++) {
        run_losses lost = { .infinite = -1 };
        int64_t last = (k + 1) * RUN < j->n ? (k + 1) * RUN : j->n;
        for (int64_t i = k * RUN; i < last; i++) {
            int exponent = j->rounded[i] >> 10 & 31;
            float v = value_at(j->from, i);
            lost.whole += (double)v * (double)v;
            if (exponent > 0 && exponent < 31) continue;
            float r = tern_f32_from_f16(j->rounded[i]);
            if (isinf(r) && isfinite(v) && lost.infinite < 0) lost.infinite = i;
            lost.n_zero += r == 0 && v != 0;
            lost.off += ((double)v - (double)r) * ((double)v - (double)r);
        }
        j->run[k] = lost;
    }
}

static void keep_name(char to[TERN_SHOWN_BYTES], const char *name)
{
    if (!*to) tern_show_name(name, to);
}

/* One tensor's, added up in the order of its runs. */
static tern_status look_at(tern_model *m, const tern_tensor *from, const tern_tensor *to, run_losses *out)
{
    look_job j = { .from = from, .rounded = to->data, .n = tern_tensor_count(to) };
    int64_t n_run = (j.n + RUN - 1) / RUN;
    j.run = tern_alloc(m->ctx, (size_t)n_run + 1, sizeof *j.run, "a look at weights");
    if (!j.run) return TERN_ERR_MEMORY;
    tern_parallel_for(m->ctx, n_run, 1, look_at_runs, &j);
    *out = (run_losses){ .infinite = -1 };
    for (int64_t k = 0; k < n_run; k++) {
        if (out->infinite < 0) out->infinite = j.run[k].infinite;
        out->n_zero += j.run[k].n_zero;
        out->off += j.run[k].off;
        out->whole += j.run[k].whole;
    }
    tern_free(j.run);
    return TERN_OK;
}

tern_status tern_model_check_f16(tern_model *m, const tern_tensor *from, const tern_tensor *to, const char *name)
{
    tern_f16_losses *all = &m->f16;
    run_losses lost;
    tern_status st = look_at(m, from, to, &lost);
    if (st != TERN_OK) return st;
    if (lost.infinite >= 0)
        return tern_fail(m->ctx, TERN_ERR_NUMERIC, "tensor %s has %g, and f16 holds no more than 65504; compute in f32 "
                         "or bf16", name, (double)value_at(from, lost.infinite));
    all->n += tern_tensor_count(to);
    all->n_zero += lost.n_zero;
    if (lost.n_zero) keep_name(all->first_zero, name);
    double share = lost.whole > 0 ? sqrt(lost.off / lost.whole) : 0;
    if (!(share > most_lost)) return TERN_OK;
    all->n_coarse++;
    if (share <= all->worst) return TERN_OK;
    all->worst = share;
    tern_show_name(name, all->worst_name);
    return TERN_OK;
}

void tern_model_tell_f16(const tern_model *m)
{
    const tern_f16_losses *lost = &m->f16;
    if (lost->n_zero)
        tern_log(m->ctx, TERN_LOG_WARNING, "%s: %lld of %lld weights are too small for f16 (below 2.98e-08) and count "
                 "as 0, the first in tensor %s; compute in f32 or bf16 keeps them", m->dir, (long long)lost->n_zero,
                 (long long)lost->n, lost->first_zero);
    if (lost->n_coarse)
        tern_log(m->ctx, TERN_LOG_WARNING, "%s: %lld of the tensors lie so far below 6.1e-05 that f16 keeps few of "
                 "their bits; %s is off the most, by %.2g %%; compute in f32 or bf16 keeps them", m->dir,
                 (long long)lost->n_coarse, lost->worst_name, 100 * lost->worst);
}
