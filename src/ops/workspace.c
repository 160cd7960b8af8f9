/* The KV cache that callers of the op API hold: its memory in pages, and how many tokens each layer
 * has of each sequence. Public contract: tern/ops.h. Sequence s owns the pages [s * pages, (s + 1)
 * * pages) of one pool, whose inside is the backend's. Called by softmax_context. */
#include "ops/workspace.h"

#include <limits.h>
#include <string.h>

#include "base/dtype.h"
#include "base/fp.h"
#include "base/memory.h"

struct tern_workspace {
    tern_ctx *ctx;
    tern_workspace_options o;    /* value_dim set, max_tokens as granted */
    tern_kv kv;                  /* data owned */
    size_t bytes;
    int32_t pages;               /* a sequence */
    int32_t *page;               /* [max_batch][pages] */
    int64_t *tokens;             /* [n_layer][max_batch] */
};

static int64_t pages_for(int64_t tokens)
{
    return (tokens + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
}

static tern_status check_options(tern_ctx *ctx, const tern_workspace_options *o)
{
    const struct { const char *name; int64_t value; } sizes[] = {
        { "n_layer", o->n_layer }, { "max_batch", o->max_batch }, { "n_kv_head", o->n_kv_head },
        { "key_dim", o->key_dim }, { "max_tokens", o->max_tokens },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value < 1)
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "workspace: %s is %lld, not 1 or more", sizes[i].name,
                             (long long)sizes[i].value);
    if (o->value_dim < 0) return tern_fail(ctx, TERN_ERR_ARGUMENT, "workspace: value_dim is %d", (int)o->value_dim);
    if (o->min_tokens < 0 || o->min_tokens > o->max_tokens)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "workspace: min_tokens is %lld, not from 0 to max_tokens %lld",
                         (long long)o->min_tokens, (long long)o->max_tokens);
    if (!tern_is_float(o->dtype))
        return tern_fail(ctx, TERN_ERR_DTYPE, "workspace: dtype is %s, not f32, f16 or bf16",
                         tern_dtype_name(o->dtype));
    return TERN_OK;
}

/* Lowers max_tokens to what limit_bytes holds, and counts the pages. */
static tern_status make_bill(tern_ctx *ctx, tern_workspace *ws)
{
    tern_workspace_options *o = &ws->o;
    size_t each = tern_kv_bytes(&ws->kv, 1);
    if (o->limit_bytes) {
        int64_t fit = (int64_t)(o->limit_bytes / each / (size_t)o->max_batch) * TERN_KV_PAGE;
        int64_t least = o->min_tokens > 0 ? o->min_tokens : 1;
        if (fit < least)
            return tern_fail(ctx, TERN_ERR_MEMORY, "workspace: %zu bytes hold %lld tokens of %d sequences, and "
                             "min_tokens is %lld (%zu bytes)", o->limit_bytes, (long long)fit, (int)o->max_batch,
                             (long long)least, (size_t)pages_for(least) * (size_t)o->max_batch * each);
        if (fit < o->max_tokens) o->max_tokens = fit;
    }
    int64_t pages = pages_for(o->max_tokens);
    if (pages > INT32_MAX / o->max_batch)
        return tern_fail(ctx, TERN_ERR_LIMIT, "workspace: %d sequences of %lld tokens need more than %d pages",
                         (int)o->max_batch, (long long)o->max_tokens, INT32_MAX);
    ws->pages = (int32_t)pages;
    ws->kv.n_page = ws->pages * o->max_batch;
    if (__builtin_mul_overflow((size_t)ws->kv.n_page, each, &ws->bytes))
        return tern_fail(ctx, TERN_ERR_MEMORY, "workspace: %d pages of %zu bytes", (int)ws->kv.n_page, each);
    return TERN_OK;
}

tern_status tern_workspace_create(tern_ctx *ctx, const tern_workspace_options *options, tern_workspace **out)
{
    tern_status st = TERN_OK;
    tern_workspace *ws = NULL;
    if (!options || !out) return tern_fail(ctx, TERN_ERR_ARGUMENT, "workspace: no options, or no place for it");
    TERN_TRY(check_options(ctx, options));
    ws = tern_alloc(ctx, 1, sizeof *ws, "a workspace");
    if (!ws) return TERN_ERR_MEMORY;
    ws->ctx = ctx;
    ws->o = *options;
    if (!ws->o.value_dim) ws->o.value_dim = ws->o.key_dim;
    ws->kv = (tern_kv){
        .dtype = ws->o.dtype, .n_layer = ws->o.n_layer, .n_kv_head = ws->o.n_kv_head, .key_dim = ws->o.key_dim,
        .value_dim = ws->o.value_dim };
    TERN_TRY(make_bill(ctx, ws));
    ws->page = tern_alloc(ctx, (size_t)ws->kv.n_page, sizeof *ws->page, "a workspace's pages");
    ws->tokens = tern_alloc(ctx, (size_t)ws->o.n_layer * (size_t)ws->o.max_batch, sizeof *ws->tokens,
                            "a workspace's counts");
    if (!ws->page || !ws->tokens) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    for (int32_t i = 0; i < ws->kv.n_page; i++) ws->page[i] = i;
    TERN_TRY(tern_workspace_retake(ws));
    *out = ws;
    ws = NULL;
done:
    tern_workspace_free(ws);
    return st;
}

void tern_workspace_free(tern_workspace *ws)
{
    if (!ws) return;
    tern_free(ws->kv.data);
    tern_free(ws->page);
    tern_free(ws->tokens);
    tern_free(ws);
}

void tern_workspace_reset(tern_workspace *ws)
{
    memset(ws->tokens, 0, (size_t)ws->o.n_layer * (size_t)ws->o.max_batch * sizeof *ws->tokens);
}

void tern_workspace_release(tern_workspace *ws)
{
    tern_free(ws->kv.data);
    ws->kv.data = NULL;
    tern_workspace_reset(ws);
}

tern_status tern_workspace_retake(tern_workspace *ws)
{
    if (ws->kv.data) return TERN_OK;
    ws->kv.data = tern_alloc_aligned(ws->ctx, 64, ws->bytes, 1, "a workspace");
    return ws->kv.data ? TERN_OK : TERN_ERR_MEMORY;
}

size_t tern_workspace_bytes(const tern_workspace *ws)
{
    return ws->bytes;
}

int64_t tern_workspace_max_tokens(const tern_workspace *ws)
{
    return ws->o.max_tokens;
}

int64_t tern_workspace_tokens(const tern_workspace *ws, int32_t layer, int32_t seq)
{
    if (layer < 0 || layer >= ws->o.n_layer || seq < 0 || seq >= ws->o.max_batch) return 0;
    return ws->tokens[(size_t)layer * (size_t)ws->o.max_batch + (size_t)seq];
}

const tern_kv *workspace_kv(const tern_workspace *ws)
{
    return &ws->kv;
}

int32_t workspace_max_batch(const tern_workspace *ws)
{
    return ws->o.max_batch;
}

tern_status tern_workspace_read(tern_workspace *ws, int32_t layer, int32_t n_seq, float *keys, float *values)
{
    tern_ctx *ctx = ws->ctx;
    TERN_OWN_FP(ctx);
    int64_t longest = 0, heads = ws->o.n_kv_head;
    if (!ws->kv.data) return tern_fail(ctx, TERN_ERR_STATE, "workspace: it is released; retake it first");
    if (layer < 0 || layer >= ws->o.n_layer)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "workspace: there is no layer %d; it has %d", (int)layer,
                         (int)ws->o.n_layer);
    if (n_seq < 0 || n_seq > ws->o.max_batch)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "workspace: %d sequences; it has %d", (int)n_seq,
                         (int)ws->o.max_batch);
    for (int32_t s = 0; s < n_seq; s++)
        longest = longest > tern_workspace_tokens(ws, layer, s) ? longest : tern_workspace_tokens(ws, layer, s);
    for (int32_t s = 0; s < n_seq; s++) {
        const int32_t *page = ws->page + (size_t)s * (size_t)ws->pages;
        int64_t n = tern_workspace_tokens(ws, layer, s);
        if (n != longest)
            return tern_fail(ctx, TERN_ERR_SHAPE, "workspace: sequence %d has %lld tokens, and another %lld; read "
                             "sequences of one length", (int)s, (long long)n, (long long)longest);
        tern_kv_read read = { .kv = &ws->kv, .layer = layer, .seq = 0, .n = (int32_t)n,
                              .batch = &(tern_ragged){ .n_seq = 1, .page = &page } };
        if (keys) read.k = keys + s * heads * longest * ws->o.key_dim;
        if (values) read.v = values + s * heads * longest * ws->o.value_dim;
        tern_status st = ctx->backend->kv_read(ctx, &read);
        if (st) return st;
    }
    return TERN_OK;
}

tern_status workspace_batch(tern_op *op, tern_workspace *ws, int64_t layer, int32_t n_seq, const int32_t *ids,
                            int32_t n_tok, tern_ragged *batch)
{
    int32_t *numbers;
    const int32_t **pages;
    tern_ctx *ctx = op->ctx;
    numbers = tern_arena_get(ctx, &ctx->step, 3 * (size_t)n_seq, sizeof *numbers);
    pages = tern_arena_get(ctx, &ctx->step, (size_t)n_seq, sizeof *pages);
    if (!numbers || !pages) return TERN_ERR_MEMORY;
    int32_t *row = numbers, *count = numbers + n_seq, *past = numbers + 2 * n_seq;
    for (int32_t s = 0; s < n_seq; s++) {
        int32_t id = ids ? ids[s] : s;
        row[s] = s * n_tok;
        count[s] = n_tok;
        past[s] = (int32_t)ws->tokens[layer * ws->o.max_batch + id];
        pages[s] = ws->page + (size_t)id * (size_t)ws->pages;
    }
    *batch = (tern_ragged){ .n_seq = n_seq, .n_row = n_seq * n_tok, .row = row, .n_tok = count, .past = past,
                            .page = pages };
    return TERN_OK;
}

void workspace_advance(tern_workspace *ws, int64_t layer, int32_t n_seq, const int32_t *ids, int32_t n_tok)
{
    for (int32_t s = 0; s < n_seq; s++) ws->tokens[layer * ws->o.max_batch + (ids ? ids[s] : s)] += n_tok;
}
