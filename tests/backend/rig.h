/* What the backend's tests share: contexts of every usable instruction set and several thread
 * counts, random numbers by seed, roundings in the type's own definition, and comparisons with
 * messages. Expected values are formulas in double, written in each test. */
#ifndef TESTS_BACKEND_RIG_H
#define TESTS_BACKEND_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/ctx.h"
#include "base/dtype.h"
#include "kernels/kernels.h"

enum { RIG_MOST = 32 };

static tern_ctx *rig_ctx[RIG_MOST];
static int rig_n;

#define RIG_EACH(c) for (int rig_i = 0; rig_i < rig_n && ((c) = rig_ctx[rig_i]); rig_i++)

/* Every instruction set of this machine, with 1, 2 and 5 threads (the slow scalar one with 1 and
 * 5); what the machine lacks is named. */
static int rig_setup(void **state)
{
    static const int threads[] = { 1, 2, 5 };
    const char *name;
    (void)state;
    for (size_t i = 0; (name = tern_isa_name(i)); i++) {
        if (!tern_isa_usable(i)) {
            printf("this machine cannot run %s: not tested\n", name);
            continue;
        }
        for (size_t t = 0; t < 3 && rig_n < RIG_MOST; t++) {
            if (!i && t == 1) continue;
            tern_ctx_options o = { .isa = name, .threads = threads[t] };
            if (tern_ctx_create(&o, &rig_ctx[rig_n++])) return -1;
        }
    }
    return rig_n ? 0 : -1;
}

static int rig_teardown(void **state)
{
    (void)state;
    while (rig_n) tern_ctx_free(rig_ctx[--rig_n]);
    return 0;
}

static const char *rig_name(const tern_ctx *ctx)
{
    static char text[64];
    snprintf(text, sizeof text, "%s, %d threads", tern_ctx_isa(ctx), tern_ctx_threads(ctx));
    return text;
}

/* splitmix64 (Steele, Lea & Flood 2014): uniform in [-1, 1). */
static uint64_t rig_seed;

static inline uint64_t rig_bits(void)
{
    uint64_t z = rig_seed += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline float rig_random(void)
{
    return (float)(rig_bits() >> 40) * 0x1p-23f - 1.0f;
}

static inline int64_t rig_below(int64_t n)
{
    return (int64_t)(rig_bits() % (uint64_t)n);
}

static inline float *rig_floats(size_t n, float size)
{
    float *p = malloc((n + 1) * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) p[i] = size * rig_random();
    return p;
}

static inline float *rig_copy(const float *from, size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    assert_non_null(p);
    memcpy(p, from, n * sizeof *p);
    return p;
}

/* Rounded to a type and back. */
static inline double rig_round(tern_dtype type, double v)
{
    if (type == TERN_BF16) return tern_f32_from_bf16(tern_bf16_from_f32((float)v));
    if (type == TERN_F16) return tern_f32_from_f16(tern_f16_from_f32((float)v));
    return v;
}

/* Half a unit in the last place of the type, relative: two of them let a rounding fall to the other
 * side. */
static inline double rig_eps(tern_dtype type)
{
    if (type == TERN_BF16) return 0x1p-8;
    if (type == TERN_F16) return 0x1p-11;
    return 0;
}

/* n floats as the type; at is where they go. */
static inline void rig_store(void *at, tern_dtype type, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = type == TERN_BF16 ? tern_bf16_from_f32(from[i]) : tern_f16_from_f32(from[i]);
        if (type == TERN_F32) memcpy((char *)at + i * sizeof *from, &from[i], sizeof *from);
        else memcpy((char *)at + i * sizeof h, &h, sizeof h);
    }
}

static inline double rig_act(tern_act act, double x)
{
    switch (act) {
    case ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case ACT_GELU_ERF: return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case ACT_SILU: return x / (1 + exp(-x));
    case ACT_RELU: return x < 0 ? 0 : x;
    case ACT_RELU_SQUARED: return x < 0 ? 0 : x * x;
    case ACT_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case ACT_TANH: return tanh(x);
    case ACT_SIGMOID: return 1 / (1 + exp(-x));
    default: return x;
    }
}

static inline void rig_near(const tern_ctx *ctx, const char *what, size_t i, double got,
                            double want, double tolerance)
{
    if (fabs(got - want) <= tolerance) return;
    if (isnan(got) && isnan(want)) return;
    fail_msg("%s (%s): element %zu is %.9g, not %.9g within %.3g", what, rig_name(ctx), i, got,
             want, tolerance);
}

static inline void rig_same_bits(const tern_ctx *ctx, const char *what, const float *got,
                                 const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got))
            fail_msg("%s (%s): element %zu is %.9g, not %.9g to the bit", what, rig_name(ctx), i,
                     got[i], want[i]);
}

#endif
