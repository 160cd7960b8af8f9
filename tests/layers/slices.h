/* One rank's part of a weight, in memory of its own. */
#ifndef TESTS_LAYERS_SLICES_H
#define TESTS_LAYERS_SLICES_H

#include "ops/rig.h"

/* This rank's part of each of n_block blocks of columns of t [rows, columns]. A block of fewer units (KV heads) than ranks has a part a unit, which ranks share. */
static tern_tensor slice_columns(const tern_tensor *t, const int64_t *blocks, const int64_t *units, int n_block, int rank, int size)
{
    int64_t rows = t->rank == 2 ? t->shape[0] : 1, wide = t->shape[t->rank - 1], narrow = 0, from = 0, to = 0, parts[3];
    for (int b = 0; b < n_block; b++) {
        parts[b] = units && units[b] < size ? units[b] : size;
        narrow += blocks[b] / parts[b];
    }
    tern_tensor s = t->rank == 2 ? rig_new(t->dtype, RIG_SHAPE(rows, narrow)) : rig_new(t->dtype, RIG_SHAPE(narrow));
    if (!t->data) return *t;
    for (int b = 0; b < n_block; b++) {
        int64_t n = blocks[b] / parts[b], part = rank * parts[b] / size;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < n; c++) rig_put(&s, r * narrow + to + c, rig_get(t, r * wide + from + part * n + c));
        from += blocks[b];
        to += n;
    }
    return s;
}

/* The rank-th of size parts of the rows of t [rows, columns]. */
static tern_tensor slice_rows(const tern_tensor *t, int rank, int size)
{
    int64_t n = t->shape[0] / size;
    tern_tensor s = rig_new(t->dtype, RIG_SHAPE(n, t->shape[1]));
    memcpy(s.data, (float *)t->data + rank * n * t->shape[1], (size_t)(n * t->shape[1]) * sizeof(float));
    return s;
}

#endif
