/* What the files of the CPU backend share: the primitives (backend.h has their contracts), and the
 * row steps they are made of.
 *
 * A primitive splits its outputs into tiles, hands them to the context's threads, and calls
 * kernels; scratch comes from the step arena and is given back before it returns. The row steps
 * work on any length and in place. */
#ifndef TERN_BACKEND_CPU_CPU_H
#define TERN_BACKEND_CPU_CPU_H

#include "backend/backend.h"
#include "base/ctx.h"
#include "kernels/kernels.h"

enum { CPU_CHUNK = 512 };    /* elements of a row that a step keeps on the stack at a time */

tern_status cpu_matmul(tern_ctx *ctx, const tern_matmul *m);
tern_status cpu_prepack(tern_ctx *ctx, const tern_prepack *l);
tern_status cpu_norm(tern_ctx *ctx, const tern_norm *n);
tern_status cpu_activation(tern_ctx *ctx, const tern_activation *a);
tern_status cpu_add(tern_ctx *ctx, const tern_add *a);
tern_status cpu_rope_table(tern_ctx *ctx, const tern_rope_table *t);
tern_status cpu_rope(tern_ctx *ctx, const tern_rope *r);
tern_status cpu_kv_write(tern_ctx *ctx, const tern_kv_write *w);
tern_status cpu_kv_read(tern_ctx *ctx, const tern_kv_read *r);
tern_status cpu_attention(tern_ctx *ctx, const tern_attention *a);
tern_status cpu_softmax(tern_ctx *ctx, const tern_softmax *s);
tern_status cpu_lookup(tern_ctx *ctx, const tern_lookup *g);
tern_status cpu_convert(tern_ctx *ctx, const tern_convert *c);
tern_status cpu_route(tern_ctx *ctx, const tern_route *r);
tern_status cpu_gather_rows(tern_ctx *ctx, const tern_gather_rows *d);
tern_status cpu_combine(tern_ctx *ctx, const tern_combine *c);
tern_status cpu_quantize(tern_ctx *ctx, const tern_quantize *q);
tern_status cpu_dequantize(tern_ctx *ctx, const tern_dequantize *d);
tern_status cpu_quantize_range(tern_ctx *ctx, const tern_quantize_range *q);
tern_status cpu_dequantize_range(tern_ctx *ctx, const tern_dequantize_range *d);
tern_status cpu_blend(tern_ctx *ctx, const tern_blend *b);
tern_status cpu_copy(tern_ctx *ctx, const tern_copy *c);
tern_status cpu_random(tern_ctx *ctx, const tern_random_fill *r);
tern_status cpu_assign(tern_ctx *ctx, const tern_assign *p);

/* y[i] rounded to type and back, in place; f32: untouched. */
void cpu_round_row(const tern_kernels *k, tern_dtype type, float *y, int64_t n);

/* y[i] = f(x[i]); y may be x. */
void cpu_act_row(const tern_kernels *k, tern_act act, float *y, const float *x, int64_t n);

/* y[i] = a[i] + b[i]; y may be a or b. */
static inline void cpu_add_row(const tern_kernels *k, float *y, const float *a, const float *b,
                               int64_t n)
{
    k->axpb_row(y, 1.0f, a, b, (size_t)n);
}

/* n elements of any float type, at any address, to f32; and f32 to any float type at any
 * address. */
void cpu_widen_row(const tern_kernels *k, float *y, const void *x, tern_dtype type, int64_t n);
void cpu_narrow_row(const tern_kernels *k, void *y, tern_dtype type, const float *x, int64_t n);

/* y[i] = scale * q[i]. */
void cpu_widen_i8_row(float *y, const int8_t *q, float scale, int64_t n);

/* Rows a tile should have, so that its work outweighs taking it. */
static inline int64_t cpu_row_grain(int64_t elements_a_row)
{
    int64_t rows = 16384 / (elements_a_row > 0 ? elements_a_row : 1);
    return rows > 0 ? rows : 1;
}

/* Bytes rounded up so that what follows starts on its own cache line. */
static inline size_t cpu_line_bytes(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* One layer's keys and values of one kv head in one page. Keys lie transposed,
 * [key_dim][TERN_KV_PAGE], values [TERN_KV_PAGE][value_dim]. In a cache of bf16 both lie in pairs,
 * as k_gemm_nn_fn has them: two channels of a key, two tokens of a value's channel side by side; an
 * odd key_dim has a zero behind it. */
static inline size_t cpu_kv_key_bytes(const tern_kv *kv)
{
    size_t dim = (size_t)kv->key_dim + (kv->dtype == TERN_BF16 && kv->key_dim % 2);
    return (size_t)TERN_KV_PAGE * dim * tern_dtype_bytes(kv->dtype);
}

static inline size_t cpu_kv_head_bytes(const tern_kv *kv)
{
    return cpu_kv_key_bytes(kv) +
           (size_t)TERN_KV_PAGE * (size_t)kv->value_dim * tern_dtype_bytes(kv->dtype);
}

static inline unsigned char *cpu_kv_keys(const tern_kv *kv, int32_t page, int32_t layer,
                                         int32_t head)
{
    size_t index = ((size_t)page * (size_t)kv->n_layer + (size_t)layer) * (size_t)kv->n_kv_head +
                   (size_t)head;
    return (unsigned char *)kv->data + index * cpu_kv_head_bytes(kv);
}

static inline unsigned char *cpu_kv_values(const tern_kv *kv, int32_t page, int32_t layer,
                                           int32_t head)
{
    return cpu_kv_keys(kv, page, layer, head) + cpu_kv_key_bytes(kv);
}

/* A page's values as they lie, zeros in the tokens outside [lo, hi). */
void cpu_kv_values_between(const tern_kv *kv, void *to, const void *values, int64_t lo, int64_t hi);

#endif
