/* Threads that take tiles from a counter: see pool.h.
 *
 * left counts the tiles that nobody has taken. A thread takes one by lowering it from l to l - 1 and may then read the job's
 * fields, because the job cannot end, and no other can be posted, before that tile is done. So a worker that comes late finds
 * left == 0 and touches nothing, and one that comes very late simply helps with the job of that moment. */
#include "base/pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/memory.h"

enum { SPINS = 4000 };    /* about 30 to 100 us: longer than the gap between two jobs of a decode step */

typedef struct worker {
    tern_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct tern_pool {
    int threads, started;
    worker *workers;

    tern_tile_fn *fn;    /* the job: written while no tile is out */
    void *arg;
    int64_t n, grain, n_tiles;

    _Alignas(64) _Atomic int64_t left;       /* tiles not yet taken                               */
    _Alignas(64) _Atomic int64_t undone;     /* tiles not yet finished                            */
    _Alignas(64) _Atomic uint32_t posted;    /* goes up with every job: what idle workers sleep on */
    _Atomic uint32_t finished;               /* goes up when a job ends: what the caller sleeps on */
    _Atomic int sleepers, caller_sleeps;
    _Atomic bool stop;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static inline void breathe(void)
{
    __builtin_ia32_pause();
}

/* Takes and runs tiles until none is left. */
static void work(tern_pool *p, int index)
{
    int64_t l = atomic_load_explicit(&p->left, memory_order_acquire);
    while (l > 0) {
        if (!atomic_compare_exchange_weak_explicit(&p->left, &l, l - 1, memory_order_acq_rel, memory_order_acquire)) continue;
        int64_t lo = (p->n_tiles - l) * p->grain, hi = lo + p->grain < p->n ? lo + p->grain : p->n;
        p->fn(p->arg, lo, hi, index);
        if (atomic_fetch_sub(&p->undone, 1) == 1) {
            atomic_fetch_add(&p->finished, 1);
            if (atomic_load(&p->caller_sleeps)) futex_wake_all(&p->finished);
        }
        l = atomic_load_explicit(&p->left, memory_order_acquire);
    }
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    tern_pool *p = w->pool;
    while (!atomic_load(&p->stop)) {
        work(p, w->index);
        for (int i = 0; i < SPINS && atomic_load_explicit(&p->left, memory_order_relaxed) <= 0 && !atomic_load(&p->stop); i++) breathe();
        if (atomic_load(&p->left) > 0) continue;
        uint32_t seen = atomic_load(&p->posted);
        atomic_fetch_add(&p->sleepers, 1);
        if (atomic_load(&p->left) <= 0 && !atomic_load(&p->stop)) futex_wait(&p->posted, seen);
        atomic_fetch_sub(&p->sleepers, 1);
    }
    return NULL;
}

tern_status tern_pool_create(tern_ctx *ctx, int threads, tern_pool **out)
{
    tern_pool *p = tern_alloc_aligned(ctx, 64, 1, sizeof *p, "the thread pool");
    if (!p) return TERN_ERR_MEMORY;
    memset(p, 0, sizeof *p);
    p->threads = threads;
    p->workers = tern_alloc(ctx, (size_t)threads, sizeof *p->workers, "the thread pool");
    if (!p->workers) {
        tern_free(p);
        return TERN_ERR_MEMORY;
    }
    for (int i = 1; i < threads; i++, p->started++) {
        p->workers[i] = (worker){ .pool = p, .index = i };
        int error = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
        if (error) {
            tern_pool_free(p);
            return tern_fail(ctx, TERN_ERR_IO, "thread %d of %d could not be started: %s", i, threads, error == EAGAIN ? "a limit of the system is reached" : "not permitted");
        }
    }
    *out = p;
    return TERN_OK;
}

void tern_pool_free(tern_pool *p)
{
    if (!p) return;
    atomic_store(&p->stop, true);
    atomic_fetch_add(&p->posted, 1);
    futex_wake_all(&p->posted);
    for (int i = 1; i <= p->started; i++) pthread_join(p->workers[i].thread, NULL);
    tern_free(p->workers);
    tern_free(p);
}

int tern_pool_threads(const tern_pool *p)
{
    return p->threads;
}

void tern_pool_run(tern_pool *p, int64_t n, int64_t grain, tern_tile_fn *fn, void *arg)
{
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    if (p->threads == 1 || n <= grain) {
        fn(arg, 0, n, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    p->grain = grain;
    p->n_tiles = (n + grain - 1) / grain;
    uint32_t seen = atomic_load(&p->finished);
    atomic_store(&p->undone, p->n_tiles);
    atomic_store(&p->left, p->n_tiles);
    atomic_fetch_add(&p->posted, 1);
    if (atomic_load(&p->sleepers)) futex_wake_all(&p->posted);

    work(p, 0);
    for (int i = 0; i < SPINS && atomic_load_explicit(&p->undone, memory_order_acquire) > 0; i++) breathe();
    atomic_store(&p->caller_sleeps, 1);
    while (atomic_load(&p->finished) == seen) futex_wait(&p->finished, seen);
    atomic_store(&p->caller_sleeps, 0);
}
