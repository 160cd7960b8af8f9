/* One row of x: decoding, which is as fast as w can be read. Included by gemm_walk.h, whose sums it
 * makes: blocks, lanes and trees are the same.
 *
 * Memory is asked by the hardware, along each of a few runs of rows, and by two prefetches for
 * every line, so that it goes on behind a page's end. The far one brings a line to the second-level
 * cache, whose queue for memory is several times as long as the first's; the near one takes it from
 * there.
 *
 *   w  | run 0 | run 1 | run 2 | run 3 | rest |  a step takes ONE_N rows, one of each run; the
 *      rest, fewer than ONE_N, comes last
 *
 * Few other instructions for each line matter: those that wait for memory hold up those behind
 * them, and a core keeps only so many. */
#ifndef TERN_KERNELS_VECTOR_GEMM_ONE_H
#define TERN_KERNELS_VECTOR_GEMM_ONE_H

enum { ONE_NEAR = 1024, ONE_FAR = 4096 };    /* bytes */

/* The products of [from, to) of the part; steps that make up a line together share its prefetches,
 * near and far bytes ahead. */
INLINE void add_run(int tn, const gemm_kind *kind, vec sum[MOST_M][TILE_N], const tile_job *t,
                    size_t from, size_t to, size_t near, size_t far)
{
    const size_t line = STEP * kind->w_bytes < LINE ? LINE / kind->w_bytes : STEP;
    size_t k = from;
    for (; k + line <= to; k += line) {
        for (size_t at = 0; at < line * kind->w_bytes; at += LINE)
            for (int j = 0; j < tn; j++) {
                fetch_line(t->row[j] + k * kind->w_bytes + near + at, true);
                fetch_line(t->row[j] + k * kind->w_bytes + far + at, false);
            }
        for (size_t step = 0; step < line; step += STEP)
            kind->add_step(1, tn, STORED, sum, t, k + step, true);
    }
    for (; k + STEP <= to; k += STEP) kind->add_step(1, tn, STORED, sum, t, k, true);
    if (k < to) kind->add_step(1, tn, STORED, sum, t, k, false);
}

/* From where on in the part what lies ahead of it is behind the end of the run, left bytes from its
 * start. */
INLINE size_t passes_end(const gemm_kind *kind, const tile_job *t, size_t left, size_t ahead)
{
    size_t k = left > ahead ? (left - ahead) / kind->w_bytes / BLOCK_UNIT * BLOCK_UNIT : 0;
    return k < t->k_len ? k : t->k_len;
}

/* One block of tn rows that lie apart rows from each other; left: bytes from here to the end of
 * each run. What follows a run's end is the same run of the n rows behind these, jump bytes on,
 * which are likely the next. */
INLINE void add_block(int tn, const gemm_kind *kind, const tile_job *t, size_t apart, size_t left,
                      size_t jump)
{
    alignas(64) float total[TILE_N];
    vec sum[MOST_M][TILE_N];
    size_t near = passes_end(kind, t, left, ONE_NEAR), far = passes_end(kind, t, left, ONE_FAR);
    for (int j = 0; j < TILE_N; j++) sum[0][j] = v_zero();
    add_run(tn, kind, sum, t, 0, far, ONE_NEAR, ONE_FAR);
    add_run(tn, kind, sum, t, far, near, ONE_NEAR, ONE_FAR + jump);
    add_run(tn, kind, sum, t, near, t->k_len, ONE_NEAR + jump, ONE_FAR + jump);
    v_store_sums(total, TILE_N, true, sum[0]);
    for (int j = 0; j < tn; j++)
        t->y[(size_t)j * apart] = t->first ? total[j] : t->y[(size_t)j * apart] + total[j];
}

/* Runs of count rows. */
INLINE void add_runs(int tn, const gemm_kind *kind, float *y, const char *x, matrix w, size_t count,
                     size_t jump, size_t k_len)
{
    size_t block = block_of(k_len);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < k_len; k += block) {
            tile_job t = { .y = y + i, .x = x + k * kind->x_bytes,
                           .k_len = k_len - k < block ? k_len - k : block, .first = k == 0 };
            for (int j = 0; j < tn; j++)
                t.row[j] = w.at + (i + (size_t)j * count) * w.ld + k * kind->w_bytes;
            add_block(tn, kind, &t, count, (count - i) * w.ld - k * kind->w_bytes, jump);
        }
}

INLINE void walk_one(const gemm_kind *kind, float *y, const char *x, matrix w, size_t n,
                     size_t k_len)
{
    size_t count = n / ONE_N, rest = count * ONE_N;
    add_runs(ONE_N, kind, y, x, w, count, (n - count) * w.ld, k_len);
    w.at += rest * w.ld;
    add_runs(1, kind, y + rest, x, w, n - rest, 0, k_len);
}

#endif
