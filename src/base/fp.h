/* The floating-point mode that results are promised for: to nearest, subnormals kept, no traps. A
 * host may run in another one (flush to zero, another rounding); calls that compute put theirs in
 * its place and give the host's back on every way out:
 *
 *     TERN_OWN_FP(ctx);    at the top of the function; calls inside calls cost a counter
 */
#ifndef TERN_BASE_FP_H
#define TERN_BASE_FP_H

#include <fenv.h>
#include <tern/context.h>

typedef struct tern_fp {
    tern_ctx *ctx;
    fenv_t host;
} tern_fp;

tern_fp tern_fp_enter(tern_ctx *ctx);    /* null: nothing is done */
void tern_fp_leave(tern_fp *fp);

/* For good, on a thread of tern's own. */
void tern_fp_set(void);

#define TERN_OWN_FP(ctx) \
    __attribute__((cleanup(tern_fp_leave), unused)) tern_fp own_fp = tern_fp_enter(ctx)

#endif
