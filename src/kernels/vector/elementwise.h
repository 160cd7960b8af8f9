/* Sums, products and rotations of rows, a register at a time. Each vector folder compiles this for
 * itself; math.h lists the SIMD operations. */
void K(axpb_row)(float *y, float alpha, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_n(y + i, n - i,
                  v_fma(v_all(alpha), v_load_n(a + i, n - i), v_load_n(b + i, n - i)));
}

void K(mul_row)(float *y, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_n(y + i, n - i, v_mul(v_load_n(a + i, n - i), v_load_n(b + i, n - i)));
}

void K(scale_row)(float *y, float alpha, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_n(y + i, n - i, v_mul(v_all(alpha), v_load_n(x + i, n - i)));
}

void K(rope_half_row)(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i;
        vec a = v_load_n(x + i, left), b = v_load_n(x + n + i, left), c = v_load_n(cos + i, left),
            s = v_load_n(sin + i, left);
        v_store_n(x + i, left, v_fnma(b, s, v_mul(a, c)));
        v_store_n(x + n + i, left, v_fma(b, c, v_mul(a, s)));
    }
}

/* Pairs lie side by side: cosines and sines are doubled, the pair's other half is swapped in, even
 * lanes subtract and odd ones add. */
void K(rope_pair_row)(float *x, const float *cos, const float *sin, size_t n)
{
    for (size_t i = 0; i < n; i += LANES / 2) {
        size_t left = n - i;
        vec v = v_load_n(x + 2 * i, 2 * left), c = v_twice_n(cos + i, left),
            s = v_twice_n(sin + i, left);
        v_store_n(x + 2 * i, 2 * left, v_fma_sub_add(v, c, v_mul(v_swap(v), s)));
    }
}
