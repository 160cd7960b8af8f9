/* Texts as vectors: ragged batches through the model, pooling, Dense modules, length 1. Called by programs; calls src/model and primitives. */
#include <math.h>
#include <string.h>
#include <tern/embed.h>

#include "base/ctx.h"
#include "base/fp.h"
#include "base/memory.h"
#include "formats/sentence.h"
#include "model/model.h"

enum { DEFAULT_STEP_TOKENS = 1024, MOST_SEQUENCES = 256, DEFAULT_LONGEST = 8192 };

struct tern_embedder {
    tern_ctx *ctx;
    tern_model *model;
    tern_model_info info;
    tern_sentence sentence;
    tern_pooling pooling;
    bool normalize;
    int64_t max_tokens, step_tokens, out_dim;
    tern_kv kv;
    float *dense_bias[TERN_MOST_DENSE];    /* f32; null: none */
    float *length;                         /* [out_dim] of 1 / sqrt(out_dim): an RMS norm by it is a division by the length */
    int32_t *page;                         /* [n_page] 0, 1, ...: a sequence's pages are a run of them */
};

static const char *const pooling_names[] = { "auto", "mean", "cls", "last", "max", "pooler" };

static tern_pooling pooling_of(const tern_embedder *e, tern_pooling wanted)
{
    if (wanted != TERN_POOL_AUTO) return wanted;
    for (int i = TERN_POOL_MEAN; i <= TERN_POOL_POOLER; i++)
        if (!strcmp(e->sentence.pooling, pooling_names[i])) return (tern_pooling)i;
    return e->info.decoder ? TERN_POOL_LAST : TERN_POOL_MEAN;
}

static tern_status prepare_dense(tern_embedder *e)
{
    tern_status st = TERN_OK;
    e->out_dim = e->info.dim;
    for (size_t i = 0; i < e->sentence.n_dense; i++) {
        const tern_dense_module *d = &e->sentence.dense[i];
        if (d->weight.shape[1] != e->out_dim)
            return tern_fail(e->ctx, TERN_ERR_FORMAT, "%s: a Dense module takes %lld numbers, and what comes before it gives %lld", tern_model_dir(e->model),
                             (long long)d->weight.shape[1], (long long)e->out_dim);
        e->out_dim = d->weight.shape[0];
        if (!d->bias.data) continue;
        e->dense_bias[i] = tern_alloc(e->ctx, (size_t)e->out_dim, sizeof(float), "a bias");
        if (!e->dense_bias[i]) return TERN_ERR_MEMORY;
        TERN_TRY(e->ctx->backend->convert(e->ctx, &(tern_convert){ .from = d->bias.data, .to = e->dense_bias[i], .from_dtype = d->bias.dtype, .to_dtype = TERN_F32, .n = e->out_dim }));
    }
done:
    return st;
}

/* Room for a batch of step_tokens in at most MOST_SEQUENCES sequences, each of which may leave part of its last page unused. */
static tern_status take_pages(tern_embedder *e)
{
    e->kv = tern_model_kv(e->model);
    e->kv.n_page = (int32_t)((e->step_tokens + TERN_KV_PAGE - 1) / TERN_KV_PAGE + MOST_SEQUENCES);
    e->kv.data = tern_alloc_aligned(e->ctx, 64, tern_kv_bytes(&e->kv, e->kv.n_page), 1, "keys and values of a batch");
    e->page = tern_alloc(e->ctx, (size_t)e->kv.n_page, sizeof *e->page, "pages");
    for (int32_t i = 0; e->page && i < e->kv.n_page; i++) e->page[i] = i;
    return e->kv.data && e->page ? TERN_OK : TERN_ERR_MEMORY;
}

static int64_t longest_text(const tern_embedder *e)
{
    int64_t most = e->info.max_tokens ? e->info.max_tokens : DEFAULT_LONGEST;
    return e->sentence.max_tokens && e->sentence.max_tokens < most ? e->sentence.max_tokens : most;
}

tern_status tern_embedder_create(tern_ctx *ctx, tern_model *model, const tern_embed_options *options, tern_embedder **out)
{
    TERN_OWN_FP(ctx);
    tern_status st = TERN_OK;
    tern_embed_options o = options ? *options : (tern_embed_options){ 0 };
    if ((unsigned)o.pooling > TERN_POOL_POOLER || (unsigned)o.normalize > TERN_NORMALIZE_NO || o.step_tokens < 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "embedder: pooling %d, normalize %d or step_tokens %d is out of range", (int)o.pooling, (int)o.normalize, (int)o.step_tokens);
    tern_embedder *e = tern_alloc(ctx, 1, sizeof *e, "an embedder");
    if (!e) return TERN_ERR_MEMORY;
    e->ctx = ctx;
    e->model = model;
    e->info = tern_model_get_info(model);
    TERN_TRY(tern_sentence_read(ctx, tern_model_dir(model), &e->sentence));
    e->pooling = pooling_of(e, o.pooling);
    if (e->pooling == TERN_POOL_POOLER && !tern_model_has_pooler(model)) {
        st = tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the model has no pooler", tern_model_dir(model));
        goto done;
    }
    e->normalize = o.normalize == TERN_NORMALIZE_YES || (o.normalize == TERN_NORMALIZE_AUTO && e->sentence.normalize);
    e->max_tokens = longest_text(e);
    e->step_tokens = o.step_tokens ? o.step_tokens : DEFAULT_STEP_TOKENS;
    if (e->step_tokens < e->max_tokens) e->step_tokens = e->max_tokens;
    TERN_TRY(prepare_dense(e));
    TERN_TRY(take_pages(e));
    e->length = tern_alloc(ctx, (size_t)e->out_dim, sizeof *e->length, "an embedder");
    if (!e->length) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    for (int64_t i = 0; i < e->out_dim; i++) e->length[i] = 1 / sqrtf((float)e->out_dim);
    *out = e;
    e = NULL;
done:
    tern_embedder_free(e);
    return st;
}

void tern_embedder_free(tern_embedder *e)
{
    if (!e) return;
    for (size_t i = 0; i < TERN_MOST_DENSE; i++) tern_free(e->dense_bias[i]);
    tern_sentence_free(&e->sentence);
    tern_free(e->kv.data);
    tern_free(e->page);
    tern_free(e->length);
    tern_free(e);
}

int64_t tern_embedder_dim(const tern_embedder *e)
{
    return e->out_dim;
}

int64_t tern_embedder_max_tokens(const tern_embedder *e)
{
    return e->max_tokens;
}

const char *tern_embedder_pooling(const tern_embedder *e)
{
    return pooling_names[e->pooling];
}

const char *tern_embedder_prompt(const tern_embedder *e, const char *name)
{
    if (!name) name = e->sentence.default_prompt;
    return *name ? json_string_value(json_object_get(e->sentence.prompts, name)) : NULL;
}

/* ---- A batch ------------------------------------------------------------------------------------------------------------------------- */

static tern_status check_input(tern_embedder *e, const tern_embed_input *in, size_t i)
{
    if (!in->n_ids || !in->ids) return tern_fail(e->ctx, TERN_ERR_ARGUMENT, "input %zu has no tokens", i);
    if ((int64_t)in->n_ids > e->max_tokens) return tern_fail(e->ctx, TERN_ERR_LIMIT, "input %zu has %zu tokens, more than the %lld of this model", i, in->n_ids, (long long)e->max_tokens);
    for (size_t t = 0; t < in->n_ids; t++)
        if (in->ids[t] < 0 || in->ids[t] >= e->info.vocab)
            return tern_fail(e->ctx, TERN_ERR_ARGUMENT, "input %zu: token id %d is outside the vocabulary of %lld", i, (int)in->ids[t], (long long)e->info.vocab);
    return TERN_OK;
}

/* Where the inputs of one batch lie: arrays of the step arena. */
typedef struct batch {
    tern_ragged ragged;
    int32_t *row, *n_tok, *past, *id, *type, *out_row;
    const int32_t **page;
    float *hidden;    /* [n_row, dim] */
} batch;

/* The first of the inputs that go into one batch: as many as fit. */
static size_t count_batch(const tern_embedder *e, const tern_embed_input *inputs, size_t n)
{
    int64_t tokens = 0;
    size_t i = 0;
    while (i < n && i < MOST_SEQUENCES && (tokens += (int64_t)inputs[i].n_ids) <= e->step_tokens) i++;
    return i;
}

static tern_status lay_out(tern_embedder *e, const tern_embed_input *inputs, size_t n, batch *b)
{
    tern_ctx *ctx = e->ctx;
    tern_arena *step = &ctx->step;
    int32_t n_row = 0, next_page = 0;
    bool types = false;
    for (size_t i = 0; i < n; i++) {
        n_row += (int32_t)inputs[i].n_ids;
        types |= inputs[i].type_ids != NULL;
    }
    b->row = tern_arena_get(ctx, step, 3 * n, sizeof *b->row);
    b->page = tern_arena_get(ctx, step, n, sizeof *b->page);
    b->id = tern_arena_get(ctx, step, 3 * (size_t)n_row, sizeof *b->id);
    b->hidden = tern_arena_get(ctx, step, (size_t)n_row * (size_t)e->info.dim, sizeof *b->hidden);
    if (!b->row || !b->page || !b->id || !b->hidden) return TERN_ERR_MEMORY;
    b->n_tok = b->row + n;
    b->past = b->row + 2 * n;
    b->out_row = b->id + n_row;
    b->type = types ? b->id + 2 * n_row : NULL;
    int32_t row = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t count = (int32_t)inputs[i].n_ids;
        b->row[i] = row;
        b->n_tok[i] = count;
        b->past[i] = 0;
        b->page[i] = e->page + next_page;
        next_page += (count + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
        for (int32_t t = 0; t < count; t++, row++) {
            b->id[row] = inputs[i].ids[t];
            b->out_row[row] = row;
            if (types) b->type[row] = inputs[i].type_ids ? inputs[i].type_ids[t] : 0;
        }
    }
    b->ragged = (tern_ragged){ .n_seq = (int32_t)n, .n_row = n_row, .row = b->row, .n_tok = b->n_tok, .past = b->past, .page = b->page };
    return TERN_OK;
}

static tern_status run_batch(tern_embedder *e, const tern_embed_input *inputs, size_t n, batch *b)
{
    tern_status st = TERN_OK;
    TERN_TRY(lay_out(e, inputs, n, b));
    TERN_TRY(tern_model_step(e->model, &(tern_step){ .batch = &b->ragged, .kv = &e->kv, .id = b->id, .type_id = b->type, .out_row = b->out_row, .n_out = b->ragged.n_row,
                                                     .hidden = b->hidden }));
done:
    return st;
}

typedef enum which { FIRST, LAST, LAST_TEXT } which;

/* The last token before padding: where Hugging Face's decoders with classes look. */
static int32_t last_text(const tern_embedder *e, const batch *b, int32_t s)
{
    int32_t pad = tern_model_pad(e->model), r = b->n_tok[s] - 1;
    while (pad >= 0 && r > 0 && b->id[b->row[s] + r] == pad) r--;
    return r;
}

/* One row of each sequence. */
static tern_status pick_rows(tern_embedder *e, const batch *b, which w, float *out)
{
    int64_t dim = e->info.dim;
    int32_t *row = tern_arena_get(e->ctx, &e->ctx->step, (size_t)b->ragged.n_seq, sizeof *row);
    if (!row) return TERN_ERR_MEMORY;
    for (int32_t s = 0; s < b->ragged.n_seq; s++) row[s] = b->row[s] + (w == FIRST ? 0 : w == LAST ? b->n_tok[s] - 1 : last_text(e, b, s));
    return e->ctx->backend->dispatch(e->ctx, &(tern_dispatch){ .x = b->hidden, .out = out, .token = row, .ldx = dim, .ldout = dim, .n_route = b->ragged.n_seq, .dim = dim });
}

/* The mean of n rows is their combination with equal weights. */
static tern_status mean_rows(tern_embedder *e, const float *x, int32_t n, float *out)
{
    int64_t dim = e->info.dim;
    int32_t *slot = tern_arena_get(e->ctx, &e->ctx->step, (size_t)n, sizeof *slot);
    float *weight = tern_arena_get(e->ctx, &e->ctx->step, (size_t)n, sizeof *weight);
    if (!slot || !weight) return TERN_ERR_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        slot[i] = i;
        weight[i] = 1.0f / (float)n;
    }
    return e->ctx->backend->combine(e->ctx, &(tern_combine){ .x = x, .y = out, .slot = slot, .weight = weight, .ldx = dim, .ldy = dim, .n_row = 1, .k = n, .dim = dim });
}

static void largest_of_rows(const float *x, int32_t n, int64_t dim, float *out)
{
    memcpy(out, x, (size_t)dim * sizeof *out);
    for (int32_t r = 1; r < n; r++)
        for (int64_t d = 0; d < dim; d++)
            if (x[r * dim + d] > out[d]) out[d] = x[r * dim + d];
}

static tern_status pool(tern_embedder *e, const batch *b, float *out)
{
    tern_status st = TERN_OK;
    int64_t dim = e->info.dim;
    if (e->pooling == TERN_POOL_CLS || e->pooling == TERN_POOL_LAST) return pick_rows(e, b, e->pooling == TERN_POOL_LAST ? LAST : FIRST, out);
    if (e->pooling == TERN_POOL_POOLER) {
        float *first = tern_arena_get(e->ctx, &e->ctx->step, (size_t)b->ragged.n_seq * (size_t)dim, sizeof *first);
        if (!first) return TERN_ERR_MEMORY;
        TERN_TRY(pick_rows(e, b, FIRST, first));
        return tern_model_pool(e->model, b->ragged.n_seq, first, out);
    }
    for (int32_t s = 0; s < b->ragged.n_seq; s++) {
        const float *x = b->hidden + b->row[s] * dim;
        if (e->pooling == TERN_POOL_MAX) largest_of_rows(x, b->n_tok[s], dim, out + s * dim);
        else TERN_TRY(mean_rows(e, x, b->n_tok[s], out + s * dim));
    }
done:
    return st;
}

/* Dense modules and the division by the length, from pooled [n, dim] to vectors [n, out_dim]. */
static tern_status finish(tern_embedder *e, int64_t n, const float *pooled, float *vectors)
{
    tern_status st = TERN_OK;
    const tern_backend *back = e->ctx->backend;
    const float *x = pooled;
    int64_t dim = e->info.dim;
    for (size_t i = 0; i < e->sentence.n_dense; i++) {
        const tern_dense_module *d = &e->sentence.dense[i];
        int64_t width = d->weight.shape[0];
        float *y = tern_arena_get(e->ctx, &e->ctx->step, (size_t)(n * width), sizeof *y);
        if (!y) return TERN_ERR_MEMORY;
        tern_matmul m = { .x = x, .ldx = dim, .n_row = n, .n_part = 1, .act = d->tanh ? ACT_TANH : ACT_NONE, .compute = TERN_F32 };
        m.part[0] = (tern_matmul_part){ .w = { .data = d->weight.data, .dtype = d->weight.dtype, .out = width, .in = dim, .ld = dim }, .bias = e->dense_bias[i], .y = y, .ldy = width };
        TERN_TRY(back->matmul(e->ctx, &m));
        x = y;
        dim = width;
    }
    if (e->normalize)
        TERN_TRY(back->norm(e->ctx, &(tern_norm){ .kind = NORM_RMS, .x = x, .w = e->length, .y = vectors, .ldx = dim, .ldy = dim, .n_row = n, .dim = dim, .eps = 1e-24f }));
    else
        memcpy(vectors, x, (size_t)(n * dim) * sizeof *vectors);
done:
    return st;
}

/* What becomes of one batch's hidden states: vectors, or logits of classes. */
typedef tern_status batch_end(tern_embedder *e, const batch *b, float *out);

static tern_status end_vectors(tern_embedder *e, const batch *b, float *out)
{
    tern_status st = TERN_OK;
    float *pooled = tern_arena_get(e->ctx, &e->ctx->step, (size_t)b->ragged.n_seq * (size_t)e->info.dim, sizeof *pooled);
    if (!pooled) return TERN_ERR_MEMORY;
    TERN_TRY(pool(e, b, pooled));
    TERN_TRY(finish(e, b->ragged.n_seq, pooled, out));
done:
    return st;
}

static tern_status end_classes(tern_embedder *e, const batch *b, float *out)
{
    tern_status st = TERN_OK;
    float *x = tern_arena_get(e->ctx, &e->ctx->step, (size_t)b->ragged.n_seq * (size_t)e->info.dim, sizeof *x);
    if (!x) return TERN_ERR_MEMORY;
    TERN_TRY(pick_rows(e, b, e->info.decoder ? LAST_TEXT : FIRST, x));
    TERN_TRY(tern_model_classify(e->model, b->ragged.n_seq, x, out));
done:
    return st;
}

static tern_status run_all(tern_embedder *e, const tern_embed_input *inputs, size_t n, batch_end *end, int64_t width, float *out)
{
    TERN_OWN_FP(e->ctx);
    tern_status st = TERN_OK;
    for (size_t i = 0; i < n; i++) TERN_TRY(check_input(e, &inputs[i], i));
    for (size_t i = 0, count; i < n && !st; i += count) {
        batch b;
        tern_mark mark = tern_arena_mark(&e->ctx->step);
        count = count_batch(e, inputs + i, n - i);
        st = run_batch(e, inputs + i, count, &b);
        if (!st) st = end(e, &b, out + (int64_t)i * width);
        tern_arena_reset(&e->ctx->step, mark);
    }
done:
    return st;
}

tern_status tern_embedder_run(tern_embedder *e, const tern_embed_input *inputs, size_t n, float *vectors)
{
    return run_all(e, inputs, n, end_vectors, e->out_dim, vectors);
}

tern_status tern_embedder_classify(tern_embedder *e, const tern_embed_input *inputs, size_t n, float *logits)
{
    if (!e->info.n_label) return tern_fail(e->ctx, TERN_ERR_UNSUPPORTED, "%s: %s has no classification head", tern_model_dir(e->model), e->info.architecture);
    return run_all(e, inputs, n, end_classes, e->info.n_label, logits);
}

tern_status tern_embedder_hidden(tern_embedder *e, const tern_embed_input *input, float *hidden)
{
    tern_status st = TERN_OK;
    batch b;
    tern_mark mark = tern_arena_mark(&e->ctx->step);
    TERN_TRY(check_input(e, input, 0));
    TERN_TRY(run_batch(e, input, 1, &b));
    memcpy(hidden, b.hidden, (size_t)b.ragged.n_row * (size_t)e->info.dim * sizeof *hidden);
done:
    tern_arena_reset(&e->ctx->step, mark);
    return st;
}

tern_status tern_embedder_logits(tern_embedder *e, const tern_embed_input *input, float *logits)
{
    tern_status st = TERN_OK;
    batch b;
    tern_mark mark = tern_arena_mark(&e->ctx->step);
    if (!e->info.has_logits) return tern_fail(e->ctx, TERN_ERR_UNSUPPORTED, "%s: %s has no head over the vocabulary", tern_model_dir(e->model), e->info.architecture);
    TERN_TRY(check_input(e, input, 0));
    TERN_TRY(lay_out(e, input, 1, &b));
    TERN_TRY(tern_model_step(e->model, &(tern_step){ .batch = &b.ragged, .kv = &e->kv, .id = b.id, .type_id = b.type, .out_row = b.out_row, .n_out = b.ragged.n_row,
                                                     .logits = logits }));
done:
    tern_arena_reset(&e->ctx->step, mark);
    return st;
}
