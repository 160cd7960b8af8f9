/* Sentences through an encoder, one a call and many a call: see bench.h. */
#include <stdio.h>
#include <stdlib.h>
#include <tern/embed.h>

#include "cli/bench/bench.h"
#include "cli/machine.h"

enum { LEAST_CALLS = 5, MOST_CALLS = 1000 };    /* a repeat */

static const double time_to_spend = 0.5;

typedef struct row {
    cli_session *s;
    tern_embedder *embedder;
    int64_t n_token, batch;
    int32_t *ids;
    tern_embed_input *inputs;
    float *vectors;
    bench_samples seconds;
    bench_around around;
} row;

static bool open_row(row *r)
{
    int64_t n = r->n_token * r->batch, vocab = tern_model_get_info(r->s->model).vocab;
    uint32_t state = 1;
    r->ids = calloc((size_t)n, sizeof *r->ids);
    r->inputs = calloc((size_t)r->batch, sizeof *r->inputs);
    r->vectors = calloc((size_t)(r->batch * tern_embedder_dim(r->embedder)), sizeof *r->vectors);
    if (!r->ids || !r->inputs || !r->vectors) {
        cli_fail("no memory for %lld sentences of %lld tokens", (long long)r->batch, (long long)r->n_token);
        return false;
    }
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;    /* Numerical Recipes' generator */
        r->ids[i] = (int32_t)((uint64_t)(state >> 8) * (uint64_t)vocab >> 24);
    }
    for (int64_t i = 0; i < r->batch; i++)
        r->inputs[i] = (tern_embed_input){ .ids = r->ids + i * r->n_token, .n_ids = (size_t)r->n_token };
    return true;
}

static bool call(row *r)
{
    if (tern_embedder_run(r->embedder, r->inputs, (size_t)r->batch, r->vectors) == TERN_OK) return true;
    cli_fail_ctx(r->s);
    return false;
}

/* A call first that does not count: what the limits were read from has taken the caches. */
static bool measure_once(row *r)
{
    if (!call(r)) return false;
    double begin = cli_seconds();
    for (int n = 0; n < MOST_CALLS && (n < LEAST_CALLS || cli_seconds() - begin < time_to_spend); n++) {
        double start = cli_seconds();
        if (!call(r)) return false;
        bench_add(&r->seconds, cli_seconds() - start);
    }
    return true;
}

static bool measure(row *r, const bench_plan *plan)
{
    double start = cli_seconds();
    bench_progress("%d threads, %lld sentences of %lld tokens", tern_ctx_threads(r->s->ctx), (long long)r->batch,
                   (long long)r->n_token);
    for (int64_t i = 0; i < plan->n_repeat && (i == 0 || cli_seconds() - start < plan->patience_s); i++) {
        bench_around_sample(&r->around);
        if (!measure_once(r)) return false;
    }
    bench_around_sample(&r->around);
    return true;
}

static bool measure_row(const bench_plan *plan, cli_session *s, tern_embedder *embedder, int64_t n_token, int64_t batch,
                        bench_report *report)
{
    row r = { .s = s, .embedder = embedder, .n_token = n_token, .batch = batch,
              .around = bench_around_of(s->ctx, report) };
    tern_model_info m = tern_model_get_info(s->model);
    bench_watch watch = bench_watch_begin();
    bench_result *out = open_row(&r) && measure(&r, plan) ? bench_add_result(report) : NULL;
    if (out) {
        *out = (bench_result){ .encoder = true, .threads = tern_ctx_threads(s->ctx), .batch = batch,
                               .prompt_tokens = n_token, .seconds = bench_spread_of(&r.seconds),
                               .prompt = bench_sentence_work(&m, n_token, batch), .best = r.around.best,
                               .peak = bench_limit_of(&r.around.peak),
                               .bandwidth = bench_limit_of(&r.around.read),
                               .disturbed = bench_watch_end(&watch, report) };
        out->prompt_per_s = bench_inverse(out->seconds, (double)batch);
    }
    free(r.ids);
    free(r.inputs);
    free(r.vectors);
    bench_samples_free(&r.seconds);
    bench_around_free(&r.around);
    return out;
}

bool bench_sentences(const bench_plan *plan, cli_session *s, bench_report *report)
{
    tern_embedder *embedder = NULL;
    tern_embed_options options = { .context_tokens = plan->args->value[FLAG_CONTEXT].integer };
    bool ok = tern_embedder_create(s->ctx, s->model, &options, &embedder) == TERN_OK;
    if (!ok) cli_fail_ctx(s);
    for (size_t p = 0; ok && p < plan->prompt.n; p++)
        for (size_t b = 0; ok && b < plan->batch.n; b++)
            ok = measure_row(plan, s, embedder, plan->prompt.at[p], plan->batch.at[b], report);
    tern_embedder_free(embedder);
    return ok;
}
