/* The KV cache's pages: how large they are, how rows are written into them and read back. cpu.h has the layout inside a page.
 * Attention (attention.c) reads the pages itself. */
#include <stdint.h>
#include <string.h>

#include "backend/cpu/cpu.h"

size_t tern_kv_bytes(const tern_kv *kv, int64_t n_page)
{
    return (size_t)n_page * (size_t)kv->n_layer * (size_t)kv->n_kv_head * cpu_kv_head_bytes(kv);
}

typedef struct write_job {
    const tern_kernels *k;
    const tern_kv_write *w;
} write_job;

/* Column `token` of the transposed keys. */
static void write_key(const tern_kernels *k, const tern_kv *kv, unsigned char *keys, int64_t token, const float *x)
{
    uint16_t narrow[CPU_CHUNK];
    if (kv->dtype == TERN_F32) {
        for (int64_t d = 0; d < kv->key_dim; d++) ((float *)(void *)keys)[d * TERN_KV_PAGE + token] = x[d];
        return;
    }
    uint16_t *to = (uint16_t *)(void *)keys + token;
    for (int64_t first = 0; first < kv->key_dim; first += CPU_CHUNK) {
        int64_t part = kv->key_dim - first < CPU_CHUNK ? kv->key_dim - first : CPU_CHUNK;
        cpu_narrow_row(k, narrow, kv->dtype, x + first, part);
        for (int64_t d = 0; d < part; d++) to[(first + d) * TERN_KV_PAGE] = narrow[d];
    }
}

/* The sequence that row r belongs to; rows of sequences ascend. */
static int32_t sequence_of(const tern_ragged *b, int64_t r)
{
    int32_t s = 0;
    while (s + 1 < b->n_seq && (r < b->row[s] || r >= b->row[s] + b->n_tok[s])) s++;
    return s;
}

static void write_rows(void *arg, int64_t lo, int64_t hi, int worker)
{
    const write_job *j = arg;
    const tern_kv_write *w = j->w;
    const tern_kv *kv = w->kv;
    const tern_ragged *b = w->batch;
    int32_t s = hi > lo ? sequence_of(b, lo) : 0;
    (void)worker;
    for (int64_t r = lo; r < hi; r++) {
        if (r < b->row[s] || r >= b->row[s] + b->n_tok[s]) s = sequence_of(b, r);
        int64_t position = b->past[s] + (r - b->row[s]), token = position % TERN_KV_PAGE;
        int32_t page = b->page[s][position / TERN_KV_PAGE];
        for (int32_t h = 0; h < kv->n_kv_head; h++) {
            unsigned char *values = cpu_kv_values(kv, page, w->layer, h);
            size_t row_bytes = (size_t)kv->value_dim * tern_dtype_bytes(kv->dtype);
            write_key(j->k, kv, cpu_kv_keys(kv, page, w->layer, h), token, w->k + r * w->ldk + (int64_t)h * kv->key_dim);
            cpu_narrow_row(j->k, values + (size_t)token * row_bytes, kv->dtype, w->v + r * w->ldv + (int64_t)h * kv->value_dim, kv->value_dim);
        }
    }
}

tern_status cpu_kv_write(tern_ctx *ctx, const tern_kv_write *w)
{
    write_job j = { ctx->kernels, w };
    int64_t width = (int64_t)w->kv->n_kv_head * (w->kv->key_dim + w->kv->value_dim);
    tern_parallel_for(ctx, w->batch->n_row, cpu_row_grain(width), write_rows, &j);
    return TERN_OK;
}

typedef struct read_job {
    const tern_kernels *k;
    const tern_kv_read *r;
} read_job;

static void read_key(const tern_kernels *k, const tern_kv *kv, const unsigned char *keys, int64_t token, float *y)
{
    uint16_t narrow[CPU_CHUNK];
    if (kv->dtype == TERN_F32) {
        for (int64_t d = 0; d < kv->key_dim; d++) y[d] = ((const float *)(const void *)keys)[d * TERN_KV_PAGE + token];
        return;
    }
    const uint16_t *from = (const uint16_t *)(const void *)keys + token;
    for (int64_t first = 0; first < kv->key_dim; first += CPU_CHUNK) {
        int64_t part = kv->key_dim - first < CPU_CHUNK ? kv->key_dim - first : CPU_CHUNK;
        for (int64_t d = 0; d < part; d++) narrow[d] = from[(first + d) * TERN_KV_PAGE];
        cpu_widen_row(k, y + first, narrow, kv->dtype, part);
    }
}

static void read_tokens(void *arg, int64_t lo, int64_t hi, int worker)
{
    const read_job *j = arg;
    const tern_kv_read *r = j->r;
    const tern_kv *kv = r->kv;
    (void)worker;
    for (int64_t i = lo; i < hi; i++) {
        int64_t position = i % r->n, token = position % TERN_KV_PAGE;
        int32_t head = (int32_t)(i / r->n), page = r->batch->page[r->seq][position / TERN_KV_PAGE];
        size_t row_bytes = (size_t)kv->value_dim * tern_dtype_bytes(kv->dtype);
        if (r->k) read_key(j->k, kv, cpu_kv_keys(kv, page, r->layer, head), token, r->k + i * kv->key_dim);
        if (r->v) cpu_widen_row(j->k, r->v + i * kv->value_dim, cpu_kv_values(kv, page, r->layer, head) + (size_t)token * row_bytes, kv->dtype, kv->value_dim);
    }
}

tern_status cpu_kv_read(tern_ctx *ctx, const tern_kv_read *r)
{
    read_job j = { ctx->kernels, r };
    tern_parallel_for(ctx, (int64_t)r->kv->n_kv_head * r->n, cpu_row_grain(r->kv->key_dim + r->kv->value_dim), read_tokens, &j);
    return TERN_OK;
}
