/* The context as the library sees it, and how a function fails.
 *
 *     tern_status st = TERN_OK;
 *   TERN_TRY(tern_map_file(ctx, path, &map));  failure: st is set, the message is in ctx, goto done
 *   done:
 *     ...release...
 *     return st;
 */
#ifndef TERN_BASE_CTX_H
#define TERN_BASE_CTX_H

#include <stdbool.h>
#include <tern/context.h>

#include "base/arena.h"
#include "base/pool.h"
#include "base/show.h"

struct tern_kernels;
struct tern_backend;

struct tern_ctx {
    /* owned: the merged table of the instruction set in use */
    const struct tern_kernels *kernels;
    /* static: what runs primitives on this context's device */
    const struct tern_backend *backend;
    tern_pool *pool;                       /* owned */
    tern_arena step;                       /* what one step of work needs, given back at its end */
    /* calls under way that have set the floating-point mode: fp.h */
    int inside;
    bool guard_files;                      /* holds base/map_guard.h, and maps files under it */
    tern_log_fn *log;
    void *log_user;
    char error[1024];
};

/* Keeps the sentence in ctx (null: in this thread's tern_create_error) and returns status. A
 * sentence that is too long is cut at a character's end and marked with "..."; it is made clean, so
 * that what a file contains cannot break it. */
tern_status tern_fail(tern_ctx *ctx, tern_status status, const char *format, ...) TERN_PRINTF(3, 4);

/* Puts text before the present message: "model.safetensors: " + what went wrong. Returns status. */
tern_status tern_fail_in(tern_ctx *ctx, tern_status status, const char *format,
                         ...) TERN_PRINTF(3, 4);

/* errno's message for a file: "config.json: No such file or directory". */
tern_status tern_fail_errno(tern_ctx *ctx, int error_number, const char *path);

void tern_log(tern_ctx *ctx, tern_log_level level, const char *format, ...) TERN_PRINTF(3, 4);

/* Runs fn over [0, n) in tiles of grain, on the ctx's threads: pool.h. */
void tern_parallel_for(tern_ctx *ctx, int64_t n, int64_t grain, tern_tile_fn *fn, void *arg);

#define TERN_TRY(call)                    \
    do {                                  \
        st = (call);                      \
        if (st != TERN_OK) goto done;     \
    } while (0)

#endif
