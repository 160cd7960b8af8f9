/* tern generate: continues a text, printing what comes as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/session.h"
#include "model/model.h"

enum { DEFAULT_TOKENS = 256 };

/* What the request has said so far. */
typedef struct result {
    bool json, has_text;      /* print at the end, or as it comes: text, or ids where there is no tokenizer */
    int32_t *ids;
    size_t n, room;
    char *text;
    size_t n_bytes, text_room;
    char last;                /* the last byte printed */
    tern_finish finish;
    char error[1024];
    int64_t n_prompt, n_output;
    bool lost;                /* stdout takes no more, or memory is out: cancelled */
} result;

static bool grow(void **p, size_t *room, size_t wanted, size_t size)
{
    if (wanted <= *room) return true;
    size_t more = wanted + *room + 256;
    void *q = realloc(*p, more * size);
    if (!q) return false;
    *p = q;
    *room = more;
    return true;
}

static bool keep(result *r, const tern_event *e)
{
    if (e->token >= 0) {
        if (!grow((void **)&r->ids, &r->room, r->n + 1, sizeof *r->ids)) return false;
        r->ids[r->n++] = e->token;
    }
    if (!grow((void **)&r->text, &r->text_room, r->n_bytes + e->n_bytes, 1)) return false;
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
        n_bytes = e->token < 0 ? 0 : (size_t)snprintf(id, sizeof id, "%s%d", r->last ? " " : "", e->token);
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
    if (e->finish == TERN_FINISH_ERROR) snprintf(r->error, sizeof r->error, "%s", e->error ? e->error : "the request failed");
    r->lost = r->lost || !(r->json ? keep(r, e) : stream(r, e));
    return !r->lost;
}

/* ---- Flags ---- */

static tern_sampling sampling_of(const cli_args *args, const tern_model *model)
{
    tern_sampling s = tern_sampling_default(model);
    const cli_value *v = args->value;
    if (v[FLAG_TEMPERATURE].set) s.temperature = (float)v[FLAG_TEMPERATURE].number;
    if (v[FLAG_TOP_K].set) s.top_k = v[FLAG_TOP_K].integer;
    if (v[FLAG_TOP_P].set) s.top_p = (float)v[FLAG_TOP_P].number;
    if (v[FLAG_MIN_P].set) s.min_p = (float)v[FLAG_MIN_P].number;
    if (v[FLAG_PENALTY].set) s.repetition_penalty = (float)v[FLAG_PENALTY].number;
    s.seed = v[FLAG_SEED].seed;
    return s;
}

/* A seed that nobody chose is said, so that the text can be had again. */
static uint64_t draw_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = (uint32_t)time(NULL);
    cli_say("seed %u", seed);
    return seed;
}

/* How many tokens without -n: the model's own figure or DEFAULT_TOKENS, and never more than the context has room for. */
static int64_t tokens_of(const cli_args *args, const cli_session *s, size_t n_prompt)
{
    if (args->value[FLAG_TOKENS].set) return args->value[FLAG_TOKENS].integer;
    int64_t wanted = tern_model_generation(s->model)->max_new_tokens;
    int64_t room = tern_engine_get_info(s->engine).context_tokens - (int64_t)n_prompt;
    if (wanted <= 0) wanted = DEFAULT_TOKENS;
    return room < 1 ? 1 : wanted < room ? wanted : room;
}

/* ---- The end ---- */

static const char *finish_name(tern_finish finish)
{
    return finish == TERN_FINISH_STOP ? "stop" : finish == TERN_FINISH_CANCELLED ? "cancelled" : "length";
}

static void print_json(const result *r)
{
    json_out j = { 0 };
    out_open(&j, NULL, '{');
    out_open(&j, "ids", '[');
    for (size_t i = 0; i < r->n; i++) out_integer(&j, NULL, r->ids[i]);
    out_close(&j);
    if (r->has_text) out_string(&j, "text", r->text ? r->text : "", r->n_bytes);
    else out_word(&j, "text", NULL);
    out_word(&j, "finish_reason", finish_name(r->finish));
    out_open(&j, "usage", '{');
    out_integer(&j, "prompt_tokens", r->n_prompt);
    out_integer(&j, "completion_tokens", r->n_output);
    out_close(&j);
    out_close(&j);
}

static int finish(result *r, double took)
{
    if (r->finish == TERN_FINISH_ERROR) return cli_fail("%s", r->error);
    if (r->lost) return r->json ? cli_fail("no memory for the text") : EXIT_OK;    /* cli_finish has the words about stdout */
    if (r->json) print_json(r);
    else if (r->last && r->last != '\n') cli_put("\n", 1);
    if (isatty(STDERR_FILENO) && took > 0)
        cli_say("%lld + %lld tokens in %.2f s, %.0f tokens/s, %s", (long long)r->n_prompt, (long long)r->n_output, took, (double)(r->n_prompt + r->n_output) / took,
                finish_name(r->finish));
    return EXIT_OK;
}

static int run(const cli_args *args, cli_session *s, const int32_t *ids, size_t n, result *r)
{
    tern_request request = { .ids = ids, .n_ids = n, .max_new_tokens = tokens_of(args, s, n), .sampling = sampling_of(args, s->model),
                             .ignore_eos = args->value[FLAG_IGNORE_EOS].set, .tokenizer = s->tokenizer, .stop = args->stop, .n_stop = args->n_stop,
                             .on_event = on_event, .user = r };
    r->n_prompt = (int64_t)n;
    r->finish = TERN_FINISH_LENGTH;
    if (!request.max_new_tokens) return finish(r, 0);
    if (request.sampling.temperature > 0 && !args->value[FLAG_SEED].set) request.sampling.seed = draw_seed();
    double start = cli_seconds();
    if (tern_engine_submit(s->engine, &request, NULL) != TERN_OK || tern_engine_run(s->engine) != TERN_OK) return cli_fail_ctx(s);
    return finish(r, cli_seconds() - start);
}

/* Ids alone can do without a tokenizer. */
static bool wants_text(const cli_args *args)
{
    return args->value[FLAG_PROMPT].set || args->value[FLAG_FILE].set || args->n_stop;
}

int cli_generate(const cli_args *args)
{
    cli_session s = { 0 };
    result r = { .json = args->value[FLAG_JSON].set };
    int32_t *ids = NULL;
    size_t n;
    int status = EXIT_FAILED;
    if (!cli_one_prompt(args)) return EXIT_USAGE;
    if (!cli_open_ctx(args, &s) || !cli_open_model(args, &s) || !cli_open_tokenizer(args, &s, wants_text(args))) goto done;
    if (!cli_prompt_ids(args, &s, &ids, &n) || !cli_open_engine(args, &s, 1)) goto done;
    r.has_text = s.tokenizer;
    status = run(args, &s, ids, n, &r);
done:
    cli_close(&s);
    free(r.ids);
    free(r.text);
    free(ids);
    return status;
}
