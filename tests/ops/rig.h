/* What the tests of ops share: contexts, tensors described by text and filled by seed, reading and
 * comparing of any float type. Expected values are naive formulas in double, written in each
 * test. */
#ifndef TESTS_OPS_RIG_H
#define TESTS_OPS_RIG_H

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

#include <tern/ops.h>

#include "base/dtype.h"

enum { RIG_MOST = 32, RIG_NAME = 48 };

typedef struct rig_set {
    tern_named_tensor t[RIG_MOST];
    char name[RIG_MOST][RIG_NAME];
    size_t n;
} rig_set;

static tern_ctx *rig;
static const char *rig_isa;    /* null: the best of this machine */

static int rig_setup(void **state)
{
    (void)state;
    return tern_ctx_create(&(tern_ctx_options){ .threads = 2, .isa = rig_isa }, &rig);
}

static int rig_teardown(void **state)
{
    (void)state;
    tern_ctx_free(rig);
    return 0;
}

/* Runs the tests once on every instruction set of this machine; what the machine lacks is named. */
#define RIG_ON_EVERY_ISA(tests) \
    int rig_failures = 0; \
    for (size_t rig_i = 0; (rig_isa = tern_isa_name(rig_i)); rig_i++) { \
        printf("%s%s\n", rig_isa, \
               tern_isa_usable(rig_i) ? "" : ": this machine lacks it, not tested"); \
        if (tern_isa_usable(rig_i)) \
            rig_failures += cmocka_run_group_tests(tests, rig_setup, rig_teardown); \
    } \
    return rig_failures

/* Is it the best one of this machine? */
static inline bool rig_is_best(void)
{
    bool best = true;
    const char *name;
    for (size_t i = 0; rig_isa && (name = tern_isa_name(i)); i++)
        if (tern_isa_usable(i)) best = !strcmp(name, rig_isa);
    return best;
}

#define RIG_OK(call)                                                                               \
    do {                                                                                           \
        tern_status rig_st = (call);                                                               \
        if (rig_st) fail_msg("%s: %s", tern_status_name(rig_st), tern_ctx_error(rig));             \
    } while (0)

/* ---- Numbers ---- */

/* SplitMix64: a number of the seed and its place. */
static uint64_t rig_bits(uint64_t seed, uint64_t i)
{
    uint64_t z = (seed + i) * 0x9E3779B97F4A7C15u + 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double rig_uniform(uint64_t seed, uint64_t i)
{
    return (double)(rig_bits(seed, i) >> 11) * 0x1p-53;
}

/* Near enough to normal: the sum of twelve. */
static inline double rig_normal(uint64_t seed, uint64_t i)
{
    double sum = -6;
    for (uint64_t k = 0; k < 12; k++) sum += rig_uniform(seed ^ 0xABCD, 12 * i + k);
    return sum;
}

static inline double rig_get(const tern_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case TERN_F32: return ((const float *)t->data)[i];
    case TERN_F16: return tern_f32_from_f16(((const uint16_t *)t->data)[i]);
    case TERN_BF16: return tern_f32_from_bf16(((const uint16_t *)t->data)[i]);
    case TERN_I8: return ((const int8_t *)t->data)[i];
    case TERN_I32: return ((const int32_t *)t->data)[i];
    case TERN_I64: return (double)((const int64_t *)t->data)[i];
    default: return ((const uint8_t *)t->data)[i];
    }
}

static inline void rig_put(tern_tensor *t, int64_t i, double v)
{
    switch (t->dtype) {
    case TERN_F32: ((float *)t->data)[i] = (float)v; break;
    case TERN_F16: ((uint16_t *)t->data)[i] = tern_f16_from_f32((float)v); break;
    case TERN_BF16: ((uint16_t *)t->data)[i] = tern_bf16_from_f32((float)v); break;
    case TERN_I8: ((int8_t *)t->data)[i] = (int8_t)v; break;
    case TERN_I32: ((int32_t *)t->data)[i] = (int32_t)v; break;
    case TERN_I64: ((int64_t *)t->data)[i] = (int64_t)v; break;
    default: ((uint8_t *)t->data)[i] = (uint8_t)v; break;
    }
}

/* ---- Tensors ---- */

static inline tern_tensor rig_new(tern_dtype dtype, int rank, const int64_t *shape)
{
    tern_tensor t = tern_tensor_of(NULL, dtype, rank, shape);
    t.data = calloc((size_t)tern_tensor_count(&t) + 1, tern_dtype_bytes(dtype));
    return t;
}

static inline tern_tensor rig_random(tern_dtype dtype, int rank, const int64_t *shape,
                                     uint64_t seed)
{
    tern_tensor t = rig_new(dtype, rank, shape);
    int64_t n = tern_tensor_count(&t);
    for (int64_t i = 0; i < n; i++) {
        double v = 1;
        if (dtype == TERN_I8) v = (double)(rig_bits(seed, (uint64_t)i) % 255) - 127;
        else if (dtype < TERN_I8) v = rig_normal(seed, (uint64_t)i);
        rig_put(&t, i, v);
    }
    return t;
}

/* For large tensors: numbers like rig_random's, a prime number of them drawn once a type and
 * repeated from a place of the seed's. f32, f16, bf16. */
static inline tern_tensor rig_tiled(tern_dtype dtype, int rank, const int64_t *shape, uint64_t seed)
{
    enum { PRIME = 65537 };
    static tern_tensor tiles[TERN_N_DTYPES];
    static float numbers[3][PRIME];
    tern_tensor t = rig_new(dtype, rank, shape), *tile = &tiles[dtype];
    size_t bytes = tern_dtype_bytes(dtype), n = (size_t)tern_tensor_count(&t),
        first = (size_t)(seed * 7919 % PRIME);
    if (!tile->data) {
        static const int row[TERN_N_DTYPES] = { [TERN_F16] = 1, [TERN_BF16] = 2 };
        *tile = tern_tensor_of(numbers[row[dtype]], dtype, 1, (int64_t[]){ PRIME });
        for (int64_t i = 0; i < PRIME; i++) rig_put(tile, i, rig_normal(0, (uint64_t)i));
    }
    for (size_t at = 0; at < n;) {
        size_t count = PRIME - first < n - at ? PRIME - first : n - at;
        memcpy((char *)t.data + at * bytes, (char *)tile->data + first * bytes, count * bytes);
        at += count;
        first = 0;
    }
    return t;
}

/* Of many rows this many are compared with a formula, the first and the last among them: row
 * rig_sample(rows, k), k < rig_samples(rows). */
static inline int64_t rig_samples(int64_t rows)
{
    return rows < 12 ? rows : 12;
}

static inline int64_t rig_sample(int64_t rows, int64_t k)
{
    return rows < 12 ? k : k * (rows - 1) / 11;
}

#define RIG_SHAPE(...) \
    (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ }

static inline tern_dtype rig_dtype(const char *name)
{
    for (int d = 0; d < TERN_N_DTYPES; d++)
        if (!strcmp(tern_dtype_name((tern_dtype)d), name)) return (tern_dtype)d;
    fail_msg("no dtype %s", name);
    return TERN_F32;
}

/* "input f32 2,3,8; weight i8 5,8; bias f32 5": tensors filled by their place. A name with '~'
 * before it is not contiguous: its last stride is 2. */
static inline void rig_parse(const char *text, rig_set *set)
{
    char copy[1024], *save = NULL;
    memset(set, 0, sizeof *set);
    snprintf(copy, sizeof copy, "%s", text);
    for (char *row = strtok_r(copy, ";", &save); row; row = strtok_r(NULL, ";", &save)) {
        char name[RIG_NAME], dtype[8], dims[64] = "";
        int64_t shape[TERN_MAX_RANK];
        int rank = 0;
        assert_true(sscanf(row, " %47s %7s %63s", name, dtype, dims) >= 2);
        for (char *d = dims; *d;) {
            shape[rank++] = strtoll(d, &d, 10);
            if (*d == ',') d++;
        }
        bool apart = name[0] == '~';
        snprintf(set->name[set->n], RIG_NAME, "%s", name + apart);
        tern_tensor t = rig_random(rig_dtype(dtype), rank, shape, 100 + set->n);
        if (apart && rank) {
            free(t.data);
            shape[rank - 1] *= 2;
            t = rig_random(t.dtype, rank, shape, 7);
            t.shape[rank - 1] /= 2;
            t.stride[rank - 1] = 2;
        }
        set->t[set->n] = (tern_named_tensor){ set->name[set->n], t };
        set->n++;
    }
}

static inline void rig_free(rig_set *set)
{
    for (size_t i = 0; i < set->n; i++) free(set->t[i].tensor.data);
    set->n = 0;
}

/* Is every word in the sentence? '|' parts them. */
static inline bool rig_has_parts(const char *sentence, const char *message)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", message);
    for (char *w = strtok_r(copy, "|", &save); w; w = strtok_r(NULL, "|", &save))
        if (!strstr(sentence, w)) return false;
    return true;
}

/* |a - b| <= atol + rtol |b|, DeepSpeed's measure, for a tensor and its expected values. */
static inline void rig_close(const char *what, const tern_tensor *got, const double *want,
                             double rtol, double atol)
{
    int64_t n = tern_tensor_count(got);
    for (int64_t i = 0; i < n; i++) {
        double a = rig_get(got, i), b = want[i];
        if (isnan(a) && isnan(b)) continue;
        if (!(fabs(a - b) <= atol + rtol * fabs(b)))
            fail_msg("%s: element %lld is %.9g, not %.9g", what, (long long)i, a, b);
    }
}

/* The same of row r of a tensor whose last axis is as long as row. */
static inline void rig_close_row(const char *what, const tern_tensor *got, int64_t r,
                                 const double *row, double rtol, double atol)
{
    int64_t n = got->shape[got->rank - 1];
    for (int64_t i = 0; i < n; i++) {
        double a = rig_get(got, r * n + i);
        if (!(fabs(a - row[i]) <= atol + rtol * fabs(row[i])))
            fail_msg("%s, %lld channels: row %lld, element %lld is %.9g, not %.9g", what,
                     (long long)n, (long long)r, (long long)i, a, row[i]);
    }
}

/* What one rounding of an f32 result leaves, far tighter than DeepSpeed's tolerances: a unit in the
 * last place of f16 and bf16. */
static inline void rig_close_once(const char *what, const tern_tensor *got, int64_t r,
                                  const double *row, double atol)
{
    double rtol = 1e-5;
    if (got->dtype == TERN_F16) rtol = 0x1p-10;
    else if (got->dtype == TERN_BF16) rtol = 0x1p-7;
    rig_close_row(what, got, r, row, rtol, atol);
}

/* v rounded to a type. */
static inline double rig_round(tern_dtype t, double v)
{
    if (t == TERN_F16) return tern_f32_from_f16(tern_f16_from_f32((float)v));
    if (t == TERN_BF16) return tern_f32_from_bf16(tern_bf16_from_f32((float)v));
    return v;
}

/* The tolerances of DeepSpeed's own tests
 * (tests/unit/ops/transformer/inference/inference_test_utils.py), and tighter ones for one
 * rounding. */
static const struct { tern_dtype t; tern_config_dtype config; double rtol, atol; } rig_types[] = {
    { TERN_F32, TERN_DTYPE_FP32, 5e-4, 5e-5 },
    { TERN_F16, TERN_DTYPE_FP16, 3e-2, 2e-3 },
    { TERN_BF16, TERN_DTYPE_BF16, 4.8e-1, 3.2e-2 },
};

static inline tern_config rig_config(size_t type)
{
    tern_config c = tern_config_default();
    c.dtype = rig_types[type].config;
    return c;
}

#endif
