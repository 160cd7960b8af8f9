/* The shapes that kernels are tested on and, where speed matters, timed on. Included by the tests and by bench/kernels.c. */
#ifndef TERN_TESTS_KERNELS_ROWS_H
#define TERN_TESTS_KERNELS_ROWS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct gemm_shape {
    size_t m, n, k;
    const char *why;
} gemm_shape;

/* y [m, n] = x [m, k] w[n, k]^T */
static const gemm_shape gemm_rows[] = {
    { 0, 8, 8, "an empty batch touches nothing" },
    { 8, 0, 8, "no outputs" },
    { 2, 3, 0, "an empty sum is zero" },
    { 1, 1, 1, "one product" },
    { 1, 64, 64, "decode: a single row" },
    { 1, 7, 15, "a single row, tails in n and k" },
    { 2, 9, 17, "one past the tiles and the lanes" },
    { 3, 8, 16, "one tile of AVX-512, one register" },
    { 7, 17, 33, "tails on all three axes" },
    { 31, 37, 41, "primes" },
    { 4, 16, 767, "just below a block of the sum" },
    { 4, 16, 768, "a block of the sum" },
    { 5, 9, 769, "one past a block" },
    { 3, 11, 1535, "just below a block of 16-bit numbers" },
    { 3, 11, 1536, "a block of 16-bit numbers" },
    { 13, 11, 1537, "one past a block of 16-bit numbers" },
    { 9, 24, 2048, "several tiles each way, more than a block" },
    { 1, 13, 4099, "several blocks, a prime" },
    { 67, 5, 127, "many rows, few outputs" },
    { 197, 19, 67, "more rows than a block of them" },
    { 5, 131, 67, "few rows, many outputs" },
};

/* Shapes that only the benchmark runs: a small model's projections, for prompts, batches and single tokens. */
static const gemm_shape gemm_bench_rows[] = {
    { 512, 5632, 2048, "prompt: up projection of 1.1B" },
    { 512, 2048, 5632, "prompt: down projection of 1.1B" },
    { 512, 256, 2048, "prompt: keys of 1.1B" },
    { 128, 256, 2048, "a tile of the backend" },
    { 32, 5632, 2048, "32 sequences decode" },
    { 8, 5632, 2048, "8 sequences decode" },
    { 4, 5632, 2048, "4 sequences decode" },
    { 2, 5632, 2048, "2 sequences decode" },
    { 1, 32000, 2048, "one token: the head, larger than the caches" },
    { 1, 5632, 2048, "one token: up projection" },
    { 1, 2048, 5632, "one token: down projection" },
};

/* y [m, n] (+)= a [m, k] b [k, n] */
static const gemm_shape gemm_nn_rows[] = {
    { 0, 8, 8, "no queries" },
    { 3, 5, 0, "an empty sum is zero, or what was there" },
    { 1, 1, 1, "one product" },
    { 1, 64, 64, "decode: one query against a page of keys" },
    { 8, 64, 128, "a head group against a page" },
    { 1, 128, 64, "decode: one query's context" },
    { 8, 80, 64, "a head of 80: a tail in n" },
    { 5, 63, 7, "one below a panel" },
    { 7, 65, 13, "one past a panel" },
    { 13, 17, 129, "primes and one past" },
    { 64, 64, 64, "a prompt's page" },
};

static const gemm_shape gemm_nn_bench_rows[] = {
    { 1, 64, 64, "decode scores, head 64" },
    { 1, 64, 128, "decode scores, head 128" },
    { 1, 128, 64, "decode context, head 128" },
    { 4, 64, 128, "a group of 4" },
    { 8, 64, 64, "a group of 8, head 64" },
    { 8, 64, 128, "a group of 8, head 128" },
    { 16, 64, 128, "16 queries" },
    { 64, 64, 64, "64 queries, head 64" },
    { 64, 64, 128, "64 queries, head 128" },
    { 64, 128, 64, "64 contexts, head 128" },
};

#define N_ROWS(rows) (sizeof(rows) / sizeof *(rows))

#endif
