/* The thread pool: one job at a time, split into tiles. Each thread begins with a run of them of
 * its own, and takes what others have left when that is done.
 *
 * Tiles split outputs, never sums, so that the number of threads and who takes which tile change no
 * bit. The caller works too. A worker that is not scheduled holds up no other thread unless it is
 * inside a tile: a job is done when its tiles are, not when every worker has looked in; and whoever
 * waits for a tile lends its own core to a thread that lost its own there. Waiting spins for some
 * microseconds, then sleeps on a futex. */
#ifndef TERN_BASE_POOL_H
#define TERN_BASE_POOL_H

#include <stdint.h>
#include <tern/context.h>

typedef struct tern_pool tern_pool;

/* Work on items [lo, hi). worker is in [0, threads): an index for scratch memory that two tiles
 * must not share. */
typedef void tern_tile_fn(void *arg, int64_t lo, int64_t hi, int worker);

/* threads >= 1, the caller counted. ctx is for the message of a failure. */
tern_status tern_pool_create(tern_ctx *ctx, int threads, tern_pool **out);
void tern_pool_free(tern_pool *pool);
int tern_pool_threads(const tern_pool *pool);

/* fn over [0, n) in tiles of grain items; returns when all are done. A call from inside a tile is
 * not allowed. */
void tern_pool_run(tern_pool *pool, int64_t n, int64_t grain, tern_tile_fn *fn, void *arg);

/* The default: physical cores that this process may run on, at most its cgroups' CPU quota, at
 * least 1. */
int tern_default_threads(void);

/* At most cores, and the least quota of this process's cgroups, rounded up. root is put before the
 * paths of /proc and /sys: "" outside of tests. */
int tern_quota_threads(const char *root, int cores);

#endif
