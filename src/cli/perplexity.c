/* tern perplexity: how well a model expects a text: exp of the mean of -log p(token | those before
 * it).
 *
 * The text is cut into windows of the context's length that overlap by half; each token is scored
 * once, in the first window that has it, so that all but the first have at least half a context
 * before them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/session.h"

typedef struct score {
    const int32_t *ids;         /* the window's */
    int64_t n, from, vocab;     /* tokens [from, n) of the window are scored */
    double sum;                 /* of -log p, all windows */
    int64_t n_scored;
    bool failed;
    char error[1024];
} score;

static double log_sum_exp(const float *x, int64_t n)
{
    double max = (double)x[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        if ((double)x[i] > max) max = (double)x[i];
    for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - max);
    return max + log(sum);
}

static bool on_event(void *user, const tern_event *e)
{
    score *s = user;
    int64_t next = e->position + 1;
    if (e->logits && next < s->n && next >= s->from) {
        s->sum += log_sum_exp(e->logits, s->vocab) - (double)e->logits[s->ids[next]];
        s->n_scored++;
    }
    if (e->finish == TERN_FINISH_ERROR) {
        s->failed = true;
        snprintf(s->error, sizeof s->error, "%s", e->error ? e->error : "the request failed");
    }
    return true;
}

static bool run_window(cli_session *s, score *r)
{
    tern_request request = { .ids = r->ids, .n_ids = (size_t)r->n, .sampling = tern_sampling_greedy(),
                             .logits = TERN_LOGITS_ALL, .on_event = on_event, .user = r };
    tern_status st = tern_engine_submit(s->engine, &request, NULL);
    if (!st) st = tern_engine_run(s->engine);
    if (st) cli_fail_ctx(s);
    else if (r->failed) cli_fail("%s", r->error);
    return !st && !r->failed;
}

static int run(const cli_args *args, cli_session *s, const int32_t *ids, int64_t n)
{
    int64_t window = tern_engine_get_info(s->engine).context_tokens;
    score r = { .vocab = tern_model_get_info(s->model).vocab };
    if (n < 2) return cli_fail("the text has %lld token%s, and at least 2 are needed", (long long)n, n == 1 ? "" : "s");
    if (window < 2) return cli_fail("a context of %lld tokens scores nothing", (long long)window);
    for (int64_t at = 0, done = 1; done < n; at += window / 2) {
        r.ids = ids + at;
        r.n = n - at < window ? n - at : window;
        r.from = done - at;
        if (!run_window(s, &r)) return EXIT_FAILED;
        done = at + r.n;
        if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K%lld of %lld tokens", (long long)done, (long long)n);
    }
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    double mean = r.sum / (double)r.n_scored;
    if (!isfinite(exp(mean)))
        return cli_fail("the perplexity is %s: a token of the text has a probability of 0, or logits that are no "
                        "numbers", isnan(mean) ? "NaN" : "infinite");
    if (!args->value[FLAG_JSON].set) {
        printf("perplexity %.9g of %lld tokens, %.9g nats a token\n", exp(mean), (long long)r.n_scored, mean);
        return EXIT_OK;
    }
    json_out j = { 0 };
    out_open(&j, NULL, '{');
    out_number(&j, "perplexity", exp(mean));
    out_integer(&j, "tokens", r.n_scored);
    out_number(&j, "nats_per_token", mean);
    out_close(&j);
    return EXIT_OK;
}

int cli_perplexity(const cli_args *args)
{
    cli_session s = { 0 };
    int32_t *ids = NULL;
    size_t n;
    int status = EXIT_FAILED;
    if (!cli_one_prompt(args)) return EXIT_USAGE;
    if (!args->value[FLAG_FILE].set && !args->value[FLAG_IDS].set && !args->value[FLAG_PROMPT].set)
        return cli_usage("\"tern perplexity\" needs a text: -f FILE");
    if (cli_open_ctx(args, &s) && cli_open_model(args, &s) && cli_prompt_ids(args, &s, &ids, &n) &&
        cli_open_engine(args, &s, 1))
        status = run(args, &s, ids, (int64_t)n);
    cli_close(&s);
    free(ids);
    return status;
}
