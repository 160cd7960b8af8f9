/* Primitives: what a backend implements, and all that it implements.
 *
 * Everything that computes in tern comes down to the calls of this table. Activations are f32 in
 * the backend's memory, row-major, ld* in elements from one row to the next; weights are what the
 * checkpoint stores. A primitive checks nothing: ops have done so, and say which argument is wrong.
 * It may fail for memory or a device's refusal, with a message in the context. Results do not
 * depend on the number of threads nor on how many rows a call has: each output is summed whole by
 * one tile, in an order fixed by the length of the sum. */
#ifndef TERN_BACKEND_BACKEND_H
#define TERN_BACKEND_BACKEND_H

#include <tern/config.h>
#include <tern/context.h>
#include <tern/tensor.h>

/* The elementwise functions of epilogues and of the activation primitive; gating is a matmul's or
 * an activation's own flag. */
typedef enum tern_act {
    ACT_NONE, ACT_GELU_TANH, ACT_GELU_ERF, ACT_SILU, ACT_RELU, ACT_RELU_SQUARED, ACT_QUICK_GELU,
    ACT_TANH, ACT_SIGMOID,
    ACT_SOFTCAP,    /* cap * tanh(x / cap), of the activation primitive alone; and so is */
    ACT_CLAMP,      /* x clamped to +-cap */
    N_ACTS
} tern_act;

/* A matrix [out, in] as stored. transposed_in: it lies as [in, out] (DeepSpeed's default, GPT-2's
 * Conv1D). ld: elements from one stored row to the next. int8 has scale [n_group]: group g holds
 * the whole rows g * out / n_group ... ; the weight is round_to(widen) of scale * q. */
typedef struct tern_weight {
    const void *data;
    tern_dtype dtype;           /* f32, f16, bf16, i8 */
    bool transposed_in;
    int64_t out, in, ld;
    const float *scale;         /* i8 only */
    int64_t n_group;
    tern_dtype widen;           /* i8 only: the activation type T that scale * q is rounded to */
} tern_weight;

/* Packs a matrix w [out, in] of f16 for matmul under compute f16, in place: from here on its dtype
 * is TERN_F16_PACKED. *done false: there is no such order, or none for these sizes, and w is as it
 * was. Rows [16 i, ...) stay where they are as a whole. */
typedef struct tern_prepack {
    void *w;
    int64_t out, in;
    bool *done;
} tern_prepack;

/* One part of a matmul: its rows of weight, its bias (null: none), where its outputs go. */
typedef struct tern_matmul_part {
    tern_weight w;
    const float *bias;
    float *y;
    int64_t ldy;
} tern_matmul_part;

/* y_p[i, :] = f(round(x[i, :] . w_p^T) + bias_p)  for each part p: q, k and v, or gate and up,
 * share one pass over x.
 * gated: part 0 is the gate, part 1 the value, and y_0[i, :] = round(f(gate)) * value; y_1 may be
 * null. residual (may be y_0): added to part 0 last. compute bf16 rounds x and w to bf16 before
 * they are multiplied; f16 rounds w to f16, and each row of x in its own unit (kernels/unit.h): a
 * finite number of w beyond f16's is TERN_ERR_NUMERIC. */
typedef struct tern_matmul {
    const float *x;
    int64_t ldx, n_row;
    int n_part;
    tern_matmul_part part[3];
    tern_act act;
    bool gated;
    const float *residual;
    int64_t ld_residual;
    tern_dtype compute;         /* f32, bf16 or f16 */
    tern_dtype round;           /* the type T that each stage is rounded to; f32: not at all */
} tern_matmul;

typedef enum tern_norm_kind { NORM_RMS = 0, NORM_LAYER = 1 } tern_norm_kind;

/* y[i,:] = norm(x[i,:] + add[i,:]) over dim; sum (null: not wanted) receives x + add (+ add_bias).
 * y may be x, sum may be x or add. w, b null: 1, 0. RMS with round T: the product with w is rounded
 * after its own rounding. */
typedef struct tern_norm {
    tern_norm_kind kind;
    /* add: rows, added first; add_bias [dim] is added before add */
    const float *x, *add, *add_bias, *w, *b;
    float *y, *sum;
    int64_t ldx, ldadd, ldy, ldsum, n_row, dim;
    float eps;
    tern_dtype round;
} tern_norm;

/* y = f(x + bias), or gated: y = round(x0 + b0) * round(f(round(x1 + b1))) where x = [x0 | x1], x1
 * being the gate; gate_first swaps them. */
typedef struct tern_activation {
    tern_act act;
    bool gated, gate_first;
    const float *x, *bias;
    float *y;
    int64_t ldx, ldy, n_row, dim;    /* dim: of y */
    float cap;                       /* of ACT_SOFTCAP and ACT_CLAMP */
    tern_dtype round;
    /* gated, > 0: y = (clamp(x0, -limit, limit) + 1) * f(min(x1, limit))     gpt-oss */
    float limit;
} tern_activation;

/* y = alpha * (a + a_bias) + beta * b ...: y[i,:] = round(alpha * (a[i,:] + bias_a[:] + c[i,:]) +
 * b[i,:]). Null a_bias, c, b: zero. */
typedef struct tern_add {
    const float *a, *bias, *c, *b;
    float *y;
    float alpha;
    int64_t lda, ldb, ldc, ldy, n_row, dim;
    tern_dtype round;
} tern_add;

/* cos, sin [n_row, n] of position[i] * inv_freq[j], times magnitude (1; yarn and longrope scale
 * it). The product is f32, as Hugging Face's. */
typedef struct tern_rope_table {
    const int32_t *position;
    const float *inv_freq;
    float magnitude;
    float *cos, *sin;
    int64_t n_row, n;
} tern_rope_table;

/* Rotates the channels [first, first + 2n) of each head of each row in place. */
typedef struct tern_rope {
    float *x;
    int64_t ld, n_row, n_head, head_dim, first, n;    /* n: pairs */
    const float *cos, *sin;                           /* [n_row, n] */
    bool pair;                                        /* (2i, 2i+1); false: (i, i + n) */
    tern_dtype round;
} tern_rope;

/* ---- The KV cache -------------------------------------------------------------------------------
 * Keys and values lie in pages of TERN_KV_PAGE tokens; a sequence is a list of page numbers. How a
 * page lies inside is the backend's own business; only these primitives look inside.
 *
 *     pool: [page][layer][kv head] -> { keys of TERN_KV_PAGE tokens, values of TERN_KV_PAGE tokens
 *     } */
/* attention sums in key blocks of 256 by absolute position */
enum { TERN_KV_PAGE = 64, TERN_KEY_BLOCK = 256 };

typedef struct tern_kv {
    void *data;                                /* owned by whoever made the cache (ops/kv.h) */
    tern_dtype dtype;                          /* f32, f16 or bf16 */
    int32_t n_layer, n_kv_head, key_dim, value_dim, n_page;
} tern_kv;

/* Tokens of several sequences end to end: sequence s has rows [row[s], row[s] + n_tok[s]), whose
 * first is at position past[s] of the cache, and pages page[s][0 .. ]: token t of the sequence lies
 * in page[s][t / TERN_KV_PAGE]. */
typedef struct tern_ragged {
    int32_t n_seq, n_row;
    const int32_t *row, *n_tok, *past;
    const int32_t *const *page;
} tern_ragged;

/* Writes k [n_row, n_kv_head * key_dim] and v [n_row, n_kv_head * value_dim], rounded to the
 * cache's type, at the rows' positions. */
typedef struct tern_kv_write {
    const tern_kv *kv;
    int32_t layer;
    const tern_ragged *batch;
    const float *k, *v;
    int64_t ldk, ldv;
} tern_kv_write;

/* Reads the first n tokens of sequence s back: k [n_kv_head, n, key_dim], v [n_kv_head, n,
 * value_dim]; either may be null. */
typedef struct tern_kv_read {
    const tern_kv *kv;
    int32_t layer, seq, n;
    const tern_ragged *batch;
    float *k, *v;
} tern_kv_read;

/* Something added to the scores, element (s, h, i, j) at data[s*stride_seq + h*stride_head +
 * i*stride_row + j]: i counts the sequence's rows of this call, j all its keys. A stride 0
 * broadcasts. */
typedef struct tern_score_bias {
    const float *data;    /* null: none */
    int64_t stride_seq, stride_head, stride_row;
} tern_score_bias;

/* out[i, h*value_dim ..] = sum_j softmax_j(z) v[j],  z = cap(q[i,h] . k[j, h / (n_head /
 * n_kv_head)] * scale) + slope_h * j + alibi + mask
 * over keys j <= p (causal), j > p - window (window > 0), p = past + i; j < past + n_tok always. A
 * row that sees no key, or only keys at -inf, gives zeros. sink [n_head]: a logit that takes part
 * in the sum and has no value. q is not changed. */
typedef struct tern_attention {
    const tern_kv *kv;
    int32_t layer, n_head;
    const tern_ragged *batch;
    const float *q;
    float *out;
    int64_t ldq, ldout;
    float scale, softcap;      /* softcap 0: none */
    bool causal;
    int64_t window;            /* 0: none */
    const float *slope;        /* [n_head], times the key's absolute position; null: none */
    const float *sink;         /* [n_head]; null: none */
    tern_score_bias alibi, mask;
    /* bf16: over a cache of bf16 the scaled queries and the exponentials are rounded to it before
     * they are multiplied */
    tern_dtype compute;
    tern_dtype round;          /* the context is rounded to T */
} tern_attention;

/* y[i,:] = softmax(layer_scale * x[i,:] + alibi + mask) with the same masking; x [n_seq, n_head,
 * n_row, n_key] contiguous, row i of it at position n_key - n_row + i. */
typedef struct tern_softmax {
    const float *x;
    float *y;
    int64_t n_seq, n_head, n_row, n_key;
    float scale;
    bool causal;
    int64_t window;
    tern_score_bias alibi, mask;
    tern_dtype round;
} tern_softmax;

/* y[i,:] = scale * table[id[i], :], table [n, dim] of any float dtype; add: y += instead. Ids are
 * in range (the caller has checked). */
typedef struct tern_lookup {
    const void *table;
    tern_dtype dtype;
    int64_t n_row, dim, ldy;
    const int32_t *id;
    float scale;
    bool add;
    float *y;
} tern_lookup;

/* n elements from one float type to another (or f32 to f32: a copy, or rounded through `through`
 * first when that is not f32). */
typedef struct tern_convert {
    const void *from;
    void *to;
    tern_dtype from_dtype, to_dtype, through;
    int64_t n;
} tern_convert;

/* ---- Mixture of experts -------------------------------------------------------------------------
 * A route is (token, expert, weight). gather_rows copies the tokens of each expert together:
 * out[r,:] = x[token[r],:]; combine adds them back in the order of each token's own routes: y[t,:]
 * (+)= sum_k weight[t,k] * expert_out[slot[t,k],:], slot -1 being none. */
typedef enum tern_route_score { ROUTE_SOFTMAX, ROUTE_SIGMOID,
                                ROUTE_SOFTMAX_CHOSEN } tern_route_score;

/* The k experts of each token: those of the largest f(logits) + choice_bias, ties going to the
 * lowest, largest first; their weights are f(logits), divided by their sum where normalize, times
 * scale. SOFTMAX_CHOSEN: chosen by logits, and f is the softmax over the chosen ones. n_group > 1:
 * only experts of the n_group_used best groups are chosen; a group is worth its best expert, or its
 * two best where group_pairs.
 * Source: Shazeer et al. 2017; DeepSeek-V2 and V3 (2024) for the groups and the bias. */
typedef struct tern_route {
    const float *logits, *choice_bias;    /* [n_row, n_expert]; [n_expert] or null */
    int64_t n_row, n_expert, k, n_group, n_group_used;
    tern_route_score score;
    bool normalize, group_pairs;
    float scale;
    int32_t *expert;                      /* [n_row, k] */
    float *weight;                        /* [n_row, k] */
    /* [n_row, n_expert]: chosen by these instead; null: not */
    const float *noisy;
    bool first_by_score;                  /* the first choice is by f(logits) all the same */
    /* [n_row, n_expert]: f(logits) of all; null: not wanted */
    float *scores;
} tern_route;

typedef struct tern_gather_rows {
    const float *x;
    float *out;
    const int32_t *token;     /* [n_route]; -1: a row of zeros */
    int64_t ldx, ldout, n_route, dim;
} tern_gather_rows;

typedef struct tern_combine {
    const float *x;           /* the experts' outputs by slot */
    float *y;
    const int32_t *slot;      /* [n_row, k] */
    const float *weight;      /* [n_row, k] */
    int64_t ldx, ldy, n_row, k, dim;
    bool add;                 /* false: y starts at zero */
    tern_dtype round;
} tern_combine;

/* DeepSpeed's group quantizer: scale[g] = absmax / 128 over n elements a group (1 where absmax is
 * 0), q = clamp(rint(w / scale), -128, 127). */
typedef struct tern_quantize {
    const float *w;
    int8_t *q;
    float *scale;
    int64_t n_group, n;
} tern_quantize;

/* y = round(scale[g] * q), the other way; n elements a group. */
typedef struct tern_dequantize {
    const int8_t *q;
    const float *scale;
    float *y;
    int64_t n_group, n;
    tern_dtype round;
} tern_dequantize;

/* A matrix [n_row, dim] in groups of group_rows x group_cols, which divide it; each group has a
 * scale and a least number, row by row of groups. Codes have 8 bits, a byte each, or 4: two in a
 * byte, the even column's in its upper half, dim even. */
typedef struct tern_ranges {
    int64_t n_row, dim, group_rows, group_cols;
    int bits;
} tern_ranges;

/* DeepSpeed's asymmetric quantizer: min[g] the group's least number, scale[g] = (2^bits - 1) /
 * (largest - least), 1 where they are equal; q = clamp(rint((w - min) * scale), 0, 2^bits - 1). */
typedef struct tern_quantize_range {
    tern_ranges ranges;
    const float *w;
    uint8_t *q;
    float *scale, *min;
} tern_quantize_range;

/* y = round(q / scale[g] + min[g]). */
typedef struct tern_dequantize_range {
    tern_ranges ranges;
    const uint8_t *q;
    const float *scale, *min;
    float *y;
    tern_dtype round;
} tern_dequantize_range;

/* y[i,j] = round(round(a[i,j] * wa) + round(b[i,j] * wb)), wa = weight_a[i * weight_row + j *
 * weight_col], wb likewise. b null: the first product alone. y may be a or b. */
typedef struct tern_blend {
    const float *a, *b, *weight_a, *weight_b;
    float *y;
    int64_t lda, ldb, ldy, weight_row, weight_col, n_row, dim;
    tern_dtype round;
} tern_blend;

/* y[a,b,c,i] = x[a,b,c,i] for i < dim, 0 for dim <= i < dim_y. Element (a,b,c,i) lies at a *
 * stride[0] + b * stride[1] + c * stride[2] + i * step. x null: zeros. x and y do not overlap. */
typedef struct tern_copy {
    const float *x;
    float *y;
    int64_t n[3], stride_x[3], stride_y[3], dim, dim_y, step_x, step_y;
} tern_copy;

/* y[i], i < n: a number that depends on (seed, stream, i) alone: uniform in [low, high), or
 * Gumbel's -ln(-ln(u)). Philox4x32-10: base/philox.h. */
typedef struct tern_random_fill {
    uint64_t seed, stream;
    float *y;
    int64_t n;
    float low, high;
    bool gumbel;
} tern_random_fill;

/* Queues each expert's routes and drops those beyond capacity.
 *   count[e]       routes of expert e, before any is dropped
 *   location[i,j]  the route's place in its expert's queue, -1 where it is dropped or is none
 *                  (expert -1)
 *   weight[i,j]  0 where location is -1; the rest renormalized by their row's sum (at least
 *                FLT_EPSILON) where wanted
 *   order          token by token; by_rank: all first choices, then all second ones ...
 *   priority  [n_row, k]: an expert keeps its capacity highest ones, ties to the lower token; null:
 *             those that come first
 *   l_aux  n_expert / aux_k * sum_e mean_i(score[i,e]) * mean_i(route to e among the first aux_k);
 *          score, l_aux may be null */
typedef struct tern_assign {
    const int32_t *expert;
    const float *priority, *score;
    int64_t n_row, capacity;
    int32_t n_expert, k, aux_k;
    bool by_rank, renormalize;
    float *weight;
    int32_t *location;
    int64_t *count;
    float *l_aux;
} tern_assign;

typedef struct tern_backend {
    const char *name;    /* "cpu" */
    tern_status (*matmul)(tern_ctx *, const tern_matmul *);
    tern_status (*prepack)(tern_ctx *, const tern_prepack *);
    tern_status (*norm)(tern_ctx *, const tern_norm *);
    tern_status (*activation)(tern_ctx *, const tern_activation *);
    tern_status (*add)(tern_ctx *, const tern_add *);
    tern_status (*rope_table)(tern_ctx *, const tern_rope_table *);
    tern_status (*rope)(tern_ctx *, const tern_rope *);
    tern_status (*kv_write)(tern_ctx *, const tern_kv_write *);
    tern_status (*kv_read)(tern_ctx *, const tern_kv_read *);
    tern_status (*attention)(tern_ctx *, const tern_attention *);
    tern_status (*softmax)(tern_ctx *, const tern_softmax *);
    tern_status (*lookup)(tern_ctx *, const tern_lookup *);
    tern_status (*convert)(tern_ctx *, const tern_convert *);
    tern_status (*route)(tern_ctx *, const tern_route *);
    tern_status (*gather_rows)(tern_ctx *, const tern_gather_rows *);
    tern_status (*combine)(tern_ctx *, const tern_combine *);
    tern_status (*quantize)(tern_ctx *, const tern_quantize *);
    tern_status (*dequantize)(tern_ctx *, const tern_dequantize *);
    tern_status (*quantize_range)(tern_ctx *, const tern_quantize_range *);
    tern_status (*dequantize_range)(tern_ctx *, const tern_dequantize_range *);
    tern_status (*blend)(tern_ctx *, const tern_blend *);
    tern_status (*copy)(tern_ctx *, const tern_copy *);
    tern_status (*random)(tern_ctx *, const tern_random_fill *);
    tern_status (*assign)(tern_ctx *, const tern_assign *);
} tern_backend;

extern const tern_backend tern_backend_cpu;

/* Bytes of a KV pool of n_page pages with kv's other fields. */
size_t tern_kv_bytes(const tern_kv *kv, int64_t n_page);

#endif
