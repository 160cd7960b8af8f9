/* peak_bf16: the inner step of a product on tiles, with everything in the first cache: two tiles of
 * each side are loaded, four products of tiles made. */
#include <stdalign.h>
#include <string.h>

#include "kernels/x86_amx/slots.h"
#include "kernels/x86_amx/tiles.h"

double k_peak_bf16__x86_amx(size_t rounds, float *sink)
{
    enum { SIDE = 16, TILE_BYTES = 1024 };
    alignas(64) unsigned char side[4][TILE_BYTES];
    float c[SIDE * SIDE];
    memset(side, 0, sizeof side);
    memcpy(side, sink, sizeof *sink);
    tiles_open();
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (size_t r = 0; r < rounds; r++) {
        TILE_LOAD(4, side[0], 64);
        TILE_LOAD(6, side[1], 64);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(5, side[2], 64);
        TILE_DOT(2, 5, 6);
        TILE_LOAD(7, side[3], 64);
        TILE_DOT(1, 4, 7);
        TILE_DOT(3, 5, 7);
    }
    TILE_STORE(0, c, 64);
    tiles_close();
    sink[0] += c[0] * 0x1p-60f;
    return 4.0 * 2 * SIDE * SIDE * 32 * (double)rounds;
}
