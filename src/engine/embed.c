/* Texts as vectors, classes and scores: ragged batches through the model, then the pipeline of
 * modules or the classification head. Called by programs; calls src/model, the pipeline and
 * primitives. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <tern/embed.h>

#include "base/ctx.h"
#include "base/fp.h"
#include "base/memory.h"
#include "engine/pipeline.h"
#include "formats/sentence.h"
#include "model/model.h"

enum { DEFAULT_STEP_TOKENS = 1024, MOST_SEQUENCES = 256, DEFAULT_LONGEST = 8192 };

struct tern_embedder {
    tern_ctx *ctx;
    tern_model *model;
    tern_model_info info;
    tern_sentence sentence;
    tern_pipeline *pipeline;
    int64_t max_tokens, step_tokens;
    tern_kv kv;
    int32_t *page;                         /* [n_page] 0, 1, ...: a sequence's pages are a run of them */
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Space for a call's inputs: as many tokens as its largest batch has, in at most MOST_SEQUENCES
 * sequences, each of which may leave part of its last page unused. It grows with the longest call
 * so far; a call no longer than that takes no memory. */
static tern_status take_pages(tern_embedder *e, const tern_embed_input *inputs, size_t n)
{
    int64_t total = 0, longest = 0;
    for (size_t i = 0; i < n; i++) {
        total += (int64_t)inputs[i].n_ids;
        longest = larger(longest, (int64_t)inputs[i].n_ids);
    }
    int64_t most = larger(e->step_tokens, longest), tokens = total < most ? total : most;
    int64_t n_page = (tokens + TERN_KV_PAGE - 1) / TERN_KV_PAGE + (int64_t)(n < MOST_SEQUENCES ? n : MOST_SEQUENCES);
    if (e->kv.data && n_page <= e->kv.n_page) return TERN_OK;
    tern_free(e->kv.data);
    tern_free(e->page);
    e->kv.n_page = (int32_t)n_page;
    e->kv.data = tern_alloc_aligned(e->ctx, 64, tern_kv_bytes(&e->kv, e->kv.n_page), 1, "keys and values of a batch");
    e->page = e->kv.data ? tern_alloc(e->ctx, (size_t)e->kv.n_page, sizeof *e->page, "pages") : NULL;
    for (int32_t i = 0; e->page && i < e->kv.n_page; i++) e->page[i] = i;
    if (e->page) return TERN_OK;
    tern_free(e->kv.data);
    e->kv.data = NULL;
    return TERN_ERR_MEMORY;
}

/* What the caller asks for, or what the checkpoint says. */
static tern_status choose_longest(tern_embedder *e, int64_t wanted)
{
    int64_t most = e->info.max_tokens;
    if (wanted < 0)
        return tern_fail(e->ctx, TERN_ERR_ARGUMENT, "context_tokens is %lld, not 0 or more", (long long)wanted);
    if (wanted > INT32_MAX || (most && wanted > most))
        return tern_fail(e->ctx, TERN_ERR_LIMIT, "a context of %lld tokens is more than the %lld that the model was "
                         "made for", (long long)wanted, most ? (long long)most : (long long)INT32_MAX);
    if (!most) most = DEFAULT_LONGEST;
    if (e->sentence.max_tokens && e->sentence.max_tokens < most) most = e->sentence.max_tokens;
    e->max_tokens = wanted ? wanted : most;
    return TERN_OK;
}

tern_status tern_embedder_create(tern_ctx *ctx, tern_model *model, const tern_embed_options *options,
                                 tern_embedder **out)
{
    TERN_OWN_FP(ctx);
    tern_status st = TERN_OK;
    tern_embed_options o = options ? *options : (tern_embed_options){ 0 };
    if ((unsigned)o.pooling > TERN_POOL_WEIGHTED_MEAN || (unsigned)o.normalize > TERN_NORMALIZE_NO ||
        o.step_tokens < 0 || o.truncate_dim < 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "embedder: pooling %d, normalize %d, step_tokens %d or truncate_dim %lld is out of range",
                         (int)o.pooling, (int)o.normalize, (int)o.step_tokens, (long long)o.truncate_dim);
    tern_embedder *e = tern_alloc(ctx, 1, sizeof *e, "an embedder");
    if (!e) return TERN_ERR_MEMORY;
    e->ctx = ctx;
    e->model = model;
    e->info = tern_model_get_info(model);
    TERN_TRY(tern_sentence_read(ctx, tern_model_dir(model), &e->sentence));
    TERN_TRY(tern_pipeline_create(ctx, model, &e->sentence, &o, &e->pipeline));
    TERN_TRY(choose_longest(e, o.context_tokens));
    e->step_tokens = o.step_tokens ? o.step_tokens : DEFAULT_STEP_TOKENS;
    e->kv = tern_model_kv(model);
    *out = e;
    e = NULL;
done:
    tern_embedder_free(e);
    return st;
}

void tern_embedder_free(tern_embedder *e)
{
    if (!e) return;
    tern_pipeline_free(e->pipeline);
    tern_sentence_free(&e->sentence);
    tern_free(e->kv.data);
    tern_free(e->page);
    tern_free(e);
}

int64_t tern_embedder_dim(const tern_embedder *e)
{
    return tern_pipeline_dim(e->pipeline);
}

/* The modules' scores stand before the model's head. */
int64_t tern_embedder_labels(const tern_embedder *e)
{
    int64_t n = tern_pipeline_scores(e->pipeline);
    return n ? n : e->info.n_label;
}

int64_t tern_embedder_max_tokens(const tern_embedder *e)
{
    return e->max_tokens;
}

const char *tern_embedder_pooling(const tern_embedder *e)
{
    return tern_pipeline_pooling(e->pipeline);
}

const char *tern_embedder_similarity(const tern_embedder *e)
{
    return e->sentence.similarity;
}

bool tern_embedder_leaves_prompt(const tern_embedder *e)
{
    return tern_pipeline_leaves_prompt(e->pipeline);
}

bool tern_embedder_lower_case(const tern_embedder *e)
{
    return e->sentence.lower_case;
}

const char *tern_embedder_prompt(const tern_embedder *e, const char *name)
{
    if (!name) name = e->sentence.default_prompt;
    if (!name) return NULL;
    const json_t *prompt = json_object_get(e->sentence.prompts, name);
    if (json_is_string(prompt)) return json_string_value(prompt);
    return prompt || !strcmp(name, "query") || !strcmp(name, "document") ? "" : NULL;
}

/* ---- A batch --------------------------------------------------------------------------------- */

static tern_status check_input(tern_embedder *e, const tern_embed_input *in, size_t i)
{
    char what[32];
    tern_status st = TERN_OK;
    snprintf(what, sizeof what, "input %zu", i);
    if (!in->n_ids || !in->ids) return tern_fail(e->ctx, TERN_ERR_ARGUMENT, "%s has no tokens", what);
    if ((int64_t)in->n_ids > e->max_tokens)
        return tern_fail(e->ctx, TERN_ERR_LIMIT, "%s has %zu tokens, more than the %lld of this model", what, in->n_ids,
                         (long long)e->max_tokens);
    TERN_TRY(tern_model_check_tokens(e->model, what, in->ids, in->type_ids, in->n_ids));
    if (in->n_prompt >= in->n_ids && tern_embedder_leaves_prompt(e))
        return tern_fail(e->ctx, TERN_ERR_ARGUMENT,
                         "input %zu has %zu tokens, all of the prompt, which this model leaves out of the vector", i,
                         in->n_ids);
done:
    return st;
}

/* A number that is none is no result: the input of x [n, width] that has one, by name. first: the
 * number of the first row, among inputs or positions. */
static tern_status check_finite(tern_embedder *e, const char *row, size_t first, const char *number, const float *x,
                                size_t n, int64_t width)
{
    for (size_t i = 0; i < n; i++)
        for (int64_t k = 0; k < width; k++) {
            float v = x[i * (size_t)width + (size_t)k];
            if (isfinite(v)) continue;
            return tern_fail(e->ctx, TERN_ERR_NUMERIC, "%s %zu: %s %lld of %lld is %s", row, first + i, number,
                             (long long)k, (long long)width, isnan(v) ? "NaN" : "infinite");
        }
    return TERN_OK;
}

/* Where the inputs of one batch lie: arrays of the step arena. */
typedef struct batch {
    tern_ragged ragged;
    int32_t *row, *n_tok, *past, *n_prompt, *id, *type, *out_row;
    const int32_t **page;
    float *hidden;    /* [n_row, dim] */
} batch;

/* The first of the inputs that go into one batch: as many as fit, and one that is longer than a
 * batch by itself. */
static size_t count_batch(const tern_embedder *e, const tern_embed_input *inputs, size_t n)
{
    int64_t tokens = 0;
    size_t i = 0;
    while (i < n && i < MOST_SEQUENCES && ((tokens += (int64_t)inputs[i].n_ids) <= e->step_tokens || !i)) i++;
    return i;
}

static tern_status make_batch(tern_embedder *e, const tern_embed_input *inputs, size_t n, batch *b)
{
    tern_ctx *ctx = e->ctx;
    tern_arena *step = &ctx->step;
    int32_t n_row = 0, next_page = 0;
    bool types = false;
    for (size_t i = 0; i < n; i++) {
        n_row += (int32_t)inputs[i].n_ids;
        types |= inputs[i].type_ids != NULL;
    }
    b->row = tern_arena_get(ctx, step, 4 * n, sizeof *b->row);
    b->page = tern_arena_get(ctx, step, n, sizeof *b->page);
    b->id = tern_arena_get(ctx, step, 3 * (size_t)n_row, sizeof *b->id);
    b->hidden = tern_arena_get(ctx, step, (size_t)n_row * (size_t)e->info.dim, sizeof *b->hidden);
    if (!b->row || !b->page || !b->id || !b->hidden) return TERN_ERR_MEMORY;
    b->n_tok = b->row + n;
    b->past = b->row + 2 * n;
    b->n_prompt = b->row + 3 * n;
    b->out_row = b->id + n_row;
    b->type = types ? b->id + 2 * n_row : NULL;
    int32_t row = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t count = (int32_t)inputs[i].n_ids;
        b->row[i] = row;
        b->n_tok[i] = count;
        b->past[i] = 0;
        b->n_prompt[i] = (int32_t)inputs[i].n_prompt;
        b->page[i] = e->page + next_page;
        next_page += (count + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
        for (int32_t t = 0; t < count; t++, row++) {
            b->id[row] = inputs[i].ids[t];
            b->out_row[row] = row;
            if (types) b->type[row] = inputs[i].type_ids ? inputs[i].type_ids[t] : 0;
        }
    }
    b->ragged = (tern_ragged){ .n_seq = (int32_t)n, .n_row = n_row, .row = b->row, .n_tok = b->n_tok, .past = b->past,
                               .page = b->page };
    return TERN_OK;
}

static tern_status run_batch(tern_embedder *e, const tern_embed_input *inputs, size_t n, batch *b)
{
    tern_status st = TERN_OK;
    TERN_TRY(make_batch(e, inputs, n, b));
    TERN_TRY(tern_model_step(e->model, &(tern_step){ .batch = &b->ragged, .kv = &e->kv, .id = b->id, .type_id = b->type,
                                                     .out_row = b->out_row, .n_out = b->ragged.n_row,
                                                     .hidden = b->hidden }));
done:
    return st;
}

/* The last token before padding: where Hugging Face's decoders with classes look. */
static int32_t last_text(const tern_embedder *e, const batch *b, int32_t s)
{
    int32_t pad = tern_model_pad(e->model), r = b->n_tok[s] - 1;
    while (pad >= 0 && r > 0 && b->id[b->row[s] + r] == pad) r--;
    return r;
}

/* The row of each sequence that a classification head reads: an encoder's first, a decoder's
 * last. */
static tern_status pick_rows(tern_embedder *e, const batch *b, float *out)
{
    int64_t dim = e->info.dim;
    int32_t *row = tern_arena_get(e->ctx, &e->ctx->step, (size_t)b->ragged.n_seq, sizeof *row);
    if (!row) return TERN_ERR_MEMORY;
    for (int32_t s = 0; s < b->ragged.n_seq; s++) row[s] = b->row[s] + (e->info.decoder ? last_text(e, b, s) : 0);
    return e->ctx->backend->gather_rows(e->ctx, &(tern_gather_rows){ .x = b->hidden, .out = out, .token = row, .ldx =
        dim, .ldout = dim, .n_route = b->ragged.n_seq, .dim = dim });
}

/* What becomes of one batch's hidden states: vectors, or logits of classes. */
typedef tern_status batch_end(tern_embedder *e, const batch *b, float *out);

static tern_status end_vectors(tern_embedder *e, const batch *b, float *out)
{
    tern_pipeline_batch rows = { .rows = &b->ragged, .hidden = b->hidden, .n_prompt = b->n_prompt };
    return tern_pipeline_run(e->pipeline, &rows, out);
}

static tern_status end_scores(tern_embedder *e, const batch *b, float *out)
{
    tern_pipeline_batch rows = { .rows = &b->ragged, .hidden = b->hidden, .n_prompt = b->n_prompt };
    return tern_pipeline_score(e->pipeline, &rows, out);
}

static tern_status end_classes(tern_embedder *e, const batch *b, float *out)
{
    tern_status st = TERN_OK;
    float *x = tern_arena_get(e->ctx, &e->ctx->step, (size_t)b->ragged.n_seq * (size_t)e->info.dim, sizeof *x);
    if (!x) return TERN_ERR_MEMORY;
    TERN_TRY(pick_rows(e, b, x));
    TERN_TRY(tern_model_classify(e->model, b->ragged.n_seq, x, out));
done:
    return st;
}

static tern_status run_all(tern_embedder *e, const tern_embed_input *inputs, size_t n, batch_end *end, int64_t width,
                           float *out)
{
    TERN_OWN_FP(e->ctx);
    tern_status st = TERN_OK;
    for (size_t i = 0; i < n; i++) TERN_TRY(check_input(e, &inputs[i], i));
    TERN_TRY(take_pages(e, inputs, n));
    for (size_t i = 0, count; i < n && !st; i += count) {
        batch b;
        tern_mark mark = tern_arena_mark(&e->ctx->step);
        count = count_batch(e, inputs + i, n - i);
        st = run_batch(e, inputs + i, count, &b);
        if (!st) st = end(e, &b, out + (int64_t)i * width);
        if (!st)
            st = check_finite(e, "input", i, end == end_classes ? "logit" : "number", out + (int64_t)i * width, count,
                              width);
        tern_arena_reset(&e->ctx->step, mark);
    }
done:
    return st;
}

tern_status tern_embedder_run(tern_embedder *e, const tern_embed_input *inputs, size_t n, float *vectors)
{
    if (!tern_embedder_dim(e)) return tern_fail(e->ctx, TERN_ERR_UNSUPPORTED, "%s", tern_pipeline_reason(e->pipeline));
    return run_all(e, inputs, n, end_vectors, tern_embedder_dim(e), vectors);
}

tern_status tern_embedder_classify(tern_embedder *e, const tern_embed_input *inputs, size_t n, float *logits)
{
    if (tern_pipeline_scores(e->pipeline)) return run_all(e, inputs, n, end_scores, tern_embedder_labels(e), logits);
    if (!e->info.n_label)
        return tern_fail(e->ctx, TERN_ERR_UNSUPPORTED, "%s: %s has no classification head", tern_model_dir(e->model),
                         e->info.architecture);
    return run_all(e, inputs, n, end_classes, e->info.n_label, logits);
}

/* ---- A CrossEncoder's scores ---- */

/* The class of torch that the checkpoint names; null: none. config_sentence_transformers.json wins
 * over config.json. */
static const char *named_activation(const tern_embedder *e)
{
    return e->sentence.activation ? e->sentence.activation : tern_model_score_activation(e->model);
}

static tern_status softmax_rows(tern_embedder *e, size_t n, float *x)
{
    tern_softmax rows = { .x = x, .y = x, .n_seq = (int64_t)n, .n_head = 1, .n_row = 1,
                          .n_key = tern_embedder_labels(e), .scale = 1 };
    return e->ctx->backend->softmax(e->ctx, &rows);
}

tern_status tern_embedder_score(tern_embedder *e, const tern_embed_input *inputs, size_t n, float *scores)
{
    TERN_OWN_FP(e->ctx);
    tern_status st = TERN_OK;
    const char *name = named_activation(e);
    int64_t n_label = tern_embedder_labels(e);
    tern_act act = n_label == 1 ? ACT_SIGMOID : ACT_NONE;
    bool softmax = name && !strncmp(name, "torch.", 6) && !strcmp(strrchr(name, '.'), ".Softmax");
    if (name && !softmax && !tern_torch_activation(name, &act))
        return tern_fail(e->ctx, TERN_ERR_UNSUPPORTED, "%s: scores go through \"%s\"; torch's Sigmoid, Identity, Tanh, "
                         "ReLU, GELU, SiLU and Softmax are supported", tern_model_dir(e->model), name);
    TERN_TRY(tern_embedder_classify(e, inputs, n, scores));
    if (softmax) return softmax_rows(e, n, scores);
    if (act == ACT_NONE) return TERN_OK;
    tern_activation rows = { .act = act, .x = scores, .y = scores, .ldx = n_label, .ldy = n_label, .n_row = (int64_t)n,
                             .dim = n_label };
    return e->ctx->backend->activation(e->ctx, &rows);
done:
    return st;
}

tern_status tern_embedder_hidden(tern_embedder *e, const tern_embed_input *input, float *hidden)
{
    tern_status st = TERN_OK;
    batch b;
    tern_mark mark = tern_arena_mark(&e->ctx->step);
    TERN_TRY(check_input(e, input, 0));
    TERN_TRY(take_pages(e, input, 1));
    TERN_TRY(run_batch(e, input, 1, &b));
    TERN_TRY(check_finite(e, "position", 0, "number", b.hidden, input->n_ids, e->info.dim));
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
    if (!e->info.has_logits)
        return tern_fail(e->ctx, TERN_ERR_UNSUPPORTED, "%s: %s has no head over the vocabulary",
                         tern_model_dir(e->model), e->info.architecture);
    TERN_TRY(check_input(e, input, 0));
    TERN_TRY(take_pages(e, input, 1));
    TERN_TRY(make_batch(e, input, 1, &b));
    TERN_TRY(tern_model_step(e->model, &(tern_step){ .batch = &b.ragged, .kv = &e->kv, .id = b.id, .type_id = b.type,
                                                     .out_row = b.out_row, .n_out = b.ragged.n_row,
                                                     .logits = logits }));
    TERN_TRY(check_finite(e, "position", 0, "logit", logits, input->n_ids, e->info.vocab));
done:
    tern_arena_reset(&e->ctx->step, mark);
    return st;
}
