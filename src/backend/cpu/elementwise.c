/* Primitives that touch each element once: activation, add, lookup, convert. Rows, or runs of
 * elements, are split over threads. */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu.h"

static int64_t piece(int64_t i, int64_t n)
{
    return n - i < CPU_CHUNK ? n - i : CPU_CHUNK;
}

/* ---- activation ------------------------------------------------------------------------------ */

typedef struct activation_job {
    const tern_kernels *k;
    const tern_activation *a;
} activation_job;

/* t = x + bias, in f32. */
static void biased(const tern_kernels *k, float *t, const float *x, const float *bias, int64_t n)
{
    if (bias) cpu_add_row(k, t, x, bias, n);
    else memcpy(t, x, (size_t)n * sizeof *t);
}

static void clamp_row(float *y, const float *x, float cap, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (x[i] < -cap) y[i] = -cap;
        else if (x[i] > cap) y[i] = cap;
        else y[i] = x[i];
    }
}

static void apply(const activation_job *j, float *y, const float *x, int64_t n)
{
    if (j->a->act == ACT_CLAMP) clamp_row(y, x, j->a->cap, n);
    else if (j->a->act == ACT_SOFTCAP) j->k->softcap_row(y, x, j->a->cap, (size_t)n);
    else cpu_act_row(j->k, j->a->act, y, x, n);
}

static void activate_row(const activation_job *j, const float *x, float *y)
{
    const tern_activation *a = j->a;
    float t[CPU_CHUNK];
    for (int64_t i = 0; i < a->dim; i += CPU_CHUNK) {
        int64_t part = piece(i, a->dim);
        biased(j->k, t, x + i, a->bias ? a->bias + i : NULL, part);
        apply(j, y + i, t, part);
        cpu_round_row(j->k, a->round, y + i, part);
    }
}

/* value = clamp(value) + 1, gate = min(gate, limit); NaN stays. */
static void limit_row(float limit, float *value, float *gate, int64_t n)
{
    clamp_row(value, value, limit, n);
    for (int64_t i = 0; i < n; i++) {
        value[i] += 1;
        gate[i] = gate[i] > limit ? limit : gate[i];
    }
}

static void gate_row(const activation_job *j, const float *x, float *y)
{
    const tern_activation *a = j->a;
    float value[CPU_CHUNK], gate[CPU_CHUNK];
    int64_t value_at = a->gate_first ? a->dim : 0, gate_at = a->gate_first ? 0 : a->dim;
    for (int64_t i = 0; i < a->dim; i += CPU_CHUNK) {
        int64_t part = piece(i, a->dim);
        biased(j->k, value, x + value_at + i, a->bias ? a->bias + value_at + i : NULL, part);
        biased(j->k, gate, x + gate_at + i, a->bias ? a->bias + gate_at + i : NULL, part);
        cpu_round_row(j->k, a->round, value, part);
        cpu_round_row(j->k, a->round, gate, part);
        if (a->limit > 0) limit_row(a->limit, value, gate, part);
        apply(j, gate, gate, part);
        cpu_round_row(j->k, a->round, gate, part);
        j->k->mul_row(y + i, value, gate, (size_t)part);
        cpu_round_row(j->k, a->round, y + i, part);
    }
}

static void activation_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const activation_job *j = arg;
    (void)worker;
    for (int64_t r = lo; r < hi; r++) {
        const float *x = j->a->x + r * j->a->ldx;
        float *y = j->a->y + r * j->a->ldy;
        if (j->a->gated) gate_row(j, x, y);
        else activate_row(j, x, y);
    }
}

tern_status cpu_activation(tern_ctx *ctx, const tern_activation *a)
{
    activation_job j = { ctx->kernels, a };
    tern_parallel_for(ctx, a->n_row, cpu_row_grain(4 * a->dim), activation_rows, &j);
    return TERN_OK;
}

/* ---- add ------------------------------------------------------------------------------------- */

typedef struct add_job {
    const tern_kernels *k;
    const tern_add *a;
} add_job;

static void add_row(const add_job *j, int64_t r)
{
    const tern_add *a = j->a;
    float t[CPU_CHUNK];
    for (int64_t i = 0; i < a->dim; i += CPU_CHUNK) {
        int64_t part = piece(i, a->dim);
        const float *from = a->a + r * a->lda + i;
        float *y = a->y + r * a->ldy + i;
        if (a->bias) {
            cpu_add_row(j->k, t, from, a->bias + i, part);
            from = t;
        }
        if (a->c) {
            cpu_add_row(j->k, t, from, a->c + r * a->ldc + i, part);
            from = t;
        }
        if (a->b) j->k->axpb_row(y, a->alpha, from, a->b + r * a->ldb + i, (size_t)part);
        else j->k->scale_row(y, a->alpha, from, (size_t)part);
        cpu_round_row(j->k, a->round, y, part);
    }
}

static void add_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    (void)worker;
    for (int64_t r = lo; r < hi; r++) add_row(arg, r);
}

tern_status cpu_add(tern_ctx *ctx, const tern_add *a)
{
    add_job j = { ctx->kernels, a };
    tern_parallel_for(ctx, a->n_row, cpu_row_grain(a->dim), add_rows, &j);
    return TERN_OK;
}

/* ---- lookup ---------------------------------------------------------------------------------- */

typedef struct lookup_job {
    const tern_kernels *k;
    const tern_lookup *g;
} lookup_job;

static void lookup_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const lookup_job *j = arg;
    const tern_lookup *g = j->g;
    size_t size = tern_dtype_bytes(g->dtype);
    float t[CPU_CHUNK];
    (void)worker;
    for (int64_t r = lo; r < hi; r++) {
        const unsigned char *from = (const unsigned char *)g->table + (size_t)g->id[r] * (size_t)g->dim * size;
        float *y = g->y + r * g->ldy;
        for (int64_t i = 0; i < g->dim; i += CPU_CHUNK) {
            int64_t part = piece(i, g->dim);
            cpu_widen_row(j->k, t, from + (size_t)i * size, g->dtype, part);
            if (g->add) j->k->axpb_row(y + i, g->scale, t, y + i, (size_t)part);
            else j->k->scale_row(y + i, g->scale, t, (size_t)part);
        }
    }
}

tern_status cpu_lookup(tern_ctx *ctx, const tern_lookup *g)
{
    lookup_job j = { ctx->kernels, g };
    tern_parallel_for(ctx, g->n_row, cpu_row_grain(g->dim), lookup_rows, &j);
    return TERN_OK;
}

/* ---- convert --------------------------------------------------------------------------------- */

typedef struct convert_job {
    const tern_kernels *k;
    const tern_convert *c;
} convert_job;

static void convert_run(void *arg, int64_t lo, int64_t hi, int worker)
{
    const convert_job *j = arg;
    const tern_convert *c = j->c;
    size_t from_size = tern_dtype_bytes(c->from_dtype), to_size = tern_dtype_bytes(c->to_dtype);
    float t[CPU_CHUNK];
    (void)worker;
    for (int64_t i = lo; i < hi; i += CPU_CHUNK) {
        int64_t part = piece(i, hi);
        cpu_widen_row(j->k, t, (const unsigned char *)c->from + (size_t)i * from_size, c->from_dtype, part);
        cpu_round_row(j->k, c->through, t, part);
        cpu_narrow_row(j->k, (unsigned char *)c->to + (size_t)i * to_size, c->to_dtype, t, part);
    }
}

tern_status cpu_convert(tern_ctx *ctx, const tern_convert *c)
{
    convert_job j = { ctx->kernels, c };
    tern_parallel_for(ctx, c->n, 32 * CPU_CHUNK, convert_run, &j);
    return TERN_OK;
}
