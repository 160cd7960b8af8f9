/* Threads that take tiles: see pool.h.
 *
 * Each thread has a share of a job's tiles, a run [lo, hi) in one word. It takes its own from the
 * front, so that what it reads goes on where it was; when none is left, it takes the last one of
 * the thread that has most. A tile is taken by changing its share's word, and whoever has done so
 * may then read the job's fields, because the job cannot end, and no other can be posted, before
 * that tile is done. So a worker that comes late finds its share empty and touches nothing, and one
 * that comes very late simply helps with the job of that moment. What is written for every job lies
 * apart from what is seldom written: a line that another core has written takes it 150 ns to bring.
 *
 * Where another process takes part of the cores, a thread loses its core inside a tile sooner or
 * later, and all wait until the scheduler gives it back: several milliseconds. So a thread that has
 * waited for a moment looks whether the one that it waits for stands still, calls it to its own
 * core, which is free for just that long, and sleeps. A worker that finds itself on the caller's
 * core goes to another. */
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

/* A wait looks for a thread that stands still after FIRST_NS, watches it for WATCH_NS, and sleeps
 * after SPIN_NS: longer than the gap between two jobs of a decode step. */
enum { FIRST_NS = 15000, WATCH_NS = 7000, SPIN_NS = 50000, CALIBRATION = 500, MOST_TILES = 1 << 30 };

/* One of the threads; number 0 is whoever calls. */
typedef struct worker {
    _Alignas(64) _Atomic uint64_t share;    /* tiles not taken yet: the first, and in the upper half the end */
    _Atomic bool inside;                    /* a tile */
    _Atomic pid_t id;
    tern_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct tern_pool {
    int threads, started;
    bool may_move;       /* there is a core for each thread */
    int64_t spin[3];     /* FIRST_NS, WATCH_NS, SPIN_NS in steps */
    worker *workers;

    _Alignas(64) tern_tile_fn *fn;           /* the job: written while no tile is out */
    void *arg;
    int64_t n, grain;

    _Alignas(64) _Atomic int64_t undone;     /* tiles not yet finished */

    _Alignas(64) _Atomic int sleepers;
    _Atomic uint32_t posted;                 /* goes up with a job that sleepers must see: what idle workers sleep on */

    _Alignas(64) _Atomic uint32_t finished;  /* goes up when a job ends while the caller sleeps: on this */
    _Atomic int caller_sleeps, caller_core;
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

static inline void spin_step(void)
{
    __builtin_ia32_pause();
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A step of spinning is 10 to 60 ns long, by the processor. */
static void count_steps(tern_pool *p)
{
    static const int64_t ns[3] = { FIRST_NS, WATCH_NS, SPIN_NS };
    int64_t start = now_ns();
    for (int i = 0; i < CALIBRATION; i++) spin_step();
    int64_t took = now_ns() - start;
    for (int i = 0; i < 3; i++) p->spin[i] = took > 0 ? ns[i] * CALIBRATION / took + 1 : CALIBRATION;
}

static uint64_t share_of(int64_t lo, int64_t hi)
{
    return (uint64_t)lo | (uint64_t)hi << 32;
}

static int64_t share_left(uint64_t share)
{
    return (int64_t)(share >> 32) - (int64_t)(uint32_t)share;
}

/* The first tile of a share, or the last one; -1: none is left. */
static int64_t take(_Atomic uint64_t *share, bool first)
{
    uint64_t s = atomic_load_explicit(share, memory_order_relaxed);
    while (share_left(s) > 0) {
        int64_t lo = (uint32_t)s, hi = (int64_t)(s >> 32);
        uint64_t rest = first ? share_of(lo + 1, hi) : share_of(lo, hi - 1);
        if (atomic_compare_exchange_weak_explicit(share, &s, rest, memory_order_acq_rel, memory_order_relaxed))
            return first ? lo : hi - 1;
    }
    return -1;
}

/* A tile of the thread that has most of them. */
static int64_t take_from_others(tern_pool *p)
{
    for (;;) {
        worker *fullest = NULL;
        int64_t most = 0;
        for (int i = 0; i < p->threads; i++) {
            int64_t left = share_left(atomic_load_explicit(&p->workers[i].share, memory_order_relaxed));
            if (left > most) {
                fullest = &p->workers[i];
                most = left;
            }
        }
        if (!fullest) return -1;
        int64_t tile = take(&fullest->share, false);
        if (tile >= 0) return tile;
    }
}

/* Takes and runs tiles until none is left. */
static void work(tern_pool *p, worker *w)
{
    int64_t done = 0, tile;
    while ((tile = take(&w->share, true)) >= 0 || (tile = take_from_others(p)) >= 0) {
        int64_t lo = tile * p->grain, hi = lo + p->grain < p->n ? lo + p->grain : p->n;
        atomic_store_explicit(&w->inside, true, memory_order_relaxed);
        p->fn(p->arg, lo, hi, w->index);
        atomic_store_explicit(&w->inside, false, memory_order_relaxed);
        done++;
    }
    if (done && atomic_fetch_sub(&p->undone, done) == done && atomic_load(&p->caller_sleeps)) {
        atomic_fetch_add(&p->finished, 1);
        futex_wake_all(&p->finished);
    }
}

typedef bool condition(tern_pool *p, int self);

static bool has_tiles(tern_pool *p, int self)
{
    return share_left(atomic_load_explicit(&p->workers[self].share, memory_order_relaxed)) > 0 ||
           atomic_load_explicit(&p->stop, memory_order_relaxed);
}

static bool is_done(tern_pool *p, int self)
{
    (void)self;
    return atomic_load_explicit(&p->undone, memory_order_acquire) <= 0;
}

static inline bool spin(tern_pool *p, int self, condition *met, int64_t steps)
{
    for (int64_t i = 0; i < steps && !met(p, self); i++) spin_step();
    return met(p, self);
}

/* Calls the first thread that is inside a tile to this core, if it stands still. */
static void call_stalled(tern_pool *p, int self, condition *met)
{
    int i = 0;
    while (i < p->threads && (i == self || !atomic_load_explicit(&p->workers[i].inside, memory_order_relaxed))) i++;
    if (i == p->threads) return;
    pid_t id = atomic_load_explicit(&p->workers[i].id, memory_order_relaxed);
    int64_t before = tern_thread_ran_ns(id);
    if (before < 0 || spin(p, self, met, p->spin[1])) return;
    if (atomic_load_explicit(&p->workers[i].inside, memory_order_relaxed) && tern_thread_ran_ns(id) == before)
        tern_thread_call(id);
}

/* What precedes a sleep. */
static bool spin_all(tern_pool *p, int self, condition *met)
{
    if (spin(p, self, met, p->spin[0])) return true;
    if (p->may_move && !is_done(p, self)) call_stalled(p, self, met);
    return spin(p, self, met, p->spin[2] - p->spin[0]);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    tern_pool *p = w->pool;
    tern_fp_set();    /* a thread inherits its creator's mode */
    atomic_store(&w->id, tern_thread_id());
    while (!atomic_load(&p->stop)) {
        work(p, w);
        if (p->may_move && tern_core() == atomic_load_explicit(&p->caller_core, memory_order_relaxed))
            tern_thread_leave(atomic_load(&w->id));
        if (spin_all(p, w->index, has_tiles)) continue;
        uint32_t seen = atomic_load(&p->posted);
        atomic_fetch_add(&p->sleepers, 1);
        if (!has_tiles(p, w->index)) futex_wait(&p->posted, seen);
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
    count_steps(p);
    for (int i = 1; i < threads; i++, p->started++) {
        p->workers[i].pool = p;
        p->workers[i].index = i;
        int error = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
        if (error) {
            tern_pool_free(p);
            return tern_fail(ctx, TERN_ERR_IO, "thread %d of %d could not be started: %s", i, threads,
                             error == EAGAIN ? "a limit of the system is reached" : "not permitted");
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

/* Shares of about equal length, in order; whoever sees one sees the job. Sleepers are counted by a
 * change of their number, though none: a thread that counts itself later sees what was written
 * before it, its share, and does not fall asleep. */
static void post(tern_pool *p, int64_t n_tiles)
{
    atomic_store_explicit(&p->undone, n_tiles, memory_order_relaxed);
    for (int i = p->threads - 1; i >= 0; i--)
        atomic_store_explicit(&p->workers[i].share, share_of(n_tiles * i / p->threads, n_tiles * (i + 1) / p->threads),
                              memory_order_release);
    if (!atomic_fetch_add(&p->sleepers, 0)) return;
    atomic_fetch_add(&p->posted, 1);
    futex_wake_all(&p->posted);
}

static void say_where(tern_pool *p)
{
    int core = tern_core();
    if (atomic_load_explicit(&p->caller_core, memory_order_relaxed) != core)
        atomic_store_explicit(&p->caller_core, core, memory_order_relaxed);
    atomic_store_explicit(&p->workers[0].id, tern_thread_id(), memory_order_relaxed);
}

static void wait_for_end(tern_pool *p)
{
    if (spin_all(p, 0, is_done)) return;
    atomic_store(&p->caller_sleeps, 1);
    for (;;) {
        uint32_t seen = atomic_load(&p->finished);
        if (atomic_load(&p->undone) <= 0) break;
        futex_wait(&p->finished, seen);
    }
    atomic_store(&p->caller_sleeps, 0);
}

void tern_pool_run(tern_pool *p, int64_t n, int64_t grain, tern_tile_fn *fn, void *arg)
{
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    if (n / grain >= MOST_TILES) grain = n / MOST_TILES + 1;
    if (p->threads == 1 || n <= grain) {
        fn(arg, 0, n, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    p->grain = grain;
    post(p, (n + grain - 1) / grain);
    if (p->may_move) say_where(p);
    work(p, &p->workers[0]);
    wait_for_end(p);
}
