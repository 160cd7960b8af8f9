/* Lines of text through an embedder, each with an answer or an error of its own: see texts.h.
 * embed, classify and rerank call it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/texts.h"

enum { BATCH = 64 };

bool cli_texts_is_own(tern_status status)
{
    return status == TERN_ERR_ARGUMENT || status == TERN_ERR_LIMIT || status == TERN_ERR_NUMERIC;
}

const char *cli_texts_complain(const cli_session *s, const cli_texts *t, size_t i)
{
    static char message[1200];
    static const char named[] = "input 0";
    const char *text = tern_ctx_error(s->ctx);
    bool begins = !strncmp(text, named, sizeof named - 1);
    int n = t->text ? snprintf(message, sizeof message, "line %zu", i + 1)
                    : snprintf(message, sizeof message, "the input");
    snprintf(message + n, sizeof message - (size_t)n, "%s%s", begins ? "" : ": ",
             begins ? text + sizeof named - 1 : text);
    cli_fail("%s", message);
    return message;
}

void cli_texts_put_error(bool as_json, const char *why)
{
    json_out j = { 0 };
    if (!as_json) {
        putchar('\n');
        return;
    }
    out_open(&j, NULL, '{');
    out_word(&j, "error", why);
    out_close(&j);
}

typedef struct each {
    cli_session *s;
    tern_embedder *embedder;
    const cli_texts *t;
    cli_texts_run_fn *run;
    int64_t width;
    cli_texts_put_fn *put;
    void *user;
    float *out;    /* [BATCH, width] */
    int status;
} each;

/* False: nothing more can be computed, or written. */
static bool run_one(each *j, size_t i)
{
    const tern_embed_input *input = &j->t->inputs[i];
    const char *why = "it could not be encoded";
    tern_status st = input->ids ? j->run(j->embedder, input, 1, j->out) : TERN_ERR_ARGUMENT;
    if (!st) {
        j->put(j->user, i, j->out, NULL);
        return true;
    }
    j->status = EXIT_FAILED;
    if (!cli_texts_is_own(st)) {
        cli_fail_ctx(j->s);
        return false;
    }
    if (input->ids) why = cli_texts_complain(j->s, j->t, i);
    j->put(j->user, i, NULL, why);
    return true;
}

/* All at once; where that fails, one by one. */
static bool run_batch(each *j, size_t at, size_t n)
{
    bool all = true, more = true;
    for (size_t i = 0; i < n; i++) all = all && j->t->inputs[at + i].ids;
    all = all && n > 1 && j->run(j->embedder, j->t->inputs + at, n, j->out) == TERN_OK;
    for (size_t i = 0; i < n && more; i++) {
        if (all) j->put(j->user, at + i, j->out + i * (size_t)j->width, NULL);
        else more = run_one(j, at + i);
    }
    return more && cli_put("", 0);
}

int cli_texts_each(cli_session *s, tern_embedder *embedder, const cli_texts *t, cli_texts_run_fn *run, int64_t width,
                   cli_texts_put_fn *put, void *user)
{
    each j = { .s = s, .embedder = embedder, .t = t, .run = run, .width = width, .put = put, .user = user,
               .status = t->failed ? EXIT_FAILED : EXIT_OK };
    j.out = malloc(BATCH * (size_t)(width + 1) * sizeof *j.out);
    if (!j.out) return cli_fail("no memory for %d rows of %lld", BATCH, (long long)width);
    for (size_t at = 0, n; at < t->n; at += n) {
        n = t->n - at < BATCH ? t->n - at : BATCH;
        if (!run_batch(&j, at, n)) break;
    }
    free(j.out);
    return j.status;
}
