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

/* Pair i of a row of pairs: two numbers of 16 bits at once. */
static void put_pair(uint16_t *to, int64_t i, const uint16_t *from)
{
    memcpy(to + 2 * i, from, 2 * sizeof *to);
}

/* Column `token` of the transposed keys, channels [first, first + n) of it; first is even. */
static void write_channels(const tern_kv *kv, unsigned char *keys, int64_t token, const uint16_t *x, int64_t first, int64_t n)
{
    uint16_t *to = (uint16_t *)(void *)keys;
    if (kv->dtype == TERN_F16)
        for (int64_t d = 0; d < n; d++) to[(first + d) * TERN_KV_PAGE + token] = x[d];
    else
        for (int64_t d = 0; d < n; d += 2) put_pair(to, (first + d) / 2 * TERN_KV_PAGE + token, d + 1 < n ? x + d : (uint16_t[]){ x[d], 0 });
}

static void write_key(const tern_kernels *k, const tern_kv *kv, unsigned char *keys, int64_t token, const float *x)
{
    uint16_t narrow[CPU_CHUNK];
    if (kv->dtype == TERN_F32) {
        for (int64_t d = 0; d < kv->key_dim; d++) ((float *)(void *)keys)[d * TERN_KV_PAGE + token] = x[d];
        return;
    }
    for (int64_t first = 0; first < kv->key_dim; first += CPU_CHUNK) {
        int64_t part = kv->key_dim - first < CPU_CHUNK ? kv->key_dim - first : CPU_CHUNK;
        cpu_narrow_row(k, narrow, kv->dtype, x + first, part);
        write_channels(kv, keys, token, narrow, first, part);
    }
}

static void write_value(const tern_kernels *k, const tern_kv *kv, unsigned char *values, int64_t token, const float *x)
{
    uint16_t narrow[CPU_CHUNK], *to = (uint16_t *)(void *)values + token / 2 * kv->value_dim * 2 + token % 2;
    if (kv->dtype != TERN_BF16) {
        cpu_narrow_row(k, values + (size_t)(token * kv->value_dim) * tern_dtype_bytes(kv->dtype), kv->dtype, x, kv->value_dim);
        return;
    }
    for (int64_t first = 0; first < kv->value_dim; first += CPU_CHUNK) {
        int64_t part = kv->value_dim - first < CPU_CHUNK ? kv->value_dim - first : CPU_CHUNK;
        cpu_narrow_row(k, narrow, kv->dtype, x + first, part);
        for (int64_t d = 0; d < part; d++) to[2 * (first + d)] = narrow[d];
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
            write_key(j->k, kv, cpu_kv_keys(kv, page, w->layer, h), token, w->k + r * w->ldk + (int64_t)h * kv->key_dim);
            write_value(j->k, kv, cpu_kv_values(kv, page, w->layer, h), token, w->v + r * w->ldv + (int64_t)h * kv->value_dim);
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

/* Where channel d of a key, or of a value, of a 16-bit cache lies. */
static int64_t key_at(const tern_kv *kv, int64_t token, int64_t d)
{
    return kv->dtype == TERN_BF16 ? (d / 2 * TERN_KV_PAGE + token) * 2 + d % 2 : d * TERN_KV_PAGE + token;
}

static int64_t value_at(const tern_kv *kv, int64_t token, int64_t d)
{
    return kv->dtype == TERN_BF16 ? (token / 2 * kv->value_dim + d) * 2 + token % 2 : token * kv->value_dim + d;
}

void cpu_kv_values_between(const tern_kv *kv, void *to, const void *values, int64_t lo, int64_t hi)
{
    size_t row_bytes = (size_t)kv->value_dim * tern_dtype_bytes(kv->dtype);
    memcpy(to, values, TERN_KV_PAGE * row_bytes);
    for (int64_t token = 0; token < TERN_KV_PAGE; token++) {
        if (token >= lo && token < hi) continue;
        if (kv->dtype != TERN_BF16) memset((unsigned char *)to + (size_t)token * row_bytes, 0, row_bytes);
        for (int64_t d = 0; kv->dtype == TERN_BF16 && d < kv->value_dim; d++) ((uint16_t *)to)[value_at(kv, token, d)] = 0;
    }
}

static void read_row(const tern_kernels *k, const tern_kv *kv, const unsigned char *page, int64_t token, bool is_key, float *y)
{
    uint16_t narrow[CPU_CHUNK];
    int64_t dim = is_key ? kv->key_dim : kv->value_dim;
    if (kv->dtype == TERN_F32) {
        for (int64_t d = 0; d < dim; d++) y[d] = ((const float *)(const void *)page)[is_key ? d * TERN_KV_PAGE + token : token * dim + d];
        return;
    }
    const uint16_t *from = (const uint16_t *)(const void *)page;
    for (int64_t first = 0; first < dim; first += CPU_CHUNK) {
        int64_t part = dim - first < CPU_CHUNK ? dim - first : CPU_CHUNK;
        for (int64_t d = 0; d < part; d++) narrow[d] = from[is_key ? key_at(kv, token, first + d) : value_at(kv, token, first + d)];
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
        if (r->k) read_row(j->k, kv, cpu_kv_keys(kv, page, r->layer, head), token, true, r->k + i * kv->key_dim);
        if (r->v) read_row(j->k, kv, cpu_kv_values(kv, page, r->layer, head), token, false, r->v + i * kv->value_dim);
    }
}

tern_status cpu_kv_read(tern_ctx *ctx, const tern_kv_read *r)
{
    read_job j = { ctx->kernels, r };
    tern_parallel_for(ctx, (int64_t)r->kv->n_kv_head * r->n, cpu_row_grain(r->kv->key_dim + r->kv->value_dim), read_tokens, &j);
    return TERN_OK;
}
