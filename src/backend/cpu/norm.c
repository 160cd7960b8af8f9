/* RMS and layer norms, with the sum that precedes them in a residual stream. Rows are split over
 * threads. */
#include "backend/cpu/cpu.h"

typedef struct job {
    const tern_kernels *k;
    const tern_norm *n;
} job;

/* x + add_bias + add, in that order, rounded: to sum where it is wanted, else to y, from which the
 * norm goes on in place. */
static const float *add_up(const job *j, int64_t r, float *y)
{
    const tern_norm *n = j->n;
    const float *x = n->x + r * n->ldx;
    float *s = n->sum ? n->sum + r * n->ldsum : y;
    if (!n->add && !n->add_bias && !n->sum) return x;
    if (n->add_bias) {
        float t[CPU_CHUNK];
        for (int64_t i = 0; i < n->dim; i += CPU_CHUNK) {
            int64_t part = n->dim - i < CPU_CHUNK ? n->dim - i : CPU_CHUNK;
            cpu_add_row(j->k, t, x + i, n->add_bias + i, part);
            if (n->add) cpu_add_row(j->k, s + i, t, n->add + r * n->ldadd + i, part);
            else cpu_act_row(j->k, ACT_NONE, s + i, t, part);
        }
    } else if (n->add) {
        cpu_add_row(j->k, s, x, n->add + r * n->ldadd, n->dim);
    } else {
        cpu_act_row(j->k, ACT_NONE, s, x, n->dim);
    }
    cpu_round_row(j->k, n->round, s, n->dim);
    return s;
}

static void norm_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const job *j = arg;
    const tern_norm *n = j->n;
    size_t dim = (size_t)n->dim;
    bool rounds = n->round != TERN_F32;
    (void)worker;
    for (int64_t r = lo; r < hi; r++) {
        float *y = n->y + r * n->ldy;
        const float *x = add_up(j, r, y);
        if (n->kind == NORM_LAYER) {
            j->k->layer_norm_row(y, x, n->w, n->b, dim, n->eps);
        } else {
            j->k->rms_row(y, x, rounds ? NULL : n->w, dim, n->eps);
            cpu_round_row(j->k, n->round, y, n->dim);
            if (rounds && n->w) j->k->mul_row(y, y, n->w, dim);
            if (n->b) cpu_add_row(j->k, y, y, n->b, n->dim);
        }
        cpu_round_row(j->k, n->round, y, n->dim);
    }
}

tern_status cpu_norm(tern_ctx *ctx, const tern_norm *n)
{
    job j = { ctx->kernels, n };
    tern_parallel_for(ctx, n->n_row, cpu_row_grain(4 * n->dim), norm_rows, &j);
    return TERN_OK;
}
