/* tern generate: continues a text, printing what comes as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/messages.h"
#include "cli/sampling.h"

enum { DEFAULT_TOKENS = 256 };

/* What the request has said so far. */
typedef struct result {
    bool json, has_text;      /* print at the end, or as it comes: text, or ids where there is no tokenizer */
    int32_t *ids;
    size_t n, capacity;
    char *text;
    size_t n_bytes, text_capacity;
    char last;                /* the last byte printed */
    tern_finish finish;
    char error[1024];
    int64_t n_prompt, n_output;
    bool lost;                /* stdout takes no more, or memory is out: cancelled */
} result;

static bool grow(void **p, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity) return true;
    size_t more = wanted + *capacity + 256;
    void *q = realloc(*p, more * size);
    if (!q) return false;
    *p = q;
    *capacity = more;
    return true;
}

static bool keep(result *r, const tern_event *e)
{
    if (e->token >= 0) {
        if (!grow((void **)&r->ids, &r->capacity, r->n + 1, sizeof *r->ids)) return false;
        r->ids[r->n++] = e->token;
    }
    if (!grow((void **)&r->text, &r->text_capacity, r->n_bytes + e->n_bytes, 1)) return false;
    if (e->n_bytes) memcpy(r->text + r->n_bytes, e->text, e->n_bytes);
    r->n_bytes += e->n_bytes;
    return true;
}

static bool stream(result *r, const tern_event *e)
{
    char id[16];
    const char *text = e->text;
    size_t n_bytes = e->n_bytes;
    if (!r->has_text) {
        if (e->token < 0) n_bytes = 0;
        else n_bytes = (size_t)snprintf(id, sizeof id, "%s%d", r->last ? " " : "", e->token);
        text = id;
    }
    if (!n_bytes) return true;
    r->last = text[n_bytes - 1];
    return cli_put(text, n_bytes);
}

static bool on_event(void *user, const tern_event *e)
{
    result *r = user;
    r->n_prompt = e->n_prompt;
    r->n_output = e->n_output;
    r->finish = e->finish;
    if (e->finish == TERN_FINISH_ERROR)
        snprintf(r->error, sizeof r->error, "%s", e->error ? e->error : "the request failed");
    r->lost = r->lost || !(r->json ? keep(r, e) : stream(r, e));
    return !r->lost;
}

/* ---- The end ---- */

static void print_json(const result *r)
{
    json_out j = { 0 };
    out_open(&j, NULL, '{');
    out_open(&j, "ids", '[');
    for (size_t i = 0; i < r->n; i++) out_integer(&j, NULL, r->ids[i]);
    out_close(&j);
    if (r->has_text) out_string(&j, "text", r->text ? r->text : "", r->n_bytes);
    else out_word(&j, "text", NULL);
    out_word(&j, "finish_reason", cli_finish_name(r->finish));
    out_open(&j, "usage", '{');
    out_integer(&j, "prompt_tokens", r->n_prompt);
    out_integer(&j, "completion_tokens", r->n_output);
    out_close(&j);
    out_close(&j);
}

static int finish(result *r, double took)
{
    if (r->finish == TERN_FINISH_ERROR) return cli_fail("%s", r->error);
    /* cli_finish has the message about stdout */
    if (r->lost) return r->json ? cli_fail("no memory for the text") : EXIT_OK;
    if (r->json) print_json(r);
    else if (r->last && r->last != '\n') cli_put("\n", 1);
    if (isatty(STDERR_FILENO) && took > 0)
        cli_say("%lld + %lld tokens in %.2f s, %.0f tokens/s, %s", (long long)r->n_prompt, (long long)r->n_output, took,
                (double)(r->n_prompt + r->n_output) / took, cli_finish_name(r->finish));
    return EXIT_OK;
}

static int run(const cli_args *args, cli_session *s, const int32_t *ids, size_t n, result *r)
{
    tern_request request = { .ids = ids, .n_ids = n, .max_new_tokens = cli_max_tokens(args, s, n, DEFAULT_TOKENS),
                             .ignore_eos = args->value[FLAG_IGNORE_EOS].set, .tokenizer = s->tokenizer,
                             .stop = args->stop, .n_stop = args->n_stop,
                             .on_event = on_event, .user = r };
    r->n_prompt = (int64_t)n;
    r->finish = TERN_FINISH_LENGTH;
    if (!request.max_new_tokens) return finish(r, 0);
    request.sampling = cli_sampling(args, s->model);
    double start = cli_seconds();
    if (tern_engine_submit(s->engine, &request, NULL) != TERN_OK) return cli_fail_ctx(s);
    cli_say_seed(args, &request.sampling);
    if (tern_engine_run(s->engine) != TERN_OK) return cli_fail_ctx(s);
    double took = cli_seconds() - start;
    return finish(r, took);
}

/* Ids alone can do without a tokenizer. */
static bool wants_text(const cli_args *args)
{
    return args->value[FLAG_PROMPT].set || args->value[FLAG_FILE].set || args->value[FLAG_CHAT].set || args->n_stop;
}

/* --chat: the ids of messages, by the chat template, with what begins the answer. */
static bool message_ids(const cli_args *args, cli_session *s, int32_t **ids, size_t *n)
{
    tern_template *template = NULL;
    char *messages = NULL;
    size_t n_bytes;
    bool ok = cli_open_template(args, s, &template) &&
              cli_read(args->value[FLAG_FILE].set ? args->value[FLAG_FILE].text : "-", &messages, &n_bytes) &&
              cli_add_generation_prompt(s, &messages, &n_bytes) &&
              cli_template_ids(s, template, messages, n_bytes, ids, n);
    tern_template_free(template);
    free(messages);
    return ok;
}

int cli_generate(const cli_args *args)
{
    cli_session s = { 0 };
    result r = { .json = args->value[FLAG_JSON].set };
    int32_t *ids = NULL;
    size_t n;
    int status = EXIT_FAILED;
    bool chat = args->value[FLAG_CHAT].set;
    if (!cli_one_prompt(args)) return EXIT_USAGE;
    if (!cli_open_ctx(args, &s) || !cli_open_model(args, &s) || !cli_open_tokenizer(args, &s, wants_text(args)))
        goto done;
    if (!(chat ? message_ids(args, &s, &ids, &n) : cli_prompt_ids(args, &s, &ids, &n)) || !cli_open_engine(args, &s, 1))
        goto done;
    r.has_text = s.tokenizer;
    status = run(args, &s, ids, n, &r);
done:
    cli_close(&s);
    free(r.ids);
    free(r.text);
    free(ids);
    return status;
}
