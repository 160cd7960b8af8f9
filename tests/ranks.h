/* Several ranks in one process: each a thread with its own context, and a communicator over shared
 * memory that meets at a barrier. For tests of layers that are split over ranks; a sum is taken in
 * the order of the ranks, as every communicator's. */
#ifndef TESTS_RANKS_H
#define TESTS_RANKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tern/comm.h>

enum { RANKS_MOST = 8 };

typedef struct ranks {
    int size;
    pthread_barrier_t barrier;
    const void *in[RANKS_MOST];    /* what each rank brings to the call under way */
} ranks;

typedef struct rank_self {
    ranks *all;
    int rank;
} rank_self;

/* Everybody's pointer is there from the first meeting to the second. */
static void ranks_meet(rank_self *s, const void *in)
{
    s->all->in[s->rank] = in;
    pthread_barrier_wait(&s->all->barrier);
}

static tern_status ranks_all_reduce(void *self, tern_ctx *ctx, float *data, size_t n)
{
    rank_self *s = self;
    float *sum = calloc(n + 1, sizeof *sum);
    (void)ctx;
    ranks_meet(s, data);
    for (int r = 0; r < s->all->size; r++)
        for (size_t i = 0; i < n; i++) sum[i] += ((const float *)s->all->in[r])[i];
    pthread_barrier_wait(&s->all->barrier);
    memcpy(data, sum, n * sizeof *sum);
    free(sum);
    return TERN_OK;
}

static tern_status ranks_all_gather(void *self, tern_ctx *ctx, const float *in, float *out,
                                    size_t n)
{
    rank_self *s = self;
    (void)ctx;
    ranks_meet(s, in);
    for (int r = 0; r < s->all->size; r++)
        memcpy(out + (size_t)r * n, s->all->in[r], n * sizeof *out);
    pthread_barrier_wait(&s->all->barrier);
    return TERN_OK;
}

static tern_status ranks_all_to_all(void *self, tern_ctx *ctx, const float *in, float *out,
                                    size_t n)
{
    rank_self *s = self;
    (void)ctx;
    ranks_meet(s, in);
    for (int r = 0; r < s->all->size; r++)
        memcpy(out + (size_t)r * n, (const float *)s->all->in[r] + (size_t)s->rank * n,
               n * sizeof *out);
    pthread_barrier_wait(&s->all->barrier);
    return TERN_OK;
}

static tern_status ranks_broadcast(void *self, tern_ctx *ctx, void *data, size_t n_bytes, int root)
{
    rank_self *s = self;
    (void)ctx;
    ranks_meet(s, data);
    if (s->rank != root) memcpy(data, s->all->in[root], n_bytes);
    pthread_barrier_wait(&s->all->barrier);
    return TERN_OK;
}

/* rows, columns: the ranks in this one's row and column of the grid. Ranks in one line have one
 * row, and are what rows says. */
typedef void grid_fn(tern_ctx *ctx, const tern_comm *rows, const tern_comm *columns, void *arg);
typedef void rank_fn(tern_ctx *ctx, const tern_comm *comm, void *arg);

typedef struct rank_thread {
    rank_self row, column;
    grid_fn *grid;
    rank_fn *line;
    void *arg;
    pthread_t thread;
    bool failed;
} rank_thread;

static tern_comm ranks_comm(rank_self *self)
{
    return (tern_comm){ .rank = self->rank, .size = self->all->size, .self = self,
                        .all_reduce = ranks_all_reduce, .all_gather = ranks_all_gather,
                        .all_to_all = ranks_all_to_all, .broadcast = ranks_broadcast };
}

static void *rank_main(void *p)
{
    rank_thread *t = p;
    tern_ctx *ctx = NULL;
    tern_comm row = ranks_comm(&t->row), column = ranks_comm(&t->column);
    t->failed = tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx) != TERN_OK;
    if (!t->failed && t->grid) t->grid(ctx, &row, &column, t->arg);
    else if (!t->failed) t->line(ctx, &row, t->arg);
    tern_ctx_free(ctx);
    return NULL;
}

static bool ranks_start(int n_row, int n_column, grid_fn *grid, rank_fn *line, void *arg)
{
    ranks rows[RANKS_MOST], columns[RANKS_MOST];
    rank_thread threads[RANKS_MOST];
    bool good = true;
    for (int r = 0; r < n_row; r++) {
        rows[r].size = n_column;
        pthread_barrier_init(&rows[r].barrier, NULL, (unsigned)n_column);
    }
    for (int c = 0; c < n_column; c++) {
        columns[c].size = n_row;
        pthread_barrier_init(&columns[c].barrier, NULL, (unsigned)n_row);
    }
    for (int i = 0; i < n_row * n_column; i++) {
        threads[i] = (rank_thread){ .row = { &rows[i / n_column], i % n_column }, .column =
            { &columns[i % n_column], i / n_column }, .grid = grid, .line = line, .arg = arg };
        pthread_create(&threads[i].thread, NULL, rank_main, &threads[i]);
    }
    for (int i = 0; i < n_row * n_column; i++) {
        pthread_join(threads[i].thread, NULL);
        good = good && !threads[i].failed;
    }
    for (int r = 0; r < n_row; r++) pthread_barrier_destroy(&rows[r].barrier);
    for (int c = 0; c < n_column; c++) pthread_barrier_destroy(&columns[c].barrier);
    return good;
}

/* Runs fn once for each of size ranks, side by side; returns whether all had a context. fn must
 * make the same calls on every rank. */
static inline bool ranks_run(int size, rank_fn *fn, void *arg)
{
    return ranks_start(1, size, NULL, fn, arg);
}

/* The same for a grid of n_row times n_column ranks: rank r of a row is in column r, rank r of a
 * column in row r. */
static inline bool ranks_run_grid(int n_row, int n_column, grid_fn *fn, void *arg)
{
    return ranks_start(n_row, n_column, fn, NULL, arg);
}

#endif
