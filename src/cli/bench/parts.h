/* Attention and a mixture of experts on the shapes of kernels/rows.h, set up for those who time
 * them (parts.c) and those who compare them (tests/kernels/test_parts.c). Calls the backend's
 * attention and kv_write, and the experts of src/layers. */
#ifndef TERN_CLI_BENCH_PARTS_H
#define TERN_CLI_BENCH_PARTS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "base/ctx.h"
#include "base/dtype.h"
#include "kernels/rows.h"
#include "layers/layers.h"

/* In [-1, 1): Knuth's MMIX generator. */
static inline float parts_number(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*seed >> 32) * 0x1p-31f;
}

static inline float *parts_floats(size_t n, float size, uint64_t seed)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; p && i < n; i++) p[i] = size * parts_number(&seed);
    return p;
}

/* ---- attention ------------------------------------------------------------------------------- */

enum { PARTS_MOST_SEQ = 32 };

/* One layer's keys and values are the same in all n_layer of them; layers are there so that a cache
 * can be larger than the processor's. */
typedef struct attention_case {
    const attention_shape *s;
    tern_kv kv;
    int32_t *page, row[PARTS_MOST_SEQ], n_tok[PARTS_MOST_SEQ], past[PARTS_MOST_SEQ];
    const int32_t *pages[PARTS_MOST_SEQ];
    /* q, out [n_seq * n_tok, n_head * dim]; k, v [past + n_tok, n_kv_head * dim], of every
     * sequence */
    float *q, *out, *k, *v;
    tern_ragged batch;
    tern_attention a;
} attention_case;

static inline int attention_keys(const attention_shape *s)
{
    return s->past + s->n_tok;
}

static inline double attention_bytes(const attention_shape *s)
{
    return 2.0 * s->n_seq * attention_keys(s) * s->n_kv_head * s->dim * (s->f32 ? 4 : 2);
}

static inline double attention_flops(const attention_shape *s)
{
    double seen = s->both_ways ? (double)s->n_tok * attention_keys(s)
                               : s->n_tok * (s->past + (s->n_tok + 1) / 2.0);
    return 4.0 * seen * s->n_seq * s->n_head * s->dim;
}

static inline tern_status attention_fill(tern_ctx *ctx, attention_case *c)
{
    int32_t past[PARTS_MOST_SEQ] = { 0 }, row[PARTS_MOST_SEQ] = { 0 }, n_tok[PARTS_MOST_SEQ];
    int64_t ld = (int64_t)c->s->n_kv_head * c->s->dim;
    tern_status st = TERN_OK;
    for (int i = 0; i < c->s->n_seq; i++) n_tok[i] = attention_keys(c->s);
    for (int32_t layer = 0; !st && layer < c->kv.n_layer; layer++)
        for (int i = 0; !st && i < c->s->n_seq; i++) {
            tern_ragged all = { 1, n_tok[i], row, n_tok, past, &c->pages[i] };
            st = ctx->backend->kv_write(ctx, &(tern_kv_write){ &c->kv, layer, &all, c->k, c->v, ld,
                                                               ld });
        }
    return st;
}

/* ctx may be any with the same backend. */
static inline tern_status attention_open(tern_ctx *ctx, attention_case *c, const attention_shape *s,
                                         int n_layer)
{
    int a_page = (attention_keys(s) + TERN_KV_PAGE - 1) / TERN_KV_PAGE, n_page = a_page * s->n_seq;
    size_t keys = (size_t)attention_keys(s) * (size_t)s->n_kv_head * (size_t)s->dim,
        rows = (size_t)s->n_seq * (size_t)s->n_tok * (size_t)s->n_head * (size_t)s->dim;
    *c = (attention_case){ .s = s };
    c->kv = (tern_kv){ .dtype = s->f32 ? TERN_F32 : TERN_BF16, .n_layer = n_layer, .n_kv_head =
        s->n_kv_head, .key_dim = s->dim, .value_dim = s->dim, .n_page = n_page };
    c->kv.data = aligned_alloc(4096, (tern_kv_bytes(&c->kv, n_page) + 4095) / 4096 * 4096);
    c->page = malloc((size_t)n_page * sizeof *c->page);
    c->q = parts_floats(rows, 2, 1);
    c->k = parts_floats(keys, 1, 2);
    c->v = parts_floats(keys, 1, 3);
    c->out = parts_floats(rows, 0, 0);
    if (!c->kv.data || !c->page || !c->q || !c->k || !c->v || !c->out) return TERN_ERR_MEMORY;
    for (int i = 0; i < n_page; i++) c->page[i] = i;
    for (int i = 0; i < s->n_seq; i++) {
        c->row[i] = i * s->n_tok;
        c->n_tok[i] = s->n_tok;
        c->past[i] = s->past;
        c->pages[i] = c->page + i * a_page;
    }
    c->batch = (tern_ragged){ s->n_seq, s->n_seq * s->n_tok, c->row, c->n_tok, c->past, c->pages };
    c->a = (tern_attention){ .kv = &c->kv, .n_head = s->n_head, .batch = &c->batch, .q = c->q,
                             .out = c->out, .ldq = (int64_t)s->n_head * s->dim,
                             .ldout = (int64_t)s->n_head * s->dim,
                             .scale = 1 / sqrtf((float)s->dim), .causal = !s->both_ways,
                             .compute = s->f32 ? TERN_F32 : TERN_BF16 };
    return attention_fill(ctx, c);
}

/* One layer's attention; the next call takes the next layer. */
static inline tern_status attention_run(tern_ctx *ctx, attention_case *c)
{
    c->a.layer = (c->a.layer + 1) % c->kv.n_layer;
    return ctx->backend->attention(ctx, &c->a);
}

static inline void attention_close(attention_case *c)
{
    free(c->kv.data);
    free(c->page);
    free(c->q);
    free(c->k);
    free(c->v);
    free(c->out);
}

/* ---- experts --------------------------------------------------------------------------------- */

/* The experts of n_layer layers lie one after another, equal numbers in each. */
typedef struct experts_case {
    const experts_shape *s;
    uint16_t *w;                /* [n_layer][n_expert][gate, up, down] */
    float *router, *x, *y;      /* router [n_expert, dim]; x, y [n_tok, dim] */
    tern_expert *expert;
    tern_experts **layer;
    int n_layer, at;
} experts_case;

static inline size_t experts_weights(const experts_shape *s)    /* of one expert */
{
    return 3 * (size_t)s->dim * (size_t)s->ffn;
}

static inline double experts_flops(const experts_shape *s)
{
    return 2.0 * s->n_tok * s->k * (double)experts_weights(s);
}

static inline tern_tensor experts_matrix(uint16_t *w, int out, int in)
{
    return tern_tensor_of(w, TERN_BF16, 2, (int64_t[]){ out, in });
}

static inline tern_status experts_open(tern_ctx *ctx, experts_case *c, const experts_shape *s,
                                       int n_layer)
{
    size_t each = experts_weights(s), a_layer = each * (size_t)s->n_expert, part = each / 3;
    uint64_t seed = 5;
    tern_status st = TERN_OK;
    *c = (experts_case){ .s = s, .n_layer = n_layer };
    c->w = malloc(a_layer * (size_t)n_layer * sizeof *c->w);
    c->router = parts_floats((size_t)s->n_expert * (size_t)s->dim, 1, 1);
    c->x = parts_floats((size_t)s->n_tok * (size_t)s->dim, 1, 2);
    c->y = parts_floats((size_t)s->n_tok * (size_t)s->dim, 0, 0);
    c->expert = calloc((size_t)n_layer * (size_t)s->n_expert, sizeof *c->expert);
    c->layer = calloc((size_t)n_layer, sizeof *c->layer);
    if (!c->w || !c->router || !c->x || !c->y || !c->expert || !c->layer) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < a_layer; i++) c->w[i] = tern_bf16_from_f32(parts_number(&seed) * 0.1f);
    for (size_t i = a_layer; i < a_layer * (size_t)n_layer; i++) c->w[i] = c->w[i - a_layer];
    for (int l = 0; !st && l < n_layer; l++) {
        tern_expert *own = c->expert + l * s->n_expert;
        for (int e = 0; e < s->n_expert; e++) {
            uint16_t *w = c->w + (size_t)l * a_layer + (size_t)e * each;
            own[e] = (tern_expert){ .gate = experts_matrix(w, s->ffn, s->dim),
                                    .up = experts_matrix(w + part, s->ffn, s->dim),
                                    .down = experts_matrix(w + 2 * part, s->dim, s->ffn) };
        }
        tern_experts_options o = { .n_expert = s->n_expert, .k = s->k, .n_group = 1, .n_group_used =
            1, .score = ROUTE_SOFTMAX, .normalize = true, .scale = 1,
                                   .act = ACT_SILU, .compute = s->f32 ? TERN_F32 : TERN_BF16,
                                   .expert = own };
        o.router = tern_tensor_of(c->router, TERN_F32, 2, (int64_t[]){ s->n_expert, s->dim });
        st = tern_experts_create(ctx, &o, &c->layer[l]);
    }
    return st;
}

static inline tern_status experts_run(tern_ctx *ctx, experts_case *c)
{
    tern_tensor x = tern_tensor_of(c->x, TERN_F32, 2, (int64_t[]){ c->s->n_tok, c->s->dim }), y = x;
    y.data = c->y;
    c->at = (c->at + 1) % c->n_layer;
    return tern_experts_run(ctx, c->layer[c->at], &x, &y);
}

static inline void experts_close(experts_case *c)
{
    for (int l = 0; c->layer && l < c->n_layer; l++) tern_experts_free(c->layer[l]);
    free(c->layer);
    free(c->expert);
    free(c->w);
    free(c->router);
    free(c->x);
    free(c->y);
}

#endif
