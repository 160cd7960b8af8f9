/* tern classify and tern rerank: lines of text to labels, or to a score beside a query. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/texts.h"

typedef tern_status head_fn(tern_embedder *embedder, const tern_embed_input *inputs, size_t n, float *out);

/* Lines through the head; *out [n, n_label] is freed by free. */
static bool run_head(cli_session *s, tern_embedder *embedder, head_fn *head, const cli_texts *t, float **out)
{
    int64_t n_label = tern_model_get_info(s->model).n_label;
    *out = malloc((t->n + 1) * (size_t)(n_label + 1) * sizeof **out);
    if (!*out) {
        cli_fail("no memory for %zu rows of %lld labels", t->n, (long long)n_label);
        return false;
    }
    if (!t->n || !head(embedder, t->inputs, t->n, *out)) return true;
    cli_fail_ctx(s);
    return false;
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

/* A line of scores: of one label the number, of several all of them. */
static void print_scores(bool as_json, const float *scores, int64_t n_label)
{
    json_out j = { 0 };
    if (!as_json) {
        for (int64_t i = 0; i < n_label; i++) printf("%.9g%c", (double)scores[i], i + 1 < n_label ? ' ' : '\n');
        return;
    }
    out_open(&j, NULL, '{');
    if (n_label == 1) {
        out_number(&j, "score", (double)scores[0]);
    } else {
        out_open(&j, "scores", '[');
        for (int64_t i = 0; i < n_label; i++) out_number(&j, NULL, (double)scores[i]);
        out_close(&j);
    }
    out_close(&j);
}

static bool read_inputs(const cli_args *args, cli_session *s, const tern_embedder *embedder, const char *query, cli_texts *t)
{
    cli_texts_how how = { 0 };
    if (args->value[FLAG_IDS].set) return cli_texts_of_ids(args, t);
    if (query) how = cli_texts_how_of(args, embedder);
    how.query = query;
    return cli_open_tokenizer(args, s, true) && cli_texts_read(s, &how, t);
}

static int run(const cli_args *args, const char *query)
{
    cli_session s = { 0 };
    cli_texts t = { 0 };
    tern_embedder *embedder = NULL;
    float *out = NULL;
    int status = EXIT_FAILED;
    bool as_json = args->value[FLAG_JSON].set;
    if (!cli_open_ctx(args, &s) || !cli_open_model(args, &s)) goto done;
    if (tern_embedder_create(s.ctx, s.model, NULL, &embedder)) {
        cli_fail_ctx(&s);
        goto done;
    }
    if (!read_inputs(args, &s, embedder, query, &t)) goto done;
    if (!run_head(&s, embedder, query && !args->value[FLAG_RAW].set ? tern_embedder_score : tern_embedder_classify, &t, &out)) goto done;
    int64_t n_label = tern_model_get_info(s.model).n_label;
    for (size_t i = 0; i < t.n; i++) {
        if (query) print_scores(as_json, out + i * (size_t)n_label, n_label);
        else print_class(s.model, as_json, out + i * (size_t)n_label, n_label);
    }
    status = EXIT_OK;
done:
    free(out);
    cli_texts_free(&t);
    tern_embedder_free(embedder);
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
