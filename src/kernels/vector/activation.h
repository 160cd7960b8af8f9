/* Elementwise functions of one row, a register at a time. Each vector folder compiles this for
 * itself; math.h lists the SIMD operations. */
#include "kernels/vector/math.h"

/* x / (1 + exp(-2u)) equals 0.5 x (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
INLINE vec gelu_tanh(vec x)
{
    vec cube = v_mul(v_mul(v_mul(v_all(GELU_CUBE), x), x), x);
    return v_logistic(x, v_mul(v_all(GELU_RATE), v_add(x, cube)));
}

INLINE vec gelu_erf(vec x)
{
    vec tail = v_phi_minus(x);
    return v_mul(x, v_positive(x, v_sub(v_all(1), tail), tail));
}

INLINE vec silu(vec x)
{
    return v_logistic(x, x);
}

INLINE vec relu(vec x)
{
    return v_max(v_zero(), x);
}

INLINE vec sigmoid(vec x)
{
    return v_logistic(v_all(1), x);
}

#define MAP(slot, f)                                                                              \
    void K(slot)(float *y, const float *x, size_t n)                                              \
    {                                                                                             \
        for (size_t i = 0; i < n; i += LANES) v_store_n(y + i, n - i, f(v_load_n(x + i, n - i))); \
    }

MAP(gelu_tanh_row, gelu_tanh)
MAP(gelu_erf_row, gelu_erf)
MAP(silu_row, silu)
MAP(relu_row, relu)
MAP(tanh_row, v_tanh)
MAP(sigmoid_row, sigmoid)

void K(softcap_row)(float *y, const float *x, float cap, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_n(y + i, n - i,
                  v_mul(v_all(cap), v_tanh(v_div(v_load_n(x + i, n - i), v_all(cap)))));
}
