/* tern classify and tern rerank: lines of text to labels, or to a score beside a query. */
#include <math.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/texts.h"

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

typedef struct printing {
    const tern_model *model;
    bool json;
    int64_t n_label;
} printing;

static void print_class(void *user, size_t line, const float *logits, const char *why)
{
    const printing *p = user;
    json_out j = { 0 };
    (void)line;
    if (!logits) {
        cli_texts_put_error(p->json, why);
        return;
    }
    size_t best = best_of(logits, p->n_label);
    const char *label = tern_model_label(p->model, (int64_t)best);
    char plain[32];
    snprintf(plain, sizeof plain, "LABEL_%zu", best);
    if (!label) label = plain;    /* of modules, which have no names */
    if (!p->json) {
        printf("%s %.9g\n", label, probability(logits, p->n_label, best));
        return;
    }
    out_open(&j, NULL, '{');
    out_word(&j, "label", label);
    out_number(&j, "score", probability(logits, p->n_label, best));
    out_open(&j, "logits", '[');
    for (int64_t i = 0; i < p->n_label; i++) out_number(&j, NULL, (double)logits[i]);
    out_close(&j);
    out_close(&j);
}

/* A line of scores: of one label the number, of several all of them. */
static void print_scores(void *user, size_t line, const float *scores, const char *why)
{
    const printing *p = user;
    json_out j = { 0 };
    (void)line;
    if (!scores) {
        cli_texts_put_error(p->json, why);
        return;
    }
    if (!p->json) {
        for (int64_t i = 0; i < p->n_label; i++) printf("%.9g%c", (double)scores[i], i + 1 < p->n_label ? ' ' : '\n');
        return;
    }
    out_open(&j, NULL, '{');
    if (p->n_label == 1) {
        out_number(&j, "score", (double)scores[0]);
    } else {
        out_open(&j, "scores", '[');
        for (int64_t i = 0; i < p->n_label; i++) out_number(&j, NULL, (double)scores[i]);
        out_close(&j);
    }
    out_close(&j);
}

static bool read_inputs(const cli_args *args, cli_session *s, const tern_embedder *embedder, const char *query,
                        cli_texts *t)
{
    cli_texts_how how = { .lower_case = tern_embedder_lower_case(embedder) };
    if (args->value[FLAG_IDS].set) return cli_texts_of_ids(args, s, t);
    if (query && !cli_texts_how_of(args, embedder, &how)) return false;
    how.query = query;
    return cli_open_tokenizer(args, s, true) && cli_texts_read(s, &how, t);
}

static int run(const cli_args *args, const char *query)
{
    cli_session s = { 0 };
    cli_texts t = { 0 };
    tern_embedder *embedder = NULL;
    tern_embed_options options = { .context_tokens = args->value[FLAG_CONTEXT].integer };
    int status = EXIT_FAILED;
    if (!cli_open_ctx(args, &s) || !cli_open_model(args, &s)) goto done;
    if (tern_embedder_create(s.ctx, s.model, &options, &embedder)) {
        cli_fail_ctx(&s);
        goto done;
    }
    printing p = { .model = s.model, .json = args->value[FLAG_JSON].set, .n_label = tern_embedder_labels(embedder) };
    if (!p.n_label) {
        cli_fail("%s has no classification head", tern_model_get_info(s.model).architecture);
        goto done;
    }
    if (!read_inputs(args, &s, embedder, query, &t)) goto done;
    cli_texts_run_fn *head = query && !args->value[FLAG_RAW].set ? tern_embedder_score : tern_embedder_classify;
    status = cli_texts_each(&s, embedder, &t, head, p.n_label, query ? print_scores : print_class, &p);
done:
    cli_texts_free(&t);
    tern_embedder_free(embedder);
    cli_close(&s);
    return status;
}

int cli_classify(const cli_args *args)
{
    return run(args, NULL);
}

int cli_rerank(const cli_args *args)
{
    return run(args, args->operand[0]);
}
