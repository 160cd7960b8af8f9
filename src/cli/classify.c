/* tern classify and tern rerank: lines of text to labels, or to a score beside a query. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/texts.h"

/* Lines through the head; *logits [n, n_label] is freed by free. */
static bool run_head(cli_session *s, const cli_texts *t, int64_t n_label, float **logits)
{
    tern_embedder *embedder = NULL;
    *logits = malloc((t->n + 1) * (size_t)(n_label + 1) * sizeof **logits);
    if (!*logits) {
        cli_fail("no memory for %zu rows of %lld labels", t->n, (long long)n_label);
        return false;
    }
    tern_status st = tern_embedder_create(s->ctx, s->model, NULL, &embedder);
    if (!st && t->n) st = tern_embedder_classify(embedder, t->inputs, t->n, *logits);
    tern_embedder_free(embedder);
    if (st) cli_fail_ctx(s);
    return !st;
}

static size_t best_of(const float *logits, int64_t n)
{
    size_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = (size_t)i;
    return best;
}

/* A single label is a score by itself (sigmoid); of several, one holds (softmax). */
static double probability(const float *logits, int64_t n, size_t i)
{
    double sum = 0;
    if (n == 1) return 1 / (1 + exp(-(double)logits[0]));
    for (int64_t k = 0; k < n; k++) sum += exp((double)logits[k] - (double)logits[i]);
    return 1 / sum;
}

static void print_class(const tern_model *model, bool as_json, const float *logits, int64_t n)
{
    size_t best = best_of(logits, n);
    const char *label = tern_model_label(model, (int64_t)best);
    json_out j = { 0 };
    if (!as_json) {
        printf("%s %.9g\n", label, probability(logits, n, best));
        return;
    }
    out_open(&j, NULL, '{');
    out_word(&j, "label", label);
    out_number(&j, "score", probability(logits, n, best));
    out_open(&j, "logits", '[');
    for (int64_t i = 0; i < n; i++) out_number(&j, NULL, (double)logits[i]);
    out_close(&j);
    out_close(&j);
}

static void print_scores(bool as_json, const float *logits, size_t n, int64_t n_label)
{
    for (size_t i = 0; i < n; i++) {
        double score = (double)logits[i * (size_t)n_label + (size_t)n_label - 1];
        json_out j = { 0 };
        if (as_json) {
            out_open(&j, NULL, '{');
            out_number(&j, "score", score);
            out_close(&j);
        } else {
            printf("%.9g\n", score);
        }
    }
}

static int run(const cli_args *args, const char *query)
{
    cli_session s = { 0 };
    cli_texts t = { 0 };
    float *logits = NULL;
    int status = EXIT_FAILED;
    bool as_json = args->value[FLAG_JSON].set;
    if (!cli_open_ctx(args, &s) || !cli_open_model(args, &s)) goto done;
    int64_t n_label = tern_model_get_info(s.model).n_label;
    if (!(args->value[FLAG_IDS].set ? cli_texts_of_ids(args, &t) : cli_open_tokenizer(args, &s, true) && cli_texts_read(&s, NULL, query, &t))) goto done;
    if (!run_head(&s, &t, n_label, &logits)) goto done;
    for (size_t i = 0; !query && i < t.n; i++) print_class(s.model, as_json, logits + i * (size_t)n_label, n_label);
    if (query) print_scores(as_json, logits, t.n, n_label);
    status = EXIT_OK;
done:
    free(logits);
    cli_texts_free(&t);
    cli_close(&s);
    return status;
}

int cli_classify(const cli_args *args)
{
    if (args->value[FLAG_TYPE_IDS].set && !args->value[FLAG_IDS].set) return cli_usage("--type-ids goes with --ids");
    return run(args, NULL);
}

int cli_rerank(const cli_args *args)
{
    return run(args, args->operand[0]);
}
