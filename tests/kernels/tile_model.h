/* A model of AMX's tiles in the place of x86_amx/tiles.h, for the tests that include a kernel after
 * it. It needs AVX-512 BF16, as what lies around the tiles does, and says so if there is none. What
 * TDPBF16PS adds in which order is from Intel's Software Developer's Manual, volume 2; that
 * subnormal numbers count as zero there is left out. */
#ifndef TERN_TESTS_KERNELS_TILE_MODEL_H
#define TERN_TESTS_KERNELS_TILE_MODEL_H

#include "kernels/check.h"

#define TERN_KERNELS_X86_AMX_TILES_H
#include <immintrin.h>

typedef struct tile_model {
    unsigned char row[16][64];
} tile_model;

static tile_model tiles[8];

static void tiles_open(void)
{
    memset(tiles, 0xFF, sizeof tiles);    /* NaN: whoever uses a tile before it is set sees it */
}

static void tiles_close(void)
{
    memset(tiles, 0xFF, sizeof tiles);
}

static void tile_zero(int t)
{
    memset(&tiles[t], 0, sizeof tiles[t]);
}

static void tile_load(int t, const void *from, size_t stride)
{
    for (size_t i = 0; i < 16; i++) memcpy(tiles[t].row[i], (const char *)from + i * stride, 64);
}

static void tile_store(int t, void *to, size_t stride)
{
    for (size_t i = 0; i < 16; i++) memcpy((char *)to + i * stride, tiles[t].row[i], 64);
}

/* c[i][j] += the sum of the even products plus the sum of the odd ones, each by FMA over the 16
 * pairs. */
static void tile_dot(int c, int a, int b)
{
    for (size_t i = 0; i < 16; i++) {
        const uint16_t *left = (const uint16_t *)(const void *)tiles[a].row[i];
        float *sum = (float *)(void *)tiles[c].row[i];
        for (size_t j = 0; j < 16; j++) {
            float even = 0, odd = 0;
            for (size_t k = 0; k < 16; k++) {
                const uint16_t *right = (const uint16_t *)(const void *)tiles[b].row[k] + 2 * j;
                even = fmaf(tern_f32_from_bf16(left[2 * k]), tern_f32_from_bf16(right[0]), even);
                odd = fmaf(tern_f32_from_bf16(left[2 * k + 1]), tern_f32_from_bf16(right[1]), odd);
            }
            sum[j] += even + odd;
        }
    }
}

#define TILE_ZERO(t) tile_zero(t)
#define TILE_LOAD(t, from, stride) tile_load(t, from, stride)
#define TILE_STORE(t, to, stride) tile_store(t, to, stride)
#define TILE_DOT(sum, a, b) tile_dot(sum, a, b)

static inline void tile_model_or_skip(void)
{
    tern_cpu cpu;
    tern_cpu_probe(&cpu);
    const tern_kernels *around = tern_isa_find("avx512_bf16");
    if (around && around->usable(&cpu)) return;
    print_message("skipped: the kernel around the tiles is AVX-512 BF16, which this CPU cannot "
                  "run\n");
    skip();
}

#endif
