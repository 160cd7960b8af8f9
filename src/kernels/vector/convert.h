/* Arrays from one float type to another, a register at a time, as base/dtype.h defines them. Each
 * vector folder compiles this for itself. */
void K(f32_from_bf16)(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_n((float *)to + i, n - i, v_load_stored(from, i, n - i, STORED_BF16));
}

void K(f32_from_f16)(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_n((float *)to + i, n - i, v_load_stored(from, i, n - i, STORED_F16));
}

void K(bf16_from_f32)(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_bf16((uint16_t *)to + i, n - i, v_load_n((const float *)from + i, n - i));
}

void K(f16_from_f32)(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        v_store_f16((uint16_t *)to + i, n - i, v_load_n((const float *)from + i, n - i));
}
