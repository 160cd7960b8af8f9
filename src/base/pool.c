/* Threads that take tiles from a counter: see pool.h.
 *
 * left counts the tiles that nobody has taken. A thread takes one by lowering it from l to l - 1 and may then read the job's
 * fields, because the job cannot end, and no other can be posted, before that tile is done. So a worker that comes late finds
 * left == 0 and touches nothing, and one that comes very late simply helps with the job of that moment.
 *
 * Where another process takes part of the cores, a thread loses its core inside a tile sooner or later, and all wait until the scheduler
 * gives it back: several milliseconds. So a thread that has waited for a moment looks whether the one that it waits for stands still, calls
 * it to its own core, which is free for just that long, and sleeps. A worker that finds itself on the caller's core goes to another. */
#include "base/pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/core.h"
#include "base/ctx.h"
#include "base/fp.h"
#include "base/memory.h"

/* A wait looks for a thread that stands still after FIRST_NS, watches it for WATCH_NS, and sleeps after SPIN_NS: longer than the gap between
 * two jobs of a decode step. */
enum { FIRST_NS = 15000, WATCH_NS = 7000, SPIN_NS = 50000, CALIBRATION = 500 };

/* One of the threads; number 0 is whoever calls. */
typedef struct worker {
    _Alignas(64) _Atomic bool inside;    /* a tile */
    _Atomic pid_t id;
    tern_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct tern_pool {
    int threads, started;
    bool may_move;       /* there is a core for each thread */
    int64_t spin[3];     /* FIRST_NS, WATCH_NS, SPIN_NS in breaths */
    worker *workers;

    tern_tile_fn *fn;    /* the job: written while no tile is out */
    void *arg;
    int64_t n, grain, n_tiles;

    _Alignas(64) _Atomic int64_t left;       /* tiles not yet taken                               */
    _Alignas(64) _Atomic int64_t undone;     /* tiles not yet finished                            */
    _Alignas(64) _Atomic uint32_t posted;    /* goes up with every job: what idle workers sleep on */
    _Atomic uint32_t finished;               /* goes up when a job ends: what the caller sleeps on */
    _Atomic int sleepers, caller_sleeps, caller_core;
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

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A breath is 10 to 60 ns long, by the processor. */
static void count_breaths(tern_pool *p)
{
    static const int64_t ns[3] = { FIRST_NS, WATCH_NS, SPIN_NS };
    int64_t start = now_ns();
    for (int i = 0; i < CALIBRATION; i++) breathe();
    int64_t took = now_ns() - start;
    for (int i = 0; i < 3; i++) p->spin[i] = took > 0 ? ns[i] * CALIBRATION / took + 1 : CALIBRATION;
}

/* Takes and runs tiles until none is left. */
static void work(tern_pool *p, int index)
{
    int64_t l = atomic_load_explicit(&p->left, memory_order_acquire);
    while (l > 0) {
        if (!atomic_compare_exchange_weak_explicit(&p->left, &l, l - 1, memory_order_acq_rel, memory_order_acquire)) continue;
        int64_t lo = (p->n_tiles - l) * p->grain, hi = lo + p->grain < p->n ? lo + p->grain : p->n;
        atomic_store_explicit(&p->workers[index].inside, true, memory_order_relaxed);
        p->fn(p->arg, lo, hi, index);
        atomic_store_explicit(&p->workers[index].inside, false, memory_order_relaxed);
        if (atomic_fetch_sub(&p->undone, 1) == 1) {
            atomic_fetch_add(&p->finished, 1);
            if (atomic_load(&p->caller_sleeps)) futex_wake_all(&p->finished);
        }
        l = atomic_load_explicit(&p->left, memory_order_acquire);
    }
}

static bool has_tiles(tern_pool *p)
{
    return atomic_load_explicit(&p->left, memory_order_relaxed) > 0 || atomic_load_explicit(&p->stop, memory_order_relaxed);
}

static bool is_done(tern_pool *p)
{
    return atomic_load_explicit(&p->undone, memory_order_acquire) <= 0;
}

typedef bool condition(tern_pool *p);

static inline bool spin(tern_pool *p, condition *met, int64_t breaths)
{
    for (int64_t i = 0; i < breaths && !met(p); i++) breathe();
    return met(p);
}

/* Calls the first thread that is inside a tile to this core, if it stands still. */
static void call_stalled(tern_pool *p, int self, condition *met)
{
    int i = 0;
    while (i < p->threads && (i == self || !atomic_load_explicit(&p->workers[i].inside, memory_order_relaxed))) i++;
    if (i == p->threads) return;
    pid_t id = atomic_load_explicit(&p->workers[i].id, memory_order_relaxed);
    int64_t before = tern_thread_ran_ns(id);
    if (before < 0 || spin(p, met, p->spin[1])) return;
    if (atomic_load_explicit(&p->workers[i].inside, memory_order_relaxed) && tern_thread_ran_ns(id) == before) tern_thread_call(id);
}

/* What precedes a sleep. */
static bool spin_all(tern_pool *p, int self, condition *met)
{
    if (spin(p, met, p->spin[0])) return true;
    if (p->may_move && !is_done(p)) call_stalled(p, self, met);
    return spin(p, met, p->spin[2] - p->spin[0]);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    tern_pool *p = w->pool;
    tern_fp_set();    /* a thread inherits its creator's mode */
    atomic_store(&w->id, tern_thread_id());
    while (!atomic_load(&p->stop)) {
        work(p, w->index);
        if (p->may_move && tern_core() == atomic_load_explicit(&p->caller_core, memory_order_relaxed)) tern_thread_leave(atomic_load(&w->id));
        if (spin_all(p, w->index, has_tiles)) continue;
        uint32_t seen = atomic_load(&p->posted);
        atomic_fetch_add(&p->sleepers, 1);
        if (!has_tiles(p)) futex_wait(&p->posted, seen);
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
    p->workers = tern_alloc_aligned(ctx, 64, (size_t)threads, sizeof *p->workers, "the thread pool");
    if (!p->workers) {
        tern_free(p);
        return TERN_ERR_MEMORY;
    }
    memset(p->workers, 0, (size_t)threads * sizeof *p->workers);
    p->may_move = threads <= tern_cores();
    count_breaths(p);
    for (int i = 1; i < threads; i++, p->started++) {
        p->workers[i].pool = p;
        p->workers[i].index = i;
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
    if (p->may_move) {
        atomic_store_explicit(&p->workers[0].id, tern_thread_id(), memory_order_relaxed);
        atomic_store_explicit(&p->caller_core, tern_core(), memory_order_relaxed);
    }
    atomic_store(&p->undone, p->n_tiles);
    atomic_store(&p->left, p->n_tiles);
    atomic_fetch_add(&p->posted, 1);
    if (atomic_load(&p->sleepers)) futex_wake_all(&p->posted);

    work(p, 0);
    spin_all(p, 0, is_done);
    atomic_store(&p->caller_sleeps, 1);
    while (atomic_load(&p->finished) == seen) futex_wait(&p->finished, seen);
    atomic_store(&p->caller_sleeps, 0);
}
