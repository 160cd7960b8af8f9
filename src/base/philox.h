/* Random numbers without a state: Philox4x32-10, a function of a key (the seed) and a counter
 * (where the number is used).
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef TERN_BASE_PHILOX_H
#define TERN_BASE_PHILOX_H

#include <stdint.h>

typedef struct tern_random {
    uint32_t word[4];
} tern_random;

static inline tern_random tern_philox(uint64_t seed, uint64_t position, uint64_t stream)
{
    uint32_t c0 = (uint32_t)position, c1 = (uint32_t)(position >> 32), c2 = (uint32_t)stream,
        c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (tern_random){ { c0, c1, c2, c3 } };
}

/* In [0, 1): the 24 high bits of a word, exact in f32. In (0, 1): the same, half a step up, for
 * logarithms. */
static inline float tern_uniform(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

static inline double tern_uniform_open(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-32;
}

#endif
