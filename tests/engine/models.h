/* Real models for the engine's tests: opened with an instruction set, a number of threads and a
 * compute type, and runs that keep what came out. */
#ifndef TESTS_ENGINE_MODELS_H
#define TESTS_ENGINE_MODELS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <tern/engine.h>

#include "base/json.h"

#define DEMO TERN_SOURCE_DIR "/models/demo"

typedef struct bench {
    tern_ctx *ctx;
    tern_model *model;
    tern_model_info info;
} bench;

static inline void bench_open_with(bench *b, const char *dir, const char *isa, int threads,
                                   tern_model_options o)
{
    if (tern_ctx_create(&(tern_ctx_options){ .isa = isa, .threads = threads }, &b->ctx))
        fail_msg("%s", tern_create_error());
    if (tern_model_open(b->ctx, dir, &o, &b->model))
        fail_msg("%s: %s", dir, tern_ctx_error(b->ctx));
    b->info = tern_model_get_info(b->model);
}

static inline void bench_open(bench *b, const char *dir, const char *isa, int threads,
                              tern_compute compute)
{
    bench_open_with(b, dir, isa, threads, (tern_model_options){ .compute = compute });
}

/* Weights drawn by seed in the shapes of dir/config.json. */
static inline void bench_open_random(bench *b, const char *dir, const char *isa, int threads,
                                     tern_compute compute)
{
    bench_open_with(b, dir, isa, threads, (tern_model_options){ .compute =
        compute, .random_weights = true, .random_dtype = TERN_F32 });
}

static inline void bench_close(bench *b)
{
    tern_model_free(b->model);
    tern_ctx_free(b->ctx);
}

static inline tern_engine *bench_engine(bench *b, tern_engine_options o)
{
    tern_engine *e;
    if (tern_engine_create(b->ctx, b->model, &o, &e)) fail_msg("%s", tern_ctx_error(b->ctx));
    return e;
}

/* What came out of a request: tokens, text, and logits [rows, vocab] by the position that they were
 * computed at. */
typedef struct record {
    int32_t token[1024];
    int32_t n_token;
    char text[1 << 16];
    size_t n_text;
    int n_piece;
    float *logits;           /* null: not kept */
    bool *have;
    int64_t vocab, n_cached, rows;
    tern_finish finish;
    char error[256];
} record;

static inline bool record_event(void *user, const tern_event *e)
{
    record *r = user;
    if (e->token >= 0) r->token[r->n_token++] = e->token;
    if (e->n_bytes) r->n_piece++;
    memcpy(r->text + r->n_text, e->text, e->n_bytes);
    r->n_text += e->n_bytes;
    r->text[r->n_text] = 0;
    if (e->logits && r->logits) {
        memcpy(r->logits + e->position * r->vocab, e->logits, (size_t)r->vocab * sizeof *e->logits);
        r->have[e->position] = true;
    }
    r->n_cached = e->n_cached;
    r->finish = e->finish;
    if (e->error) snprintf(r->error, sizeof r->error, "%s", e->error);
    return true;
}

static inline record *record_new(int64_t vocab, int64_t rows)
{
    record *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->vocab = vocab;
    r->rows = rows;
    r->logits = calloc((size_t)(vocab * rows), sizeof *r->logits);
    r->have = calloc((size_t)rows, sizeof *r->have);
    assert_non_null(r->logits);
    return r;
}

static inline void record_free(record *r)
{
    free(r->logits);
    free(r->have);
    free(r);
}

static inline tern_request request_of(const int32_t *id, size_t n, int64_t max_new, record *r)
{
    return (tern_request){ .ids = id, .n_ids = n, .max_new_tokens = max_new, .sampling =
        tern_sampling_greedy(), .ignore_eos = true, .on_event = record_event, .user = r };
}

static inline void submit(tern_ctx *ctx, tern_engine *e, const tern_request *q)
{
    if (tern_engine_submit(e, q, NULL)) fail_msg("%s", tern_ctx_error(ctx));
}

static inline void run(tern_ctx *ctx, tern_engine *e)
{
    if (tern_engine_run(e)) fail_msg("%s", tern_ctx_error(ctx));
}

static inline json_t *json_of(tern_ctx *ctx, const char *path)
{
    json_t *j;
    if (tern_json_read(ctx, NULL, path, 1 << 26, &j)) fail_msg("%s", tern_ctx_error(ctx));
    return j;
}

static inline size_t ids_of(const json_t *list, int32_t *id)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) id[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

/* Instruction sets of this build that this CPU can run, one after the other; null at the end. The
 * others are named once. */
static inline const char *usable_isa(size_t *at)
{
    for (const char *name; (name = tern_isa_name(*at)); (*at)++)
        if (tern_isa_usable(*at)) return (*at)++, name;
        else printf("not run here: instruction set %s\n", name);
    return NULL;
}

#endif
