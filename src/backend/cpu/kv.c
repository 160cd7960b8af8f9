/* The KV cache's pages: how large they are, how rows are written into them and read back. cpu.h has
 * the layout inside a page. Attention (attention.c) reads the pages itself. */
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

/* Tokens of one sequence that lie side by side in one page, in one head. */
typedef struct run {
    unsigned char *keys, *values;    /* the page's */
    int64_t token, n;                /* the first of them in the page; how many */
    const float *k, *v;              /* the first one's rows */
} run;

typedef uint32_t u32x4 __attribute__((vector_size(16)));

static u32x4 load_u32x4(const void *from)
{
    u32x4 v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* Four rows of four become four columns. */
static void transpose_four(uint32_t *to, int64_t ldto, const uint32_t *from, int64_t ldfrom)
{
    u32x4 a = load_u32x4(from), b = load_u32x4(from + ldfrom), c = load_u32x4(from + 2 * ldfrom),
        d = load_u32x4(from + 3 * ldfrom);
    u32x4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    u32x4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    const u32x4 column[4] = {
        __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5), __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
        __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5), __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)
    };
    for (int i = 0; i < 4; i++) memcpy(to + i * ldto, &column[i], sizeof column[i]);
}

/* to[c, r] = from[r, c], units of 32 bits: numbers of f32, or pairs of bf16. */
static void transpose_u32(uint32_t *to, int64_t ldto, const uint32_t *from, int64_t ldfrom, int64_t n_row,
                          int64_t n_column)
{
    int64_t rows = n_row / 4 * 4, columns = n_column / 4 * 4;
    for (int64_t c = 0; c < columns; c += 4)
        for (int64_t r = 0; r < rows; r += 4) transpose_four(to + c * ldto + r, ldto, from + r * ldfrom + c, ldfrom);
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t c = r < rows ? columns : 0; c < n_column; c++) to[c * ldto + r] = from[r * ldfrom + c];
}

enum { TRANSPOSE_ROWS = 16, TRANSPOSE_CHANNELS = 128 };    /* what is narrowed before it is transposed */

/* Channels [first, first + n) of tokens [row, row + n_row) of the run, narrowed; first is even, and
 * an odd last channel has a zero beside it. */
static void write_narrow_keys(const tern_kernels *k, const tern_kv_write *w, const run *u, int64_t row, int64_t n_row,
                              int64_t first, int64_t n)
{
    _Alignas(4) uint16_t block[TRANSPOSE_ROWS * TRANSPOSE_CHANNELS];
    uint16_t *to = (uint16_t *)(void *)u->keys + first * TERN_KV_PAGE;
    int64_t token = u->token + row;
    for (int64_t r = 0; r < n_row; r++) {
        cpu_narrow_row(k, block + r * TRANSPOSE_CHANNELS, w->kv->dtype, u->k + (row + r) * w->ldk + first, n);
        if (n % 2) block[r * TRANSPOSE_CHANNELS + n] = 0;
    }
    if (w->kv->dtype == TERN_BF16) {
        transpose_u32((uint32_t *)(void *)to + token, TERN_KV_PAGE, (const uint32_t *)(const void *)block,
                      TRANSPOSE_CHANNELS / 2, n_row, (n + 1) / 2);
        return;
    }
    for (int64_t d = 0; d < n; d++)
        for (int64_t r = 0; r < n_row; r++) to[d * TERN_KV_PAGE + token + r] = block[r * TRANSPOSE_CHANNELS + d];
}

static void write_keys(const tern_kernels *k, const tern_kv_write *w, const run *u)
{
    int64_t dim = w->kv->key_dim;
    if (w->kv->dtype == TERN_F32) {
        transpose_u32((uint32_t *)(void *)u->keys + u->token, TERN_KV_PAGE, (const uint32_t *)(const void *)u->k,
                      w->ldk, u->n, dim);
        return;
    }
    for (int64_t row = 0; row < u->n; row += TRANSPOSE_ROWS)
        for (int64_t first = 0; first < dim; first += TRANSPOSE_CHANNELS)
            write_narrow_keys(k, w, u, row, u->n - row < TRANSPOSE_ROWS ? u->n - row : TRANSPOSE_ROWS, first,
                              dim - first < TRANSPOSE_CHANNELS ? dim - first : TRANSPOSE_CHANNELS);
}

static void write_value(const tern_kernels *k, const tern_kv *kv, unsigned char *values, int64_t token, const float *x)
{
    uint16_t narrow[CPU_CHUNK], *to = (uint16_t *)(void *)values + token / 2 * kv->value_dim * 2 + token % 2;
    if (kv->dtype != TERN_BF16) {
        cpu_narrow_row(k, values + (size_t)(token * kv->value_dim) * tern_dtype_bytes(kv->dtype), kv->dtype, x,
                       kv->value_dim);
        return;
    }
    for (int64_t first = 0; first < kv->value_dim; first += CPU_CHUNK) {
        int64_t part = kv->value_dim - first < CPU_CHUNK ? kv->value_dim - first : CPU_CHUNK;
        cpu_narrow_row(k, narrow, kv->dtype, x + first, part);
        for (int64_t d = 0; d < part; d++) to[2 * (first + d)] = narrow[d];
    }
}

static void write_values(const tern_kernels *k, const tern_kv_write *w, const run *u)
{
    int64_t dim = w->kv->value_dim;
    float *to = (float *)(void *)u->values + u->token * dim;
    for (int64_t i = 0; i < u->n; i++)
        if (w->kv->dtype == TERN_F32) memcpy(to + i * dim, u->v + i * w->ldv, (size_t)dim * sizeof *to);
        else write_value(k, w->kv, u->values, u->token + i, u->v + i * w->ldv);
}

/* The sequence that row r belongs to; rows of sequences ascend. */
static int32_t sequence_of(const tern_ragged *b, int64_t r)
{
    int32_t s = 0;
    while (s + 1 < b->n_seq && (r < b->row[s] || r >= b->row[s] + b->n_tok[s])) s++;
    return s;
}

/* Row r of sequence s and those behind it, up to row end, that lie in the same page. */
static run run_at(const tern_kv_write *w, int32_t s, int64_t r, int64_t end, int32_t head)
{
    const tern_ragged *b = w->batch;
    int64_t position = b->past[s] + (r - b->row[s]), token = position % TERN_KV_PAGE,
        last = (int64_t)b->row[s] + b->n_tok[s];
    int32_t page = b->page[s][position / TERN_KV_PAGE];
    run u = { .keys = cpu_kv_keys(w->kv, page, w->layer, head), .values = cpu_kv_values(w->kv, page, w->layer, head),
              .token = token, .n = TERN_KV_PAGE - token,
              .k = w->k + r * w->ldk + (int64_t)head * w->kv->key_dim,
              .v = w->v + r * w->ldv + (int64_t)head * w->kv->value_dim };
    if (end > last) end = last;
    if (u.n > end - r) u.n = end - r;
    return u;
}

enum { ROWS_OF_ITEM = TERN_KV_PAGE };

/* An item is some rows in one head: threads that shared a page's head would write to the same lines
 * of it. */
static void write_items(void *arg, int64_t lo, int64_t hi, int worker)
{
    const write_job *j = arg;
    const tern_kv_write *w = j->w;
    const tern_ragged *b = w->batch;
    (void)worker;
    for (int64_t item = lo; item < hi; item++) {
        int64_t r = item / w->kv->n_kv_head * ROWS_OF_ITEM,
            end = r + ROWS_OF_ITEM < b->n_row ? r + ROWS_OF_ITEM : b->n_row;
        int32_t head = (int32_t)(item % w->kv->n_kv_head), s = sequence_of(b, r);
        while (r < end) {
            while (s + 1 < b->n_seq && r >= b->row[s] + b->n_tok[s]) s++;
            run u = run_at(w, s, r, end, head);
            write_keys(j->k, w, &u);
            write_values(j->k, w, &u);
            r += u.n;
        }
    }
}

tern_status cpu_kv_write(tern_ctx *ctx, const tern_kv_write *w)
{
    write_job j = { ctx->kernels, w };
    int64_t rows = w->batch->n_row < ROWS_OF_ITEM ? w->batch->n_row : ROWS_OF_ITEM,
        items = (w->batch->n_row + ROWS_OF_ITEM - 1) / ROWS_OF_ITEM * w->kv->n_kv_head;
    tern_parallel_for(ctx, items, cpu_row_grain(rows * (w->kv->key_dim + w->kv->value_dim)), write_items, &j);
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
        for (int64_t d = 0; kv->dtype == TERN_BF16 && d < kv->value_dim; d++)
            ((uint16_t *)to)[value_at(kv, token, d)] = 0;
    }
}

static void read_row(const tern_kernels *k, const tern_kv *kv, const unsigned char *page, int64_t token, bool is_key,
                     float *y)
{
    uint16_t narrow[CPU_CHUNK];
    int64_t dim = is_key ? kv->key_dim : kv->value_dim;
    if (kv->dtype == TERN_F32) {
        for (int64_t d = 0; d < dim; d++)
            y[d] = ((const float *)(const void *)page)[is_key ? d * TERN_KV_PAGE + token : token * dim + d];
        return;
    }
    const uint16_t *from = (const uint16_t *)(const void *)page;
    for (int64_t first = 0; first < dim; first += CPU_CHUNK) {
        int64_t part = dim - first < CPU_CHUNK ? dim - first : CPU_CHUNK;
        for (int64_t d = 0; d < part; d++)
            narrow[d] = from[is_key ? key_at(kv, token, first + d) : value_at(kv, token, first + d)];
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
    tern_parallel_for(ctx, (int64_t)r->kv->n_kv_head * r->n, cpu_row_grain(r->kv->key_dim + r->kv->value_dim),
                      read_tokens, &j);
    return TERN_OK;
}
