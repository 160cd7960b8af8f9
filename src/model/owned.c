/* Memory that a model owns beside the mapped files, and how a stored tensor is brought into the
 * form its slot needs. */
#include <string.h>
#include <sys/mman.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "base/memory.h"
#include "model/internal.h"

enum { ALIGN = 64 };

void *tern_model_own(tern_model *m, size_t n_bytes, const char *what)
{
    tern_owned *o = &m->owned;
    if (o->count == o->capacity) {
        size_t more = o->capacity ? 2 * o->capacity : 64;
        if (tern_grow(m->ctx, (void **)&o->block, more, sizeof *o->block, "a list of weights")) return NULL;
        o->capacity = more;
    }
    void *p = tern_alloc_aligned(m->ctx, ALIGN, n_bytes, 1, what);
    if (!p) return NULL;
    o->block[o->count++] = p;
    o->n_bytes += n_bytes;
    return p;
}

void tern_owned_free(tern_owned *o)
{
    for (size_t i = 0; i < o->count; i++) tern_free(o->block[i]);
    tern_free(o->block);
    *o = (tern_owned){ 0 };
}

static tern_status convert(tern_model *m, const tern_tensor *from, tern_dtype dtype, const char *name, tern_tensor *out)
{
    int64_t n = tern_tensor_count(from);
    *out = tern_tensor_of(NULL, dtype, from->rank, from->shape);
    out->data = tern_model_own(m, (size_t)n * tern_dtype_bytes(dtype), name);
    if (!out->data) return TERN_ERR_MEMORY;
    return m->ctx->backend->convert(m->ctx, &(tern_convert){ .from = from->data, .to = out->data,
                                                             .from_dtype = from->dtype, .to_dtype = dtype, .n = n });
}

/* Where column c of cols goes: its place, or with gates and ups in turn, all gates before all
 * ups. */
static int64_t position_of(int64_t c, int64_t cols, bool unpair)
{
    return unpair ? c / 2 + (c % 2) * (cols / 2) : c;
}

/* rows whose lines stay in the first cache while columns pass; columns of a tile */
enum { BLOCK = 32, COLUMNS = 64 };

typedef struct transpose_job {
    const char *from;
    char *to;
    int64_t rows, cols;
    size_t bytes;
    bool unpair;
} transpose_job;

#define COLUMN(type) \
    for (int64_t r = 0; r < n; r++) ((type *)(void *)to)[r] = ((const type *)(const void *)from)[r * cols]

/* n elements of a column, cols apart, to a run of them. */
static inline void copy_column(char *to, const char *from, int64_t n, int64_t cols, size_t bytes)
{
    if (bytes == 2) COLUMN(uint16_t);
    else COLUMN(uint32_t);
}

/* Tiles of COLUMNS columns; each plane has the same number of them. */
static void transpose_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    const transpose_job *j = arg;
    int64_t rows = j->rows, cols = j->cols, per_plane = (cols + COLUMNS - 1) / COLUMNS;
    (void)worker;
    for (int64_t item = lo; item < hi; item++) {
        size_t plane = (size_t)(item / per_plane * rows * cols) * j->bytes;
        int64_t first = item % per_plane * COLUMNS, last = first + COLUMNS < cols ? first + COLUMNS : cols;
        for (int64_t r = 0; r < rows; r += BLOCK)
            for (int64_t c = first; c < last; c++)
                copy_column(j->to + plane + (size_t)(position_of(c, cols, j->unpair) * rows + r) * j->bytes,
                            j->from + plane + (size_t)(r * cols + c) * j->bytes, rows - r < BLOCK ? rows - r : BLOCK,
                            cols, j->bytes);
    }
}

/* [in, out] becomes [out, in]; of a stack, each plane. */
static tern_status transpose(tern_model *m, const tern_tensor *from, bool unpair, const char *name, tern_tensor *out)
{
    int last = from->rank - 1;
    int64_t rows = from->shape[last - 1], cols = from->shape[last], n_plane = tern_tensor_count(from) / (rows * cols),
        shape[3] = { n_plane, cols, rows };
    size_t bytes = tern_dtype_bytes(from->dtype);
    *out = tern_tensor_of(NULL, from->dtype, from->rank, from->rank == 3 ? shape : shape + 1);
    out->data = tern_model_own(m, (size_t)(n_plane * rows * cols) * bytes, name);
    if (!out->data) return TERN_ERR_MEMORY;
    transpose_job j = { .from = from->data, .to = out->data, .rows = rows, .cols = cols, .bytes = bytes,
                        .unpair = unpair };
    tern_parallel_for(m->ctx, n_plane * ((cols + COLUMNS - 1) / COLUMNS), 1, transpose_tiles, &j);
    return TERN_OK;
}

/* The last axis of an f32 vector or of rows of them, its gates before its ups. */
static tern_status unpair(tern_model *m, const tern_tensor *from, const char *name, tern_tensor *out)
{
    int64_t cols = from->shape[from->rank - 1], n = tern_tensor_count(from);
    *out = *from;
    float *to = out->data = tern_model_own(m, (size_t)n * sizeof *to, name);
    if (!to) return TERN_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++)
        to[i / cols * cols + position_of(i % cols, cols, true)] = ((const float *)from->data)[i];
    return TERN_OK;
}

/* A tensor that is not aligned to its own element, at a place that is. */
static tern_status align(tern_model *m, tern_tensor *t, const char *name)
{
    size_t bytes = tern_dtype_bytes(t->dtype), n = (size_t)tern_tensor_count(t) * bytes;
    if ((uintptr_t)t->data % bytes == 0) return TERN_OK;
    void *copy = tern_model_own(m, n, name);
    if (!copy) return TERN_ERR_MEMORY;
    if (n) memcpy(copy, t->data, n);
    t->data = copy;
    return TERN_OK;
}

/* A copy of f16 in the order in which it is multiplied: it costs no more memory, and saves packing
 * it whenever it is. */
static tern_status prepack(tern_model *m, tern_tensor *t)
{
    bool done = false;
    if (m->compute != TERN_F16 || t->dtype != TERN_F16 || t->rank != 2) return TERN_OK;
    tern_status st = m->ctx->backend->prepack(m->ctx, &(tern_prepack){ .w = t->data, .out = t->shape[0],
                                                                       .in = t->shape[1], .done = &done });
    if (done && !st) t->dtype = TERN_F16_PACKED;
    return st;
}

tern_status tern_model_shape_tensor(tern_model *m, const char *name, tern_tensor stored, tern_how how, tern_use use,
                                    tern_tensor *out)
{
    tern_status st = TERN_OK;
    tern_tensor t = stored, next;
    if (!tern_is_float(t.dtype))
        return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "tensor %s is stored as %s; weights are f32, f16 or bf16", name,
                         tern_dtype_name(t.dtype));
    TERN_TRY(align(m, &t, name));
    if (use == USE_VECTOR) {
        TERN_TRY(convert(m, &t, TERN_F32, name, &next));
        t = next;
        float *v = t.data;
        for (int64_t i = 0; how == ADD_ONE && i < tern_tensor_count(&t); i++) v[i] += 1;
        if (how == UNPAIR) {
            TERN_TRY(unpair(m, &t, name, &next));
            t = next;
        }
    } else if (use == USE_MATRIX || use == USE_LAYER_MATRIX) {
        if (how == TRANSPOSE || how == UNPAIR) {
            TERN_TRY(transpose(m, &t, how == UNPAIR, name, &next));
            t = next;
        }
        if (m->compute != TERN_F32 && t.dtype != m->compute) {
            TERN_TRY(convert(m, &t, m->compute, name, &next));
            if (m->compute == TERN_F16) TERN_TRY(tern_model_check_f16(m, &t, &next, name));
            t = next;
        }
        if (use == USE_LAYER_MATRIX && t.data != stored.data) TERN_TRY(prepack(m, &t));
    }
    *out = t;
done:
    return st;
}

/* SplitMix64 (Steele et al. 2014): one state, any number of draws. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Shared anonymous memory: pages of a file without a name. */
static void *map_random(tern_model *m, size_t n_bytes)
{
    tern_random_maps *r = &m->random_maps;
    if (r->count == r->capacity) {
        size_t more = r->capacity ? 2 * r->capacity : 64;
        if (tern_grow(m->ctx, (void **)&r->map, more, sizeof *r->map, "a list of weights")) return NULL;
        r->capacity = more;
    }
    void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        tern_fail(m->ctx, TERN_ERR_MEMORY, "no memory for random weights: %zu bytes", n_bytes);
        return NULL;
    }
    r->map[r->count++] = (tern_map){ .data = p, .n_bytes = n_bytes, .guard = -1 };
    return p;
}

void tern_random_free(tern_random_maps *r)
{
    for (size_t i = 0; i < r->count; i++) tern_map_close(&r->map[i]);
    tern_free(r->map);
    *r = (tern_random_maps){ 0 };
}

tern_status tern_model_random_tensor(tern_model *m, int rank, const int64_t *shape, tern_tensor *out)
{
    tern_tensor t = tern_tensor_of(NULL, m->random_dtype, rank, shape);
    int64_t n = tern_tensor_count(&t);
    t.data = map_random(m, (size_t)n * tern_dtype_bytes(t.dtype));
    if (!t.data) return TERN_ERR_MEMORY;
    for (int64_t i = 0; i < n;) {
        uint64_t bits = draw(&m->random_state);
        for (int lane = 0; lane < 4 && i < n; lane++, i++, bits >>= 16) {
            float v = (float)((int)(bits & 0xFFFF) - 0x8000) * 0x1p-20f;    /* uniform in +-1/32 */
            if (t.dtype == TERN_F32) ((float *)t.data)[i] = v;
            else ((uint16_t *)t.data)[i] = t.dtype == TERN_BF16 ? tern_bf16_from_f32(v) : tern_f16_from_f32(v);
        }
    }
    *out = t;
    return TERN_OK;
}
