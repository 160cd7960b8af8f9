/* A prompt and decoding through the engine, of one sequence or of several at once: see bench.h.
 *
 * batch sequences share the prompt's length between them, so that a row of 32 sequences takes a
 * prompt's time and not that of 32. The steps of the engine are timed one by one: those until every
 * sequence has its first token are the prompt, those after it, of batch tokens each, are
 * decoding. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "cli/bench/bench.h"
#include "cli/machine.h"
#include "kernels/kernels.h"

enum { LEAST_PROMPT = 16, STEP_TOKENS = 512, WINDOWS = 8, WINDOW_STEPS = 4 };

/* Requests that begin together. */
typedef struct timing {
    int64_t n_request, n_begun;
    bool failed;
    char error[1024];
} timing;

typedef struct row {
    const bench_plan *plan;
    cli_session *s;
    int64_t n_prompt, batch;                 /* of each sequence; sequences */
    uint64_t random;
    bench_samples prompt, decode;            /* tokens a second; a decode sample is that of a window of steps */
    bench_around around;
} row;

static bool on_event(void *user, const tern_event *e)
{
    timing *t = user;
    t->n_begun += e->token >= 0 && e->n_output == 1;
    if (e->finish == TERN_FINISH_ERROR) {
        snprintf(t->error, sizeof t->error, "%s", e->error ? e->error : "a request failed");
        t->failed = true;
    }
    return true;
}

/* Other random ids for each prompt, so that nothing of them can be in a cache. Knuth's MMIX
 * generator. */
static int32_t next_id(uint64_t *state, int64_t vocab)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int32_t)((*state >> 33) % (uint64_t)vocab);
}

/* Steps that the prompts may take: sequences that begin earlier go on decoding meanwhile. */
static int64_t steps_before(const row *r)
{
    return r->n_prompt * r->batch / STEP_TOKENS + r->batch + 1;
}

static tern_status submit(row *r, timing *t, uint64_t *id)
{
    tern_status st = TERN_OK;
    int64_t vocab = tern_model_get_info(r->s->model).vocab;
    int32_t *ids = malloc((size_t)r->n_prompt * sizeof *ids);
    if (!ids)
        return tern_fail(r->s->ctx, TERN_ERR_MEMORY, "no memory for a prompt of %lld tokens", (long long)r->n_prompt);
    for (int64_t i = 0; i < r->batch && !st; i++) {
        for (int64_t k = 0; k < r->n_prompt; k++) ids[k] = next_id(&r->random, vocab);
        tern_request request = { .ids = ids, .n_ids = (size_t)r->n_prompt, .max_new_tokens =
            r->plan->n_decode + steps_before(r), .sampling = tern_sampling_greedy(),
                                 .ignore_eos = true, .on_event = on_event, .user = t };
        st = tern_engine_submit(r->s->engine, &request, &id[i]);
    }
    free(ids);
    return st;
}

/* The decoding steps, as the rates of up to eight windows. */
static void add_windows(row *r, const double *took, int64_t n)
{
    int64_t steps = n / WINDOWS > WINDOW_STEPS ? n / WINDOWS : WINDOW_STEPS;
    for (int64_t at = 0; at < n; at += steps) {
        int64_t end = at + steps < n ? at + steps : n;
        double sum = 0;
        if (at && end - at < steps) break;
        for (int64_t i = at; i < end; i++) sum += took[i];
        bench_add(&r->decode, (double)(r->batch * (end - at)) / sum);
    }
}

static tern_status run_steps(row *r, timing *t, double *took)
{
    tern_status st = TERN_OK;
    size_t n_left = 1;
    int64_t n_step = 0;
    double start = cli_seconds(), at = start;
    while (n_left && !t->failed && n_step < r->plan->n_decode) {
        bool decoding = t->n_begun == r->batch;
        if ((st = tern_engine_step(r->s->engine, &n_left)) != TERN_OK) return st;
        double now = cli_seconds();
        if (decoding) took[n_step++] = now - at;
        else if (t->n_begun == r->batch) {
            bench_add(&r->prompt, (double)(r->n_prompt * r->batch) / (now - start));
            bench_around_sample(&r->around);
            now = cli_seconds();
        }
        at = now;
    }
    add_windows(r, took, n_step);
    return st;
}

/* All requests, from their prompts to the last decoding step that counts; then they are
 * cancelled. */
static bool measure_once(row *r)
{
    timing t = { .n_request = r->batch };
    uint64_t *id = calloc((size_t)r->batch, sizeof *id);
    double *took = calloc((size_t)r->plan->n_decode, sizeof *took);
    tern_status st = id && took ? submit(r, &t, id) : tern_fail(r->s->ctx, TERN_ERR_MEMORY, "no memory for the times "
                                                                "of %lld steps", (long long)r->plan->n_decode);
    if (!st) st = run_steps(r, &t, took);
    for (int64_t i = 0; id && i < r->batch; i++)
        if (id[i]) tern_engine_cancel(r->s->engine, id[i]);
    if (!st) st = tern_engine_run(r->s->engine);
    free(id);
    free(took);
    if (!st && !t.failed) return true;
    cli_fail("%s", t.failed ? t.error : tern_ctx_error(r->s->ctx));
    return false;
}

static bool measure(row *r)
{
    double start = cli_seconds();
    for (int64_t i = 0; i < r->plan->n_repeat && (i == 0 || cli_seconds() - start < r->plan->patience_s); i++) {
        bench_progress("%d threads, %lld x %lld tokens, %lld of %lld", tern_ctx_threads(r->s->ctx), (long long)r->batch,
                       (long long)r->n_prompt, (long long)i + 1, (long long)r->plan->n_repeat);
        bench_around_sample(&r->around);
        if (!measure_once(r)) return false;
    }
    bench_around_sample(&r->around);
    return true;
}

static bool open_engine(row *r)
{
    const cli_value *context = &r->plan->args->value[FLAG_CONTEXT];
    tern_engine_options options = { .context_tokens = context->set ? context->integer
                                                                   : r->n_prompt + r->plan->n_decode + steps_before(r),
                                    .max_requests = (int32_t)r->batch,
                                    .step_tokens = STEP_TOKENS, .no_prefix_sharing = true };
    if (tern_engine_create(r->s->ctx, r->s->model, &options, &r->s->engine) == TERN_OK) return true;
    cli_fail("a prompt of %lld x %lld tokens and %lld to decode: %s", (long long)r->batch, (long long)r->n_prompt,
             (long long)r->plan->n_decode, tern_ctx_error(r->s->ctx));
    return false;
}

static void close_engine(row *r)
{
    tern_engine_free(r->s->engine);
    r->s->engine = NULL;
}

static int64_t prompt_of_each(int64_t n_prompt, int64_t batch)
{
    int64_t least = n_prompt < LEAST_PROMPT ? n_prompt : LEAST_PROMPT;
    return n_prompt / batch > least ? n_prompt / batch : least;
}

typedef bool row_fn(row *r, bench_report *report);

/* A row that is more than the model or the memory can take is refused before others take their
 * time. */
static bool can_be(row *r, bench_report *report)
{
    (void)report;
    bool ok = open_engine(r);
    close_engine(r);
    return ok;
}

static bool measure_row(row *r, bench_report *report)
{
    tern_model_info m = tern_model_get_info(r->s->model);
    bench_watch watch = bench_watch_begin();
    r->around = bench_around_of(r->s->ctx, report);
    bool ok = open_engine(r) && measure(r);
    bench_result *out = ok ? bench_add_result(report) : NULL;
    int64_t n_decode = r->plan->n_decode;
    if (out)
        *out = (bench_result){ .threads = tern_ctx_threads(r->s->ctx), .batch = r->batch, .prompt_tokens = r->n_prompt,
                               .decode_tokens = n_decode,
                               .prompt_per_s = bench_spread_of(&r->prompt), .decode_per_s = bench_spread_of(&r->decode),
                               .prompt = bench_prompt_work(&m, r->n_prompt, r->batch),
                               .decode = bench_decode_work(&m, r->n_prompt + (n_decode + 1) / 2, r->batch),
                               .best = r->around.best,
                               .peak = bench_limit_of(&r->around.peak), .bandwidth = bench_limit_of(&r->around.read),
                               .disturbed = bench_watch_end(&watch, report) };
    close_engine(r);
    bench_samples_free(&r->prompt);
    bench_samples_free(&r->decode);
    bench_around_free(&r->around);
    return out;
}

static bool each_row(const bench_plan *plan, cli_session *s, bench_report *report, row_fn *fn)
{
    for (size_t p = 0; p < plan->prompt.n; p++)
        for (size_t b = 0; b < plan->batch.n; b++) {
            row r = { .plan = plan, .s = s, .n_prompt = prompt_of_each(plan->prompt.at[p], plan->batch.at[b]),
                      .batch = plan->batch.at[b], .random = 1 };
            if (!fn(&r, report)) return false;
        }
    return true;
}

/* A short request first: it brings the weights into memory. */
static bool warm_up(const bench_plan *plan, cli_session *s)
{
    bench_plan one = *plan;
    one.n_decode = 1;
    row r = { .plan = &one, .s = s, .n_prompt = LEAST_PROMPT, .batch = 1, .random = 2 };
    bool ok = open_engine(&r) && measure_once(&r);
    close_engine(&r);
    bench_samples_free(&r.prompt);
    bench_samples_free(&r.decode);
    return ok;
}

bool bench_requests(const bench_plan *plan, cli_session *s, bench_report *report)
{
    return each_row(plan, s, report, can_be) && warm_up(plan, s) && each_row(plan, s, report, measure_row);
}
