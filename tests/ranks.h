/* Several ranks in one process: each a thread with its own context, and a communicator over shared memory that meets at a barrier. For tests of layers
 * that are split over ranks; a sum is taken in the order of the ranks, as every communicator's. */
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

static tern_status ranks_all_gather(void *self, tern_ctx *ctx, const float *in, float *out, size_t n)
{
    rank_self *s = self;
    (void)ctx;
    ranks_meet(s, in);
    for (int r = 0; r < s->all->size; r++) memcpy(out + (size_t)r * n, s->all->in[r], n * sizeof *out);
    pthread_barrier_wait(&s->all->barrier);
    return TERN_OK;
}

static tern_status ranks_all_to_all(void *self, tern_ctx *ctx, const float *in, float *out, size_t n)
{
    rank_self *s = self;
    (void)ctx;
    ranks_meet(s, in);
    for (int r = 0; r < s->all->size; r++) memcpy(out + (size_t)r * n, (const float *)s->all->in[r] + (size_t)s->rank * n, n * sizeof *out);
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

typedef void rank_fn(tern_ctx *ctx, const tern_comm *comm, void *arg);

typedef struct rank_thread {
    rank_self self;
    rank_fn *fn;
    void *arg;
    pthread_t thread;
    bool failed;
} rank_thread;

static void *rank_main(void *p)
{
    rank_thread *t = p;
    tern_ctx *ctx = NULL;
    tern_comm comm = { .rank = t->self.rank, .size = t->self.all->size, .self = &t->self, .all_reduce = ranks_all_reduce, .all_gather = ranks_all_gather,
                       .all_to_all = ranks_all_to_all, .broadcast = ranks_broadcast };
    t->failed = tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx) != TERN_OK;
    if (!t->failed) t->fn(ctx, &comm, t->arg);
    tern_ctx_free(ctx);
    return NULL;
}

/* Runs fn once for each of size ranks, side by side; returns whether all had a context. fn must make the same calls on every rank. */
static bool ranks_run(int size, rank_fn *fn, void *arg)
{
    ranks all = { .size = size };
    rank_thread threads[RANKS_MOST];
    bool good = true;
    pthread_barrier_init(&all.barrier, NULL, (unsigned)size);
    for (int r = 0; r < size; r++) {
        threads[r] = (rank_thread){ .self = { &all, r }, .fn = fn, .arg = arg };
        pthread_create(&threads[r].thread, NULL, rank_main, &threads[r]);
    }
    for (int r = 0; r < size; r++) {
        pthread_join(threads[r].thread, NULL);
        good = good && !threads[r].failed;
    }
    pthread_barrier_destroy(&all.barrier);
    return good;
}

#endif
