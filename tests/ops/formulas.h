/* Formulas in double that more than one test of ops compares with. */
#ifndef TESTS_OPS_FORMULAS_H
#define TESTS_OPS_FORMULAS_H

#include "rig.h"

static inline double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static inline double gelu_erf(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static inline double relu(double x)
{
    return x > 0 ? x : 0;
}

static inline double silu(double x)
{
    return x / (1 + exp(-x));
}

static inline tern_op *make_op(const char *name, const tern_config *config)
{
    tern_op *op;
    RIG_OK(tern_op_create(rig, name, config, &op));
    return op;
}

static inline double *doubles(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(double));
}

static inline void norm_row(const double *x, int64_t n, const tern_tensor *gamma,
                            const tern_tensor *beta, bool rms, double *y)
{
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n && !rms; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(var + 1e-5) * rig_get(gamma,
                                                          i) + (beta->data ? rig_get(beta, i) : 0);
}

#endif
