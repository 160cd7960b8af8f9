/* Modules one after the other: see pipeline.h. Planned once (names of features become slots,
 * widths are checked), then run for each batch. Called by the embedder; calls pooling and
 * primitives. */
#include "engine/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "base/memory.h"
#include "engine/pooling.h"
#include "model/model.h"

enum { MOST_FEATURES = TERN_MOST_MODULES + 2, MOST_STEPS = TERN_MOST_MODULES + 1 };

/* torch's LayerNorm adds it inside the root; normalize divides by at least 1e-12, and this is its
 * square. */
#define LAYER_NORM_EPS 1e-5f
#define NORMALIZE_EPS 1e-24f

/* What modules hand to each other: a row a token, or a row a sequence. */
typedef struct feature {
    const char *name;
    bool tokens;
    int64_t dim;
} feature;

/* A module with what it needs to run. */
typedef struct step {
    const tern_module *module;
    size_t input, output;                  /* features */
    bool tokens;                           /* its rows */
    int64_t in_dim, out_dim;
    tern_tensor weight, residual;          /* as stored, or aligned copies */
    void *weight_copy, *residual_copy;     /* owned; null: not copied */
    float *scale, *bias;                   /* f32, owned: of norms; of Dense the bias alone */
} step;

struct tern_pipeline {
    tern_ctx *ctx;
    tern_model *model;
    int64_t model_dim;
    const char *dir;
    tern_pooling pooling;           /* instead of the modules' modes; auto: as they say */
    tern_module implied;            /* the Pooling that no file names */
    size_t n_step, n_feature, result;
    step step[MOST_STEPS];
    feature feature[MOST_FEATURES];
    int64_t dim;                    /* of a vector, truncated; 0: none */
    size_t score;                   /* the feature of a CrossEncoder's logits */
    int64_t n_score;                /* 0: none */
    float *unit;                    /* [dim], for a division by the length at the end; null: not wanted */
    char pooling_name[160], reason[512];
};

/* ---- The plan ---- */

static size_t find_feature(const tern_pipeline *p, const char *name)
{
    size_t i = 0;
    while (i < p->n_feature && strcmp(p->feature[i].name, name)) i++;
    return i;
}

/* Entries all 1 / sqrt(dim): an RMS norm with them is a division by the length. */
static float *unit_scale(tern_ctx *ctx, int64_t dim)
{
    float *scale = tern_alloc(ctx, (size_t)dim, sizeof *scale, "a norm's scale");
    for (int64_t i = 0; scale && i < dim; i++) scale[i] = 1 / sqrtf((float)dim);
    return scale;
}

static tern_status check_float(const tern_pipeline *p, const step *s, const tern_tensor *t)
{
    if (tern_is_float(t->dtype)) return TERN_OK;
    return tern_fail(p->ctx, TERN_ERR_UNSUPPORTED, "%s/%s: weights are stored as %s; f32, f16 and bf16 are supported",
                     p->dir, s->module->folder, tern_dtype_name(t->dtype));
}

/* A vector of the module's file as f32; *out stays null where there is none. */
static tern_status take_vector(const tern_pipeline *p, const step *s, const tern_tensor *t, float **out)
{
    tern_status st = TERN_OK;
    if (!t->data) return st;
    TERN_TRY(check_float(p, s, t));
    *out = tern_alloc(p->ctx, (size_t)t->shape[0], sizeof **out, "a module's vector");
    if (!*out) return TERN_ERR_MEMORY;
    tern_convert how = { .from = t->data, .to = *out, .from_dtype = t->dtype, .to_dtype = TERN_F32, .n = t->shape[0] };
    TERN_TRY(p->ctx->backend->convert(p->ctx, &how));
done:
    return st;
}

/* A matrix of the module's file where it lies, or a copy where it is not aligned to its own
 * elements. */
static tern_status take_matrix(const tern_pipeline *p, const step *s, const tern_tensor *t, tern_tensor *out,
                               void **copy)
{
    *out = *t;
    if (!t->data) return TERN_OK;
    tern_status st = check_float(p, s, t);
    size_t width = tern_dtype_bytes(t->dtype), n_bytes = (size_t)t->shape[0] * (size_t)t->shape[1] * width;
    if (st || (uintptr_t)t->data % width == 0) return st;
    *copy = tern_alloc(p->ctx, n_bytes, 1, "a module's matrix");
    if (!*copy) return TERN_ERR_MEMORY;
    memcpy(*copy, t->data, n_bytes);
    out->data = *copy;
    return TERN_OK;
}

static tern_status plan_pooling(tern_pipeline *p, step *s)
{
    const tern_module *m = s->module;
    size_t n = m->n_mode, used = 0;
    if (!s->tokens)
        return tern_fail(p->ctx, TERN_ERR_FORMAT, "%s/%s: Pooling reads \"%s\", which is no longer a row a token",
                         p->dir, m->folder, m->input);
    if (p->pooling) n = 1;
    s->tokens = false;
    s->out_dim = p->pooling == TERN_POOL_POOLER ? p->model_dim : (int64_t)n * s->in_dim;
    for (size_t i = 0; i < n && used < sizeof p->pooling_name; i++)
        used += (size_t)snprintf(p->pooling_name + used, sizeof p->pooling_name - used, "%s%s", i ? "+" : "",
                                 tern_pooling_name(p->pooling ? p->pooling : m->mode[i]));
    return TERN_OK;
}

static tern_status plan_dense(tern_pipeline *p, step *s)
{
    tern_status st = TERN_OK;
    const tern_module *m = s->module;
    if (m->weight.shape[1] != s->in_dim)
        return tern_fail(p->ctx, TERN_ERR_FORMAT, "%s/%s: Dense takes %lld numbers, and \"%s\" before it has %lld",
                         p->dir, m->folder, (long long)m->weight.shape[1], m->input, (long long)s->in_dim);
    s->out_dim = m->weight.shape[0];
    TERN_TRY(take_matrix(p, s, &m->weight, &s->weight, &s->weight_copy));
    TERN_TRY(take_matrix(p, s, &m->residual, &s->residual, &s->residual_copy));
    TERN_TRY(take_vector(p, s, &m->bias, &s->bias));
done:
    return st;
}

static tern_status plan_norm(tern_pipeline *p, step *s)
{
    tern_status st = TERN_OK;
    const tern_module *m = s->module;
    if (m->kind == TERN_MODULE_NORMALIZE) {
        s->scale = unit_scale(p->ctx, s->in_dim);
        return s->scale ? TERN_OK : TERN_ERR_MEMORY;
    }
    if (m->weight.shape[0] != s->in_dim)
        return tern_fail(p->ctx, TERN_ERR_FORMAT, "%s/%s: LayerNorm takes %lld numbers, and \"%s\" before it has %lld",
                         p->dir, m->folder, (long long)m->weight.shape[0], m->input, (long long)s->in_dim);
    TERN_TRY(take_vector(p, s, &m->weight, &s->scale));
    TERN_TRY(take_vector(p, s, &m->bias, &s->bias));
done:
    return st;
}

static tern_status plan_module(tern_pipeline *p, const tern_module *m)
{
    tern_status st;
    size_t input = find_feature(p, m->input), output;
    if (input == p->n_feature && m->kind == TERN_MODULE_NORMALIZE)
        return TERN_OK;    /* the reference passes over it, too */
    if (input == p->n_feature)
        return tern_fail(p->ctx, TERN_ERR_FORMAT, "%s/%s: the module reads \"%s\", which no module before it writes",
                         p->dir, m->folder, m->input);
    step *s = &p->step[p->n_step++];
    *s = (step){ .module = m,
                 .input = input,
                 .tokens = p->feature[input].tokens,
                 .in_dim = p->feature[input].dim,
                 .out_dim = p->feature[input].dim };
    if (m->kind == TERN_MODULE_POOLING) st = plan_pooling(p, s);
    else if (m->kind == TERN_MODULE_DENSE) st = plan_dense(p, s);
    else st = plan_norm(p, s);
    if (st) return st;
    output = s->output = find_feature(p, m->output);
    if (output == p->n_feature) p->n_feature++;
    p->feature[output] = (feature){ m->output, s->tokens, s->out_dim };
    return TERN_OK;
}

/* The Pooling that stands behind the Transformer though no file names it; auto: there is none. */
static tern_pooling implied_pooling(const tern_pipeline *p, const tern_sentence *sentence)
{
    if (sentence->pooled) return TERN_POOL_POOLER;
    for (size_t i = 0; i < sentence->n_module; i++)
        if (sentence->module[i].kind == TERN_MODULE_POOLING) return TERN_POOL_AUTO;
    if (p->pooling) return p->pooling;
    if (sentence->found) return TERN_POOL_AUTO;
    /* one that looks both ways: the mean */
    return tern_model_get_info(p->model).causal ? TERN_POOL_LAST : TERN_POOL_MEAN;
}

static tern_status plan_list(tern_pipeline *p, const tern_sentence *sentence, const tern_embed_options *o)
{
    tern_status st = TERN_OK;
    size_t n = sentence->n_module;
    tern_pooling implied = implied_pooling(p, sentence);
    p->feature[p->n_feature++] = (feature){ TERN_TOKEN_FEATURE, true, p->model_dim };
    if (implied) {
        p->implied = (tern_module){ .kind = TERN_MODULE_POOLING,
                                    .mode = { implied },
                                    .n_mode = 1,
                                    .include_prompt = true,
                                    .input = TERN_TOKEN_FEATURE,
                                    .output = TERN_SENTENCE_FEATURE };
        TERN_TRY(plan_module(p, &p->implied));
    }
    while (o->normalize == TERN_NORMALIZE_NO && n && sentence->module[n - 1].kind == TERN_MODULE_NORMALIZE) n--;
    for (size_t i = 0; i < n; i++) TERN_TRY(plan_module(p, &sentence->module[i]));
done:
    return st;
}

/* Which feature is the vector, and how much of it; or why there is none. */
static tern_status plan_result(tern_pipeline *p, const tern_sentence *sentence, const tern_embed_options *o)
{
    p->result = find_feature(p, TERN_SENTENCE_FEATURE);
    p->score = find_feature(p, TERN_SCORE_FEATURE);
    if (sentence->cross_encoder && p->score < p->n_feature && !p->feature[p->score].tokens)
        p->n_score = p->feature[p->score].dim;
    bool none = p->result == p->n_feature, rows = !none && p->feature[p->result].tokens,
         scores = sentence->cross_encoder && !p->pooling;
    if (scores)
        snprintf(p->reason, sizeof p->reason,
                 "%s: a CrossEncoder gives scores of pairs, no vectors; a pooling that is asked for gives them",
                 p->dir);
    else if (none)
        snprintf(p->reason, sizeof p->reason,
                 "%s/modules.json: no module makes a vector of the tokens; a pooling that is asked for does", p->dir);
    else if (rows)
        snprintf(p->reason, sizeof p->reason, "%s/modules.json: the list ends with a vector a token, not one a text",
                 p->dir);
    if (*p->reason) return TERN_OK;
    p->dim = p->feature[p->result].dim;
    if (sentence->truncate_dim && sentence->truncate_dim < p->dim) p->dim = sentence->truncate_dim;
    if (o->truncate_dim)
        p->dim = o->truncate_dim < p->feature[p->result].dim ? o->truncate_dim : p->feature[p->result].dim;
    if (o->normalize != TERN_NORMALIZE_YES) return TERN_OK;
    p->unit = unit_scale(p->ctx, p->dim);
    return p->unit ? TERN_OK : TERN_ERR_MEMORY;
}

static bool uses_pooler(const tern_pipeline *p)
{
    for (size_t i = 0; i < p->n_step; i++)
        if (p->step[i].module->kind == TERN_MODULE_POOLING &&
            (p->pooling == TERN_POOL_POOLER || p->step[i].module->mode[0] == TERN_POOL_POOLER))
            return true;
    return false;
}

tern_status tern_pipeline_create(tern_ctx *ctx, tern_model *model, const tern_sentence *sentence,
                                 const tern_embed_options *options, tern_pipeline **out)
{
    tern_status st = TERN_OK;
    tern_pipeline *p = tern_alloc(ctx, 1, sizeof *p, "a list of modules");
    if (!p) return TERN_ERR_MEMORY;
    p->ctx = ctx;
    p->model = model;
    p->model_dim = tern_model_get_info(model).dim;
    p->dir = tern_model_dir(model);
    p->pooling = options->pooling;
    snprintf(p->pooling_name, sizeof p->pooling_name, "none");
    TERN_TRY(plan_list(p, sentence, options));
    if (uses_pooler(p) && !tern_model_has_pooler(model)) {
        st = tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the model has no pooler", p->dir);
        goto done;
    }
    TERN_TRY(plan_result(p, sentence, options));
    *out = p;
    p = NULL;
done:
    tern_pipeline_free(p);
    return st;
}

void tern_pipeline_free(tern_pipeline *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n_step; i++) {
        tern_free(p->step[i].weight_copy);
        tern_free(p->step[i].residual_copy);
        tern_free(p->step[i].scale);
        tern_free(p->step[i].bias);
    }
    tern_free(p->unit);
    tern_free(p);
}

int64_t tern_pipeline_dim(const tern_pipeline *p)
{
    return p->dim;
}

int64_t tern_pipeline_scores(const tern_pipeline *p)
{
    return p->n_score;
}

const char *tern_pipeline_reason(const tern_pipeline *p)
{
    return p->reason;
}

const char *tern_pipeline_pooling(const tern_pipeline *p)
{
    return p->pooling_name;
}

bool tern_pipeline_leaves_prompt(const tern_pipeline *p)
{
    for (size_t i = 0; i < p->n_step; i++)
        if (p->step[i].module->kind == TERN_MODULE_POOLING && !p->step[i].module->include_prompt) return true;
    return false;
}

/* ---- A batch ---- */

/* A batch under way: where each feature lies. */
typedef struct run {
    tern_pipeline *p;
    const tern_pipeline_batch *batch;
    const float *x[MOST_FEATURES];
} run;

static tern_status run_pooling(const run *r, const step *s, float *out)
{
    tern_status st = TERN_OK;
    tern_pipeline *p = r->p;
    const tern_ragged *b = r->batch->rows;
    const tern_module *m = s->module;
    tern_pool_rows rows = { .x = r->x[s->input],
                            .dim = s->in_dim,
                            .n_seq = b->n_seq,
                            .row = b->row,
                            .n_tok = b->n_tok,
                            .skip = m->include_prompt ? NULL : r->batch->n_prompt };
    tern_pool_rows whole = {
        .x = r->batch->hidden, .dim = p->model_dim, .n_seq = b->n_seq, .row = b->row, .n_tok = b->n_tok
    };
    if (p->pooling)
        return tern_pool_sequences(p->ctx, p->model, p->pooling, p->pooling == TERN_POOL_POOLER ? &whole : &rows, out,
                                   s->out_dim);
    for (size_t i = 0; i < m->n_mode; i++)
        TERN_TRY(tern_pool_sequences(p->ctx, p->model, m->mode[i], &rows, out + (int64_t)i * s->in_dim, s->out_dim));
done:
    return st;
}

static tern_status product(tern_ctx *ctx, const tern_tensor *w, const tern_matmul *how, float *y)
{
    tern_matmul m = *how;
    m.n_part = 1;
    m.compute = TERN_F32;
    m.ldx = w->shape[1];
    m.part[0].w =
        (tern_weight){ .data = w->data, .dtype = w->dtype, .out = w->shape[0], .in = w->shape[1], .ld = w->shape[1] };
    m.part[0].y = y;
    m.part[0].ldy = w->shape[0];
    return ctx->backend->matmul(ctx, &m);
}

static tern_status run_dense(const run *r, const step *s, int64_t n_row, float *out)
{
    tern_ctx *ctx = r->p->ctx;
    const float *x = r->x[s->input], *residual = s->module->use_residual ? x : NULL;
    if (s->residual.data) {
        float *y = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * s->out_dim), sizeof *y);
        tern_status st = y ? product(ctx, &s->residual, &(tern_matmul){ .x = x, .n_row = n_row }, y) : TERN_ERR_MEMORY;
        if (st) return st;
        residual = y;
    }
    return product(ctx, &s->weight,
                   &(tern_matmul){ .x = x,
                                   .n_row = n_row,
                                   .act = s->module->act,
                                   .part[0].bias = s->bias,
                                   .residual = residual,
                                   .ld_residual = s->out_dim },
                   out);
}

static tern_status run_norm(const run *r, const step *s, int64_t n_row, float *out)
{
    bool layer = s->module->kind == TERN_MODULE_LAYER_NORM;
    tern_norm norm = { .kind = layer ? NORM_LAYER : NORM_RMS, .x = r->x[s->input], .w = s->scale, .b = s->bias,
                       .y = out };
    norm.ldx = norm.ldy = norm.dim = s->in_dim;
    norm.n_row = n_row;
    norm.eps = layer ? LAYER_NORM_EPS : NORMALIZE_EPS;
    return r->p->ctx->backend->norm(r->p->ctx, &norm);
}

static tern_status run_step(run *r, const step *s)
{
    tern_status st;
    tern_ctx *ctx = r->p->ctx;
    const tern_ragged *b = r->batch->rows;
    int64_t n_row = s->tokens ? b->n_row : b->n_seq;
    float *out = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * s->out_dim), sizeof *out);
    if (!out) return TERN_ERR_MEMORY;
    if (s->module->kind == TERN_MODULE_POOLING) st = run_pooling(r, s, out);
    else if (s->module->kind == TERN_MODULE_DENSE) st = run_dense(r, s, n_row, out);
    else st = run_norm(r, s, n_row, out);
    r->x[s->output] = out;
    return st;
}

static tern_status run_steps(run *r)
{
    tern_status st = TERN_OK;
    r->x[0] = r->batch->hidden;
    for (size_t i = 0; i < r->p->n_step; i++) TERN_TRY(run_step(r, &r->p->step[i]));
done:
    return st;
}

tern_status tern_pipeline_run(tern_pipeline *p, const tern_pipeline_batch *batch, float *vectors)
{
    tern_status st = TERN_OK;
    run r = { .p = p, .batch = batch };
    int64_t n = batch->rows->n_seq, width = p->feature[p->result].dim;
    TERN_TRY(run_steps(&r));
    const float *x = r.x[p->result];
    tern_norm to_unit = { .kind = NORM_RMS, .x = x, .w = p->unit, .y = vectors, .ldx = width, .ldy = p->dim };
    to_unit.n_row = n;
    to_unit.dim = p->dim;
    to_unit.eps = NORMALIZE_EPS;
    if (p->unit) return p->ctx->backend->norm(p->ctx, &to_unit);
    for (int64_t i = 0; i < n; i++) memcpy(vectors + i * p->dim, x + i * width, (size_t)p->dim * sizeof *vectors);
done:
    return st;
}

tern_status tern_pipeline_score(tern_pipeline *p, const tern_pipeline_batch *batch, float *logits)
{
    run r = { .p = p, .batch = batch };
    tern_status st = run_steps(&r);
    if (!st) memcpy(logits, r.x[p->score], (size_t)(batch->rows->n_seq * p->n_score) * sizeof *logits);
    return st;
}
