/* tern logits: what the model gives for the next token, as numbers. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/session.h"

typedef struct rows {
    json_out *json;     /* null: lines of numbers */
    bool all;
    int64_t vocab;
    tern_finish finish;
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

static bool on_event(void *user, const tern_event *e)
{
    rows *r = user;
    if (e->logits) print_row(r, e->logits);
    r->finish = e->finish;
    if (e->finish == TERN_FINISH_ERROR) snprintf(r->error, sizeof r->error, "%s", e->error ? e->error : "the request failed");
    return !ferror(stdout);
}

static int run(const cli_args *args, cli_session *s, const int32_t *ids, size_t n)
{
    json_out json = { 0 };
    bool all = args->value[FLAG_ALL].set;
    rows r = { .json = args->value[FLAG_JSON].set ? &json : NULL, .all = all, .vocab = tern_model_get_info(s->model).vocab };
    tern_request request = { .ids = ids, .n_ids = n, .sampling = tern_sampling_greedy(), .logits = all ? TERN_LOGITS_ALL : TERN_LOGITS_LAST, .on_event = on_event, .user = &r };
    if (tern_engine_submit(s->engine, &request, NULL) != TERN_OK) return cli_fail_ctx(s);
    if (r.json) {
        out_open(&json, NULL, '{');
        out_open(&json, "logits", '[');
    }
    if (tern_engine_run(s->engine) != TERN_OK) return cli_fail_ctx(s);
    if (r.finish == TERN_FINISH_ERROR) return cli_fail("%s", r.error);
    if (r.json) {
        out_close(&json);
        out_close(&json);
    }
    return EXIT_OK;
}

int cli_logits(const cli_args *args)
{
    cli_session s = { 0 };
    int32_t *ids = NULL;
    size_t n;
    int status = EXIT_FAILED;
    if (!cli_one_prompt(args)) return EXIT_USAGE;
    if (cli_open_ctx(args, &s) && cli_open_model(args, &s) && cli_prompt_ids(args, &s, &ids, &n) && cli_open_engine(args, &s, 1)) status = run(args, &s, ids, n);
    cli_close(&s);
    free(ids);
    return status;
}
