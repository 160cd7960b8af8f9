/* How many tokens fit in memory: see memory.h. Called once, when an engine is made. */
#include "engine/memory.h"

#include <inttypes.h>

#include "base/ctx.h"
#include "engine/sampling.h"

enum { DEFAULT_CONTEXT = 8192, DEFAULT_REQUESTS = 16, DEFAULT_STEP = 512, MOST_REQUESTS = 4096, MOST_STEP = 1 << 20 };
enum { ALL_ROWS_BYTES = 32 << 20, SPARE_BYTES = 32 << 20 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static tern_status check_options(const tern_runner *r, const tern_engine_options *o)
{
    if (o->context_tokens < 0)
        return tern_fail(r->ctx, TERN_ERR_ARGUMENT, "context_tokens is %" PRId64 ", not 0 or more", o->context_tokens);
    if (o->kv_tokens < 0)
        return tern_fail(r->ctx, TERN_ERR_ARGUMENT, "kv_tokens is %" PRId64 ", not 0 or more", o->kv_tokens);
    if (o->max_requests < 0 || o->max_requests > MOST_REQUESTS)
        return tern_fail(r->ctx, TERN_ERR_ARGUMENT, "max_requests is %d, not a number from 0 to %d", o->max_requests,
                         MOST_REQUESTS);
    if (o->step_tokens < 0 || o->step_tokens > MOST_STEP)
        return tern_fail(r->ctx, TERN_ERR_ARGUMENT, "step_tokens is %d, not a number from 0 to %d", o->step_tokens,
                         MOST_STEP);
    if (o->context_tokens > INT32_MAX)
        return tern_fail(r->ctx, TERN_ERR_LIMIT, "a context of %" PRId64 " tokens is more than %d", o->context_tokens,
                         INT32_MAX);
    if (r->max_tokens && o->context_tokens > r->max_tokens)
        return tern_fail(r->ctx, TERN_ERR_LIMIT, "a context of %" PRId64 " tokens is more than the %" PRId64
                         " that the model was made for", o->context_tokens, r->max_tokens);
    return TERN_OK;
}

/* Batch arrays, logits, sampling's scratch and the model's own workspace. */
static size_t workspace_bytes(const tern_runner *r, const tern_plan *p)
{
    size_t vocab = (size_t)r->vocab, rows = (size_t)p->step_tokens;
    return (size_t)p->n_logit_row * vocab * sizeof(float) + rows * (2 * sizeof(int32_t) + r->row_bytes) +
           (size_t)p->max_requests * 64 + (size_t)tern_pool_threads(r->ctx->pool) * tern_sampling_bytes(r->vocab);
}

static tern_status refuse(const tern_runner *r, const char *what, int64_t tokens, uint64_t needed, uint64_t available,
                          tern_available_memory memory)
{
    return tern_fail(r->ctx, TERN_ERR_MEMORY, "%s of %" PRId64 " tokens needs %" PRIu64 " bytes of KV cache, and %"
                     PRIu64 " are available (%s: %" PRIu64 " beside the weights, less the workspace)", what, tokens,
                     needed, available, memory.limit, memory.bytes);
}

tern_status tern_plan_engine(const tern_runner *r, const tern_engine_options *options, tern_available_memory memory,
                             tern_plan *out)
{
    tern_engine_options o = options ? *options : (tern_engine_options){ 0 };
    tern_status st = check_options(r, &o);
    if (st != TERN_OK) return st;

    tern_plan p = { .max_requests = o.max_requests ? o.max_requests : DEFAULT_REQUESTS,
                    .step_tokens = o.step_tokens ? o.step_tokens : DEFAULT_STEP };
    int64_t all_rows = ALL_ROWS_BYTES / ((int64_t)sizeof(float) * r->vocab);
    p.n_logit_row = (int32_t)least(p.step_tokens, p.max_requests + (all_rows < 8 ? 8 : all_rows));
    p.workspace_bytes = workspace_bytes(r, &p);

    uint64_t fixed = (uint64_t)p.workspace_bytes + SPARE_BYTES;
    uint64_t available = memory.bytes > fixed ? memory.bytes - fixed : 0;
    uint64_t pages_that_fit = available / r->page_bytes;
    if (pages_that_fit > INT32_MAX) pages_that_fit = INT32_MAX;
    int64_t fit = (int64_t)pages_that_fit * TERN_KV_PAGE;

    int64_t context = o.context_tokens;
    if (!context) {
        context = least(r->max_tokens ? r->max_tokens : DEFAULT_CONTEXT, DEFAULT_CONTEXT);
        if (o.kv_tokens) context = least(context, o.kv_tokens);
        if (fit && !o.kv_tokens) context = least(context, fit);
    }
    int64_t kv = o.kv_tokens;
    if (!kv) {
        if (__builtin_mul_overflow((context + TERN_KV_PAGE - 1) / TERN_KV_PAGE * TERN_KV_PAGE, (int64_t)p.max_requests,
                                   &kv))
            kv = INT64_MAX - TERN_KV_PAGE;
        kv = least(kv, fit > context ? fit : context);
    }
    int64_t pages = kv / TERN_KV_PAGE + (kv % TERN_KV_PAGE != 0);
    uint64_t needed;
    if (__builtin_mul_overflow((uint64_t)pages, (uint64_t)r->page_bytes, &needed)) needed = UINT64_MAX;
    if (pages > (int64_t)pages_that_fit)
        return refuse(r, o.kv_tokens ? "a KV pool" : "a context", o.kv_tokens ? kv : context, needed, available,
                      memory);

    p.context_tokens = context;
    p.n_page = pages;
    p.kv_bytes = (size_t)needed;
    *out = p;
    return TERN_OK;
}
