/* Brings weights into the form of the GEMM slots: see panel.h. Called by matmul.c, one panel per
 * tile; cpu_prepack by models that are opened. */
#include "backend/cpu/panel.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static bool stored_as_needed(const cpu_panel *p)
{
    const tern_weight *w = p->w;
    return w->dtype == TERN_F16_PACKED ||
           (!w->transposed_in && w->dtype == p->dtype && (uintptr_t)w->data % tern_dtype_bytes(w->dtype) == 0);
}

/* A panel's scratch: [rows of the slot's type][rows as stored, where those must be made first][one
 * row of f32]. */
static size_t slot_bytes(const cpu_panel *p, int64_t n)
{
    return cpu_line_bytes((size_t)n * (size_t)p->w->in * tern_dtype_bytes(p->dtype));
}

static size_t stored_bytes(const cpu_panel *p, int64_t n)
{
    return cpu_line_bytes((size_t)n * (size_t)p->w->in * tern_dtype_bytes(p->w->dtype));
}

void cpu_panel_plan(cpu_panel *p, const tern_kernels *k, const tern_weight *w, tern_dtype compute)
{
    tern_dtype type = w->dtype;
    if (compute != TERN_F32) type = compute;
    else if (w->dtype == TERN_I8) type = TERN_F32;
    *p = (cpu_panel){ .w = w, .dtype = type, .pack = k->pack_f32 };
    if (compute == TERN_BF16) {
        p->pack = k->pack_bf16;
        p->gemm = k->gemm_bf16_bf16;
    } else if (compute == TERN_F16) {
        p->pack = k->pack_f16;
        p->gemm = w->dtype == TERN_F16_PACKED ? k->gemm_f16_packed : k->gemm_f16_f16;
    } else {
        if (type == TERN_F32) p->gemm = k->gemm_f32_f32;
        else if (type == TERN_BF16) p->gemm = k->gemm_f32_bf16;
        else p->gemm = k->gemm_f32_f16;
    }
    p->direct = stored_as_needed(p);
}

size_t cpu_panel_bytes(const cpu_panel *p, int64_t n)
{
    return p->direct ? 0 : slot_bytes(p, n) + stored_bytes(p, n) + cpu_line_bytes((size_t)p->w->in * sizeof(float));
}

/* Columns [first, first + n) of a matrix of [in, out] become rows. Blocks of 32 inputs keep both
 * sides in cache. */
#define TRANSPOSE(name, type)                                                                                  \
    static void name(type *to, const unsigned char *from, int64_t first, int64_t n, int64_t in, int64_t ld)    \
    {                                                                                                          \
        for (int64_t block = 0; block < in; block += 32)                                                       \
            for (int64_t r = 0; r < n; r++)                                                                    \
                for (int64_t i = block; i < in && i < block + 32; i++)                                         \
                    memcpy(&to[r * in + i], from + (size_t)(i * ld + first + r) * sizeof(type), sizeof(type)); \
    }
TRANSPOSE(transpose_8, uint8_t)
TRANSPOSE(transpose_16, uint16_t)
TRANSPOSE(transpose_32, uint32_t)

/* Rows as stored, made contiguous and aligned. */
static void bring(const cpu_panel *p, void *to, int64_t first, int64_t n)
{
    const tern_weight *w = p->w;
    size_t size = tern_dtype_bytes(w->dtype);
    if (!w->transposed_in) {
        for (int64_t r = 0; r < n; r++)
            memcpy((unsigned char *)to + (size_t)(r * w->in) * size,
                   (const unsigned char *)w->data + (size_t)((first + r) * w->ld) * size, (size_t)w->in * size);
        return;
    }
    if (size == 1) transpose_8(to, w->data, first, n, w->in, w->ld);
    else if (size == 2) transpose_16(to, w->data, first, n, w->in, w->ld);
    else transpose_32(to, w->data, first, n, w->in, w->ld);
}

static bool overflows(const uint16_t *f16, const float *from, int64_t n)
{
    bool lost = false;
    for (int64_t i = 0; i < n; i++) lost |= (f16[i] & 0x7FFF) == 0x7C00 && isfinite(from[i]);
    return lost;
}

/* One stored row to the slot's type; row is a scratch of w->in floats. False where a finite number
 * is infinite as f16. */
static bool convert_row(const cpu_panel *p, const tern_kernels *k, void *to, const void *from, int64_t output,
                        float *row)
{
    const tern_weight *w = p->w;
    float *wide = p->dtype == TERN_F32 ? to : row;
    if (w->dtype == TERN_I8) {
        cpu_widen_i8_row(wide, from, w->scale[output / (w->out / w->n_group)], w->in);
        cpu_round_row(k, w->widen, wide, w->in);
    } else {
        cpu_widen_row(k, wide, from, w->dtype, w->in);
    }
    if (wide == row) cpu_narrow_row(k, to, p->dtype, wide, w->in);
    return p->dtype != TERN_F16 || !overflows(to, wide, w->in);
}

const void *cpu_panel_get(const cpu_panel *p, const tern_kernels *k, int64_t first, int64_t n, unsigned char *scratch,
                          size_t *ld, bool *lost)
{
    const tern_weight *w = p->w;
    size_t size = tern_dtype_bytes(w->dtype), slot_size = tern_dtype_bytes(p->dtype);
    const unsigned char *stored = (const unsigned char *)w->data + (size_t)(first * w->ld) * size;
    size_t stored_row = (size_t)w->ld * size;
    if (p->direct) {
        *ld = (size_t)w->ld;
        return stored;
    }
    *ld = (size_t)w->in;
    if (w->dtype == p->dtype) {
        bring(p, scratch, first, n);
        return scratch;
    }
    unsigned char *copy = scratch + slot_bytes(p, n);
    float *row = (float *)(void *)(copy + stored_bytes(p, n));
    if (w->transposed_in || (uintptr_t)w->data % size) {
        bring(p, copy, first, n);
        stored = copy;
        stored_row = (size_t)w->in * size;
    }
    for (int64_t r = 0; r < n; r++)
        if (!convert_row(p, k, scratch + (size_t)(r * w->in) * slot_size, stored + (size_t)r * stored_row, first + r,
                         row))
            *lost = true;
    return scratch;
}

typedef struct lay_job {
    const tern_kernels *k;
    unsigned char *w, *scratch;    /* the matrix; a panel per worker */
    int64_t in;
} lay_job;

static void prepack_panels(void *arg, int64_t lo, int64_t hi, int worker)
{
    const lay_job *j = arg;
    size_t bytes = PACKED_ROWS * (size_t)j->in * sizeof(uint16_t);
    unsigned char *copy = j->scratch + (size_t)worker * bytes;
    for (int64_t i = lo; i < hi; i++) {
        memcpy(copy, j->w + (size_t)i * bytes, bytes);
        j->k->prepack_f16(j->w + (size_t)i * bytes, copy, PACKED_ROWS, (size_t)j->in);
    }
}

tern_status cpu_prepack(tern_ctx *ctx, const tern_prepack *l)
{
    tern_mark mark = tern_arena_mark(&ctx->step);
    lay_job j = { .k = ctx->kernels, .w = l->w, .in = l->in };
    *l->done = j.k->prepack_f16 && (uintptr_t)l->w % 64 == 0 && l->out % PACKED_ROWS == 0 && l->in % PACKED_CHUNK == 0;
    if (!*l->done) return TERN_OK;
    j.scratch = tern_arena_get(ctx, &ctx->step, (size_t)tern_pool_threads(ctx->pool),
                               PACKED_ROWS * (size_t)l->in * sizeof(uint16_t));
    if (!j.scratch) return TERN_ERR_MEMORY;
    tern_parallel_for(ctx, l->out / PACKED_ROWS, 16, prepack_panels, &j);
    tern_arena_reset(&ctx->step, mark);
    return TERN_OK;
}
