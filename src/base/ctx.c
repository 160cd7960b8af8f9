/* How a context keeps its message. It is made and freed in backend/context.c, where kernels and
 * devices are known. */
#include "base/ctx.h"

#include <stdarg.h>
#include <string.h>

static _Thread_local char create_error[sizeof((tern_ctx *)0)->error];

static char *message_of(tern_ctx *ctx)
{
    return ctx ? ctx->error : create_error;
}

static void write_words(tern_ctx *ctx, const char *format, va_list args)
{
    char *message = message_of(ctx);
    tern_show_v(message, sizeof ctx->error, format, args);
    tern_clean_message(message);
}

tern_status tern_fail(tern_ctx *ctx, tern_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_words(ctx, format, args);
    va_end(args);
    return status;
}

tern_status tern_fail_in(tern_ctx *ctx, tern_status status, const char *format, ...)
{
    char old[sizeof ctx->error], where[sizeof ctx->error];
    va_list args;
    va_start(args, format);
    tern_show_v(where, sizeof where, format, args);
    va_end(args);
    memcpy(old, message_of(ctx), sizeof old);
    return tern_fail(ctx, status, "%s%s", where, old);
}

tern_status tern_fail_errno(tern_ctx *ctx, int error_number, const char *path)
{
    char reason[128];
    return tern_fail(ctx, TERN_ERR_IO, "%s: %s", path, strerror_r(error_number, reason, sizeof reason));
}

void tern_log(tern_ctx *ctx, tern_log_level level, const char *format, ...)
{
    if (!ctx || !ctx->log) return;
    char line[sizeof ctx->error];
    va_list args;
    va_start(args, format);
    tern_show_v(line, sizeof line, format, args);
    va_end(args);
    tern_clean_message(line);
    ctx->log(ctx->log_user, level, line);
}

void tern_parallel_for(tern_ctx *ctx, int64_t n, int64_t grain, tern_tile_fn *fn, void *arg)
{
    tern_pool_run(ctx->pool, n, grain, fn, arg);
}

const char *tern_ctx_error(const tern_ctx *ctx)
{
    return ctx->error;
}

const char *tern_create_error(void)
{
    return create_error;
}

int tern_ctx_threads(const tern_ctx *ctx)
{
    return tern_pool_threads(ctx->pool);
}

const char *tern_version(void)
{
    return TERN_VERSION;
}

const char *tern_status_name(tern_status status)
{
    static const char *const names[] = {
        [TERN_OK] = "TERN_OK",                     [TERN_ERR_ARGUMENT] = "TERN_ERR_ARGUMENT",
        [TERN_ERR_SHAPE] = "TERN_ERR_SHAPE",       [TERN_ERR_DTYPE] = "TERN_ERR_DTYPE",
        [TERN_ERR_UNSUPPORTED] = "TERN_ERR_UNSUPPORTED", [TERN_ERR_FORMAT] = "TERN_ERR_FORMAT",
        [TERN_ERR_IO] = "TERN_ERR_IO",             [TERN_ERR_MEMORY] = "TERN_ERR_MEMORY",
        [TERN_ERR_LIMIT] = "TERN_ERR_LIMIT",       [TERN_ERR_STATE] = "TERN_ERR_STATE",
        [TERN_ERR_CANCELLED] = "TERN_ERR_CANCELLED", [TERN_ERR_NUMERIC] = "TERN_ERR_NUMERIC",
    };
    size_t i = (size_t)status;
    return i < sizeof names / sizeof *names ? names[i] : "TERN_ERR_?";
}
