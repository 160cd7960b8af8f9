/* The rows of the kernels: each slot, the shapes that it is proved on and, where speed matters,
 * timed on. tests/kernels proves what is here, tern bench --kernels times it: what is timed is what
 * was proved. A new slot is a row here, in the list of its kind. */
#ifndef TERN_KERNELS_ROWS_H
#define TERN_KERNELS_ROWS_H

#include "kernels/kernels.h"

#define N_ROWS(rows) (sizeof(rows) / sizeof *(rows))
#define ROW_SLOT(name) #name, offsetof(tern_kernels, name)
/* compared and timed through the product that it packs for */
#define PACK_SLOT(name) offsetof(tern_kernels, name)

/* ---- Products -------------------------------------------------------------------------------- */

/* Types: 'f' f32, 'b' bf16, 'h' f16. */
typedef struct gemm_slot {
    const char *name;
    size_t offset;
    char x, w;
    size_t pack;    /* the slot that packs x; 0: none does */
    size_t exp;     /* the slot that leaves exponentials packed; 0: none does */
} gemm_slot;

static const gemm_slot gemm_slots[] = {
    { ROW_SLOT(gemm_f32_f32), 'f', 'f', PACK_SLOT(pack_f32), 0 },
    { ROW_SLOT(gemm_f32_bf16), 'f', 'b', PACK_SLOT(pack_f32), 0 },
    { ROW_SLOT(gemm_f32_f16), 'f', 'h', PACK_SLOT(pack_f32), 0 },
    { ROW_SLOT(gemm_bf16_bf16), 'b', 'b', PACK_SLOT(pack_bf16), 0 },
    { ROW_SLOT(gemm_f16_f16), 'h', 'h', PACK_SLOT(pack_f16), 0 },
};

static const gemm_slot gemm_nn_slots[] = {
    { ROW_SLOT(gemm_nn_f32), 'f', 'f', 0, 0 },
    { ROW_SLOT(gemm_nn_bf16), 'f', 'b', 0, 0 },
    { ROW_SLOT(gemm_nn_f16), 'f', 'h', 0, 0 },
    { ROW_SLOT(gemm_nn_bf16_bf16), 'b', 'b', PACK_SLOT(pack_nn_bf16), PACK_SLOT(exp_nn_bf16_row) },
};

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
    { 8, 77, 1100, "few rows, several parts of the sum, a group of tiles and a tail" },
    { 4, 9, 2049, "one past the longest block" },
    { 11, 17, 4097, "many rows, three blocks" },
    { 6, 30, 2600, "few rows, two blocks of several parts" },
};

/* Shapes of speed: a small model's projections, for prompts, batches and single tokens. The tests
 * look at a sample of their outputs. */
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
    { 33, 33, 65, "one past two tiles each way and a cell" },
    { 17, 47, 31, "tails of tiles, one below a step of them" },
    { 16, 32, 96, "whole tiles" },
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

/* ---- Rows: norms, activations, elementwise, rotations, conversions --------------------------- */

typedef enum row_kind { EXP, RMS, LAYER_NORM, MAP, SOFTCAP, AXPB, MUL, SCALE, ROPE } row_kind;

/* A number y of a row is right within eps * (relative * |want| + by_input * |x|) of the twin, or
 * within a few of the smallest numbers. */
typedef struct row_slot {
    const char *name;
    size_t offset;
    row_kind kind;
    float span;                    /* inputs lie in [-span, span] */
    double relative, by_input;
    const char *why;
} row_slot;

static const row_slot row_slots[] = {
    { ROW_SLOT(exp_row), EXP, 30, 4, 0,
      "two roundings of libm and two of ours; the sum has its own bound" },
    { ROW_SLOT(rms_row), RMS, 3, 32, 0,
      "a sum of up to 4096 squares in another order, under a root, and three roundings" },
    { ROW_SLOT(layer_norm_row), LAYER_NORM, 3, 32, 64, "the same, and a mean that cancels" },
    { ROW_SLOT(gelu_tanh_row), MAP, 6, 8, 4,
      "1 + tanh cancels for x < 0: the error is one of |x|" },
    { ROW_SLOT(gelu_erf_row), MAP, 6, 8, 4, "1 + erf cancels for x < 0: the error is one of |x|" },
    { ROW_SLOT(silu_row), MAP, 90, 8, 0, "exp, a sum and a division" },
    { ROW_SLOT(relu_row), MAP, 6, 0, 0, "exact" },
    { ROW_SLOT(tanh_row), MAP, 12, 8, 0, "about 1e-6 relative down to zero" },
    { ROW_SLOT(sigmoid_row), MAP, 100, 8, 0,
      "exp, a sum and a division; the smallest results are subnormal" },
    { ROW_SLOT(axpb_row), AXPB, 3, 1, 4, "one rounding or two" },
    { ROW_SLOT(mul_row), MUL, 3, 0, 0, "exact" },
    { ROW_SLOT(scale_row), SCALE, 3, 0, 0, "exact" },
    { ROW_SLOT(softcap_row), SOFTCAP, 200, 8, 0, "a division, tanh, a product" },
    { ROW_SLOT(rope_half_row), ROPE, 3, 1, 4, "one rounding or two of each product" },
    { ROW_SLOT(rope_pair_row), ROPE, 3, 1, 4, "one rounding or two of each product" },
};

typedef struct convert_slot {
    const char *name;
    size_t offset;
    char to, from;
} convert_slot;

static const convert_slot convert_slots[] = {
    { ROW_SLOT(f32_from_bf16), 'f', 'b' },
    { ROW_SLOT(f32_from_f16), 'f', 'h' },
    { ROW_SLOT(bf16_from_f32), 'b', 'f' },
    { ROW_SLOT(f16_from_f32), 'h', 'f' },
};

/* ---- Attention and experts: many kernels in turn, by the CPU backend ------------------------- */

/* Attention of n_seq sequences, each n_tok tokens from position past on, over its cached keys.
 * Every row is compared and timed. */
typedef struct attention_shape {
    int n_head, n_kv_head, dim;
    bool f32;                        /* the cache's type and that of the products; else bf16 */
    bool both_ways;                  /* an encoder: every token sees all */
    int n_seq, past, n_tok;
    const char *why;
} attention_shape;

static const attention_shape attention_rows[] = {
    { 8, 1, 64, false, false, 1, 0, 512, "prompt of 512: a group of 8, head 64" },
    { 8, 1, 64, true, false, 1, 0, 512, "the same over f32" },
    { 7, 1, 64, false, false, 1, 0, 512, "prompt of 512: a group of 7, head 64" },
    { 4, 1, 128, false, false, 1, 0, 512, "prompt of 512: a group of 4, head 128" },
    { 4, 4, 64, false, false, 1, 0, 512, "prompt of 512: one KV head a head" },
    { 8, 1, 64, false, false, 1, 7680, 512, "the last 512 of a prompt of 8k" },
    { 8, 1, 64, true, false, 1, 7680, 512, "the same over f32" },
    { 12, 12, 64, true, true, 1, 0, 128, "an encoder's 128 tokens" },
    { 12, 12, 32, true, true, 32, 0, 32, "an encoder's 32 sentences of 32 tokens, head 32" },
    { 32, 4, 64, false, false, 1, 511, 1, "one token after 511" },
    { 32, 4, 64, false, false, 1, 8191, 1, "one token after 8191: a group of 8, head 64" },
    { 32, 4, 64, true, false, 1, 8191, 1, "the same over f32" },
    { 32, 8, 128, false, false, 1, 8191, 1, "one token after 8191: a group of 4, head 128" },
    { 12, 12, 64, false, false, 1, 1023, 1, "one token after 1023: one KV head a head" },
    { 32, 4, 64, false, false, 8, 511, 1, "one token each of 8 sequences" },
};

/* A mixture of experts: n_tok tokens, each to its k best of n_expert gated MLPs. Every row is
 * compared and timed. */
typedef struct experts_shape {
    int dim, ffn, n_expert, k, n_tok;
    bool f32;                        /* the type in which products multiply; weights are bf16 */
    const char *why;
} experts_shape;

static const experts_shape experts_rows[] = {
    { 24, 40, 5, 3, 7, true, "a small one, tails everywhere" },
    { 64, 48, 4, 2, 1, false, "one token of a small one" },
    { 64, 48, 16, 2, 3, false, "experts that no token chooses" },
    { 1024, 3584, 8, 2, 512, false, "prompt of 512 of the small Mixtral" },
    { 1024, 3584, 8, 2, 512, true, "the same, multiplied in f32" },
    { 1024, 3584, 8, 2, 32, false, "32 sequences decode" },
    { 1024, 3584, 8, 2, 8, false, "8 sequences decode" },
    { 1024, 3584, 8, 2, 1, false, "one token: two experts' weights" },
    { 1024, 512, 64, 6, 128, false, "many small experts" },
};

#endif
