/* One rank's part of a weight, in memory of its own: cut where the library says. */
#ifndef TESTS_LAYERS_SLICES_H
#define TESTS_LAYERS_SLICES_H

#include <tern/comm.h>

#include "ops/rig.h"

/* These columns of t [rows, columns] or [columns], side by side. */
static tern_tensor slice_parts(const tern_tensor *t, const tern_part *part, int n_part)
{
    int64_t rows = t->rank == 2 ? t->shape[0] : 1, wide = t->shape[t->rank - 1], narrow = 0, to = 0;
    if (!t->data) return *t;
    for (int p = 0; p < n_part; p++) narrow += part[p].n;
    tern_tensor s = t->rank == 2 ? rig_new(t->dtype, RIG_SHAPE(rows, narrow))
                                 : rig_new(t->dtype, RIG_SHAPE(narrow));
    for (int p = 0; p < n_part; to += part[p++].n)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < part[p].n; c++)
                rig_put(&s, r * narrow + to + c, rig_get(t, r * wide + part[p].first + c));
    return s;
}

/* This rank's part of each of up to three blocks of columns, all of one size. */
static tern_tensor slice_columns(tern_ctx *ctx, const tern_tensor *t, int n_block, int rank,
                                 int size)
{
    int64_t block = t->data ? t->shape[t->rank - 1] / n_block : 0;
    tern_part part[3];
    for (int b = 0; t->data && b < n_block; b++) {
        assert_int_equal(tern_part_of(ctx, block, 1, rank, size, &part[b]), TERN_OK);
        part[b].first += b * block;
    }
    return slice_parts(t, part, n_block);
}

/* This rank's heads of a fused projection. */
static tern_tensor slice_heads(tern_ctx *ctx, const tern_tensor *t, int64_t heads, int64_t kv,
                               int64_t dim, int rank, int size)
{
    tern_part part[3];
    assert_int_equal(tern_part_qkv(ctx, heads, kv, dim, rank, size, part), TERN_OK);
    return slice_parts(t, part, 3);
}

/* This rank's part of the rows of t [rows, columns]. */
static tern_tensor slice_rows(tern_ctx *ctx, const tern_tensor *t, int rank, int size)
{
    tern_part part;
    assert_int_equal(tern_part_of(ctx, t->shape[0], 1, rank, size, &part), TERN_OK);
    tern_tensor s = rig_new(t->dtype, RIG_SHAPE(part.n, t->shape[1]));
    memcpy(s.data, (float *)t->data + part.first * t->shape[1],
           (size_t)(part.n * t->shape[1]) * sizeof(float));
    return s;
}

#endif
