/* Makes and frees the context: picks the instruction set, starts the threads, binds the backend. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/ctx.h"
#include "base/map_guard.h"
#include "base/memory.h"
#include "kernels/kernels.h"

enum { MOST_THREADS = 1024 };

static tern_status choose_isa(const char *name, tern_kernels *k)
{
    tern_cpu cpu;
    int max_rank = INT_MAX;
    tern_cpu_probe(&cpu);
    if (!name) name = getenv("TERN_ISA");
    if (name && *name) {
        const tern_kernels *table = tern_isa_find(name);
        if (!table)
            return tern_fail(NULL, TERN_ERR_UNSUPPORTED, "no instruction set is called \"%s\" in this build", name);
        if (!table->usable(&cpu))
            return tern_fail(NULL, TERN_ERR_UNSUPPORTED, "this CPU cannot run the instruction set \"%s\"", name);
        max_rank = table->rank;
    }
    tern_kernels_select(k, &cpu, max_rank);
    return TERN_OK;
}

static tern_status choose_threads(int wanted, int *threads)
{
    const char *text = getenv("TERN_THREADS");
    if (!wanted && text && *text) {
        char *end;
        long n = strtol(text, &end, 10);
        if (*end || n < 1 || n > MOST_THREADS)
            return tern_fail(NULL, TERN_ERR_ARGUMENT, "TERN_THREADS is \"%s\", not a number from 1 to %d", text,
                             MOST_THREADS);
        wanted = (int)n;
    }
    if (wanted < 0 || wanted > MOST_THREADS)
        return tern_fail(NULL, TERN_ERR_ARGUMENT, "%d threads, not a number from 0 to %d", wanted, MOST_THREADS);
    *threads = wanted ? wanted : tern_default_threads();
    return TERN_OK;
}

tern_status tern_ctx_create(const tern_ctx_options *options, tern_ctx **out)
{
    tern_status st = TERN_OK;
    tern_ctx_options o = options ? *options : (tern_ctx_options){ 0 };
    tern_kernels *kernels = NULL;
    int threads = 0;
    tern_ctx *ctx = tern_alloc(NULL, 1, sizeof *ctx, "a context");
    if (ctx) ctx->kernels = kernels = tern_alloc(NULL, 1, sizeof *kernels, "a kernel table");
    if (!ctx || !kernels) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    TERN_TRY(choose_isa(o.isa, kernels));
    TERN_TRY(choose_threads(o.threads, &threads));
    TERN_TRY(tern_pool_create(NULL, threads, &ctx->pool));
    ctx->backend = &tern_backend_cpu;
    if (o.guard_files) {
        ctx->guard_files = tern_map_guard_hold();
        if (!ctx->guard_files) {
            st = tern_fail(NULL, TERN_ERR_STATE, "the system does not let this process handle SIGBUS");
            goto done;
        }
    }
    ctx->log = o.log;
    ctx->log_user = o.log_user;
    *out = ctx;
    ctx = NULL;
done:
    tern_ctx_free(ctx);
    return st;
}

void tern_ctx_free(tern_ctx *ctx)
{
    if (!ctx) return;
    tern_pool_free(ctx->pool);
    tern_arena_free(&ctx->step);
    if (ctx->guard_files) tern_map_guard_release();
    tern_free((void *)ctx->kernels);
    tern_free(ctx);
}

const char *tern_ctx_isa(const tern_ctx *ctx)
{
    return tern_isa_short(ctx->kernels);
}
