/* tern logits: what the model gives for the next token, as numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/texts.h"

typedef struct rows {
    json_out *json;     /* null: lines of numbers */
    bool all;
    int64_t vocab;
    bool failed;
    char error[1024];
} rows;

static void print_row(const rows *r, const float *logits)
{
    if (r->json && r->all) out_open(r->json, NULL, '[');
    for (int64_t i = 0; i < r->vocab; i++) {
        if (r->json) out_number(r->json, NULL, (double)logits[i]);
        else printf("%.9g%c", (double)logits[i], r->all && i + 1 < r->vocab ? ' ' : '\n');
    }
    if (r->json && r->all) out_close(r->json);
}

/* Nothing is printed before there is a row. */
static void begin(rows *r)
{
    if (!r->json || r->json->depth) return;
    out_open(r->json, NULL, '{');
    out_open(r->json, "logits", '[');
}

static void end(rows *r)
{
    if (!r->json) return;
    out_close(r->json);
    out_close(r->json);
}

/* A NaN ends the request before it comes here. -infinity is a token that never comes; JSON has no
 * number for it, and says null. */
static bool all_below_infinity(rows *r, const tern_event *e)
{
    for (int64_t i = 0; i < r->vocab; i++) {
        if (!isinf(e->logits[i]) || e->logits[i] < 0) continue;
        snprintf(r->error, sizeof r->error, "logit %lld at position %d is infinite", (long long)i, (int)e->position);
        r->failed = true;
        return false;
    }
    return true;
}

static bool on_event(void *user, const tern_event *e)
{
    rows *r = user;
    if (e->finish == TERN_FINISH_ERROR) {
        r->failed = true;
        snprintf(r->error, sizeof r->error, "%s", e->error ? e->error : "the request failed");
    }
    if (!e->logits) return true;
    if (!all_below_infinity(r, e)) return false;
    begin(r);
    print_row(r, e->logits);
    return !ferror(stdout);
}

static int run(const cli_args *args, cli_session *s, const int32_t *ids, size_t n)
{
    json_out json = { 0 };
    bool all = args->value[FLAG_ALL].set;
    rows r = { .json = args->value[FLAG_JSON].set ? &json : NULL, .all = all,
               .vocab = tern_model_get_info(s->model).vocab };
    tern_request request = { .ids = ids, .n_ids = n, .sampling = tern_sampling_greedy(),
                             .logits = all ? TERN_LOGITS_ALL : TERN_LOGITS_LAST, .on_event = on_event, .user = &r };
    if (tern_engine_submit(s->engine, &request, NULL) != TERN_OK) return cli_fail_ctx(s);
    if (tern_engine_run(s->engine) != TERN_OK) return cli_fail_ctx(s);
    if (r.failed) return cli_fail("%s", r.error);
    end(&r);
    return EXIT_OK;
}

/* A masked-language model sees the whole text at once. */
static int run_encoder(const cli_args *args, cli_session *s)
{
    cli_texts t = { 0 };
    json_out json = { 0 };
    tern_embedder *embedder = NULL;
    tern_embed_options options = { .context_tokens = args->value[FLAG_CONTEXT].integer };
    rows r = { .json = args->value[FLAG_JSON].set ? &json : NULL, .all = args->value[FLAG_ALL].set,
               .vocab = tern_model_get_info(s->model).vocab };
    float *logits = NULL;
    int status = EXIT_FAILED;
    if (!args->value[FLAG_IDS].set) return cli_fail("the logits of an encoder are asked for by --ids");
    if (!cli_texts_of_ids(args, s, &t)) goto done;
    logits = malloc(t.inputs->n_ids * (size_t)r.vocab * sizeof *logits);
    if (!logits) {
        cli_fail("no memory for %zu rows of %lld logits", t.inputs->n_ids, (long long)r.vocab);
    } else if (tern_embedder_create(s->ctx, s->model, &options, &embedder) ||
               tern_embedder_logits(embedder, t.inputs, logits)) {
        cli_fail_ctx(s);
    } else {
        status = EXIT_OK;
        begin(&r);
        for (size_t i = r.all ? 0 : t.inputs->n_ids - 1; i < t.inputs->n_ids; i++)
            print_row(&r, logits + i * (size_t)r.vocab);
        end(&r);
    }
done:
    free(logits);
    tern_embedder_free(embedder);
    cli_texts_free(&t);
    return status;
}

int cli_logits(const cli_args *args)
{
    cli_session s = { 0 };
    int32_t *ids = NULL;
    size_t n;
    int status = EXIT_FAILED;
    if (!cli_one_prompt(args)) return EXIT_USAGE;
    if (!cli_open_ctx(args, &s) || !cli_open_model(args, &s)) goto done;
    if (!tern_model_get_info(s.model).causal) status = run_encoder(args, &s);
    else if (args->value[FLAG_TYPE_IDS].set)
        cli_fail("--type-ids: %s has no token types", tern_model_get_info(s.model).architecture);
    else if (cli_prompt_ids(args, &s, &ids, &n) && cli_open_engine(args, &s, 1)) status = run(args, &s, ids, n);
done:
    cli_close(&s);
    free(ids);
    return status;
}
