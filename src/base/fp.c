/* Takes and gives back the host's floating-point mode: see fp.h. Called at the top of what
 * computes, and by the threads of the pool. */
#include "base/fp.h"

#include "base/ctx.h"

tern_fp tern_fp_enter(tern_ctx *ctx)
{
    tern_fp fp = { .ctx = ctx };
    if (!ctx || ctx->inside++) return fp;
    fegetenv(&fp.host);
    fesetenv(FE_DFL_ENV);
    return fp;
}

void tern_fp_leave(tern_fp *fp)
{
    if (fp->ctx && --fp->ctx->inside == 0) fesetenv(&fp->host);
}

void tern_fp_set(void)
{
    fesetenv(FE_DFL_ENV);
}
