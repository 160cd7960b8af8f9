/* AMX's tiles under the names that gemm_bf16.c uses. A test puts a model of them in the place of
 * this file. A tile is 16 rows of 64 bytes. The empty asm says what the compilers' own headers
 * leave out: that a load sees all stores before it. */
#ifndef TERN_KERNELS_X86_AMX_TILES_H
#define TERN_KERNELS_X86_AMX_TILES_H

#include <immintrin.h>
#include <stdint.h>

#define SEE_STORES() __asm__ volatile("" ::: "memory")

#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, from, stride) do { SEE_STORES(); _tile_loadd(t, from, stride); } while (0)
#define TILE_STORE(t, to, stride) do { _tile_stored(t, to, stride); SEE_STORES(); } while (0)
#define TILE_DOT(sum, a, b) _tile_dpbf16ps(sum, a, b)

/* All eight tiles have all their rows and columns. */
static inline void tiles_open(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t column_bytes[16];
        uint8_t rows[16];
    } config = { .palette = 1 };
    for (int t = 0; t < 8; t++) {
        config.column_bytes[t] = 64;
        config.rows[t] = 16;
    }
    SEE_STORES();
    _tile_loadconfig(&config);
}

static inline void tiles_close(void)
{
    _tile_release();
}

#endif
