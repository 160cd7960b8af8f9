/* The contract of every CPU kernel slot.
 *
 * A kernel is single-threaded, allocates nothing, and takes any size: tails use masked forms of the
 * same arithmetic, in the same lanes, so that the order of additions behind one output depends on
 * the length of its sum alone: never on how many rows or columns a call has, nor on where an output
 * lies in a tile. What enters and leaves is plain memory aligned to its element; no load reads past
 * an array's end. One folder per instruction set fills one table; a slot left null is served by the
 * next lower rank. The scalar folder is the definition: it fills every slot, and reads as the
 * formula. Who brings gemm_bf16_bf16 brings pack_bf16, too; who brings gemm_f16_f16, pack_f16; with
 * gemm_nn_bf16_bf16 come pack_nn_bf16 and exp_nn_bf16_row.
 *
 * Names: k_<slot>__<folder>. f32 sums everywhere but in gemm_f16_f16; NaN and infinity travel as
 * IEEE arithmetic carries them. */
#ifndef TERN_KERNELS_KERNELS_H
#define TERN_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* x [m, k_len] in rows of ldx, packed as the gemm slots of one instruction set want it: pack_f32
 * for gemm_f32_*; pack_bf16, which rounds every number to bf16, for gemm_bf16_bf16; pack_f16 for
 * gemm_f16_f16, which rounds to f16 in the row's own unit (kernels/unit.h). The form is theirs
 * alone, at most k_packed_bytes(m, k_len) from an address aligned to 64; a product is given what
 * was packed for its own m and k_len. */
typedef void k_pack_fn(void *to, const float *x, size_t ldx, size_t m, size_t k_len);

/* strips of 3 or of 16 rows, steps of up to 32 numbers */
static inline size_t k_packed_bytes(size_t m, size_t k_len)
{
    return ((m + 2 + 15) / 16 * 16) * ((k_len + 31) / 32 * 32) * sizeof(float);
}

/* y[i,j] = sum_k x[i,k] * w[j,k]  i < m, j < n, k < k_len; ld*: elements from a row to the next; x
 *                                 as packed
 * The weight lies as stored, [out, in] row-major. For gemm_f32_bf16 and _f16 the weight is widened
 * exactly to f32; for gemm_bf16_bf16 both sides are bf16 and every product is exact or rounded once
 * to f32 before or while it is added. For gemm_f16_f16 both sides are f16; an instruction set may
 * add some hundreds of products in f16 (its folder says how many), where their sum does not
 * overflow, and the rest in f32. */
typedef void k_gemm_fn(float *y, size_t ldy, const void *x, const void *w, size_t ldw, size_t m,
                       size_t n, size_t k_len);

/* A matrix w [n, k_len] of f16 as its folder's product of f16 likes to read it, whoever has memory
 * of his own for it: to [n * k_len], aligned to 64; n in whole PACKED_ROWS, k_len in whole
 * PACKED_CHUNKs. Rows [j, j + PACKED_ROWS) take the place that they had. gemm_f16_packed multiplies
 * by it, with gemm_f16_f16's bits. */
typedef void k_prepack_fn(void *to, const void *w, size_t n, size_t k_len);

enum { PACKED_ROWS = 16, PACKED_CHUNK = 8 };

/* y[i,j] = (add ? y[i,j] : 0) + sum_k a[i,k] * b[k,j]  in ascending k, one product after the other
 * (fused or not: by folder)
 * a f32 [m, k_len], b [k_len, n] of the slot's type, widened to f32. Attention's two products:
 * scores = q kT, context = p v. b[k,j] lies at b[k * ldb + j]; bf16 in pairs, at b[(k / 2 * ldb +
 * j) * 2 + k % 2], where the half pair behind an odd k_len may be anything. next (null: nothing):
 * as many bytes as b has from there on are wanted soon, and may be fetched meanwhile; no address
 * there need be mapped. */
typedef void k_gemm_nn_fn(float *y, size_t ldy, const float *a, size_t lda, const void *b,
                          size_t ldb, size_t m, size_t n, size_t k_len, bool add, const void *next);

/* a of gemm_nn_bf16_bf16: n numbers of a row rounded to bf16, in place. The form is that slot's
 * alone, but for this: a row lies in cells of NN_CELL numbers from an address aligned to 64, and a
 * cell's numbers stay within its bytes, so that any cell can be where a product begins; behind the
 * last number its cell is filled with zeros, and all bytes zero are zeros. There b is bf16 in
 * pairs, a product is rounded at most once before or while it is added, and the order of additions
 * is the folder's; a sum that is taken up again at a whole cell goes on as if it had not been
 * left. */
typedef void k_pack_nn_fn(float *x, size_t n);

enum { NN_CELL = 64 };

/* s[j] = exp(s[j] - max) in place; *max = the largest s[j]; returns the sum. All -inf (or n 0):
 * zeros, *max = -inf, sum 0. A NaN anywhere makes *max, the sum and every s[j] NaN. Lane l of the
 * sum takes j = l, l + lanes, ...: absolute in j, so that trailing -inf change no bit. */
typedef float k_exp_row_fn(float *s, size_t n, float *max);

/* exp_nn_bf16_row: the same, whose exponentials are left as pack_nn_bf16 leaves a row; *max and the
 * sum are those before the rounding. */

/* y[i] = x[i] / sqrt(mean(x^2) + eps) * w[i]; w null: 1. y may be x. */
typedef void k_rms_row_fn(float *y, const float *x, const float *w, size_t n, float eps);

/* y[i] = (x[i] - mean) / sqrt(var + eps) * w[i] + b[i], var = mean((x - mean)^2) in a second pass;
 * w, b null: 1, 0. y may be x. */
typedef void k_layer_norm_row_fn(float *y, const float *x, const float *w, const float *b, size_t n,
                                 float eps);

/* y[i] = f(x[i]); y may be x. */
typedef void k_map_row_fn(float *y, const float *x, size_t n);

/* y[i] = alpha * a[i] + b[i] (axpb), a[i] * b[i] (mul); y may be a or b. */
typedef void k_axpb_row_fn(float *y, float alpha, const float *a, const float *b, size_t n);
typedef void k_mul_row_fn(float *y, const float *a, const float *b, size_t n);

/* y[i] = alpha * x[i]; y may be x. */
typedef void k_scale_row_fn(float *y, float alpha, const float *x, size_t n);

/* y[i] = cap * tanh(x[i] / cap); y may be x. */
typedef void k_softcap_row_fn(float *y, const float *x, float cap, size_t n);

/* Rotates n pairs of one head in place: half pairs (x[i], x[i + n]), pair pairs (x[2i], x[2i + 1]):
 *     a' = a cos[i] - b sin[i],  b' = b cos[i] + a sin[i] */
typedef void k_rope_row_fn(float *x, const float *cos, const float *sin, size_t n);

/* n numbers from one type to another, to nearest even (base/dtype.h has the definition). The arrays
 * do not overlap. */
typedef void k_convert_fn(void *to, const void *from, size_t n);

/* The order is that of the tables; X(slot, type). */
#define TERN_KERNEL_SLOTS(X)                                              \
    X(pack_f32, k_pack_fn)                                                \
    X(pack_bf16, k_pack_fn)                                               \
    X(pack_f16, k_pack_fn)                                                \
    X(gemm_f32_f32, k_gemm_fn)      /* x f32,  w f32  */                  \
    X(gemm_f32_bf16, k_gemm_fn)     /* x f32,  w bf16 */                  \
    X(gemm_f32_f16, k_gemm_fn)      /* x f32,  w f16  */                  \
    X(gemm_bf16_bf16, k_gemm_fn)    /* x bf16, w bf16 */                  \
    X(gemm_f16_f16, k_gemm_fn)      /* x f16,  w f16  */                  \
    X(gemm_nn_f32, k_gemm_nn_fn)    /* b f32  */                          \
    X(gemm_nn_bf16, k_gemm_nn_fn)   /* b bf16 */                          \
    X(gemm_nn_f16, k_gemm_nn_fn)    /* b f16  */                          \
    X(pack_nn_bf16, k_pack_nn_fn)                                         \
    X(gemm_nn_bf16_bf16, k_gemm_nn_fn)    /* a as packed, b bf16 */       \
    X(exp_row, k_exp_row_fn)                                              \
    X(exp_nn_bf16_row, k_exp_row_fn)                                      \
    X(rms_row, k_rms_row_fn)                                              \
    X(layer_norm_row, k_layer_norm_row_fn)                                \
    X(gelu_tanh_row, k_map_row_fn)  /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */ \
    X(gelu_erf_row, k_map_row_fn)   /* 0.5 x (1 + erf(x / sqrt 2)) */     \
    X(silu_row, k_map_row_fn)       /* x / (1 + exp(-x)) */               \
    X(relu_row, k_map_row_fn)       /* x < 0 ? 0 : x, NaN stays */        \
    X(tanh_row, k_map_row_fn)                                             \
    X(sigmoid_row, k_map_row_fn)    /* 1 / (1 + exp(-x)) */               \
    X(axpb_row, k_axpb_row_fn)                                            \
    X(mul_row, k_mul_row_fn)                                              \
    X(scale_row, k_scale_row_fn)                                          \
    X(softcap_row, k_softcap_row_fn)                                      \
    X(rope_half_row, k_rope_row_fn)                                       \
    X(rope_pair_row, k_rope_row_fn)                                       \
    X(f32_from_bf16, k_convert_fn)                                        \
    X(f32_from_f16, k_convert_fn)                                         \
    X(bf16_from_f32, k_convert_fn)                                        \
    X(f16_from_f32, k_convert_fn)

/* Rounds of independent multiply-adds that touch registers only: the limit that measurements are
 * divided by. Returns how many operations that was, a multiply-add counting two; *sink takes part,
 * so that nothing can be left out. Not a slot: its result is not used. */
typedef double k_peak_fn(size_t rounds, float *sink);

/* One folder's answer: what it is called, where it ranks, whether this CPU can run it, and the
 * slots that it brings. */
typedef struct tern_kernels {
    const char *isa;                        /* the folder's name: "scalar", "x86_avx2" */
    /* 0 scalar, 20 AVX2, 30 AVX-512, 40 AVX-512 BF16, 45 AVX-512 FP16, 60 AMX */
    int rank;
    bool (*usable)(const tern_cpu *cpu);    /* compiled with baseline flags */
    /* whether it beats the lower ranks on this CPU; null: always. By name it can be had anyway */
    bool (*wanted)(const tern_cpu *cpu);
#define X(slot, type) type *slot;
    TERN_KERNEL_SLOTS(X)
#undef X
    /* of x that one call of gemm_bf16_bf16 should have, where there are more; 0: the backend's own
     * choice */
    size_t bf16_rows;
    /* both or none, which null is: the folder that brings gemm_f16_f16 says so */
    k_prepack_fn *prepack_f16;
    k_gemm_fn *gemm_f16_packed;
    k_peak_fn *peak_f32;                    /* null: as the next lower rank */
    /* of the folder's own instruction for products of that type; null: it has none */
    k_peak_fn *peak_bf16, *peak_f16;
} tern_kernels;

/* Every table of this build, null at the end. */
extern const tern_kernels *const tern_isa_list[];

/* A name as users write it (the folder's without "x86_") or the folder's own; null if there is
 * none. */
const tern_kernels *tern_isa_find(const char *name);

/* The name as users write it. */
const char *tern_isa_short(const tern_kernels *table);

/* Fills *k from scalar upward with every usable table of rank <= max_rank that is wanted, or has
 * just that rank; isa and rank are those of the highest one. */
void tern_kernels_select(tern_kernels *k, const tern_cpu *cpu, int max_rank);

#endif
