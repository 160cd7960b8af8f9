/* Messages to text and ids: see messages.h. */
#include "cli/messages.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/stand_in.h"

/* A file's template, with the special tokens of dir; null: none. */
static bool open_file(cli_session *s, const char *file, const char *dir, tern_template **out)
{
    char *text;
    size_t n_bytes;
    if (!cli_read(file, &text, &n_bytes)) return false;
    tern_status st = tern_check_not_pointer(s->ctx, file, text, n_bytes);
    if (!st) st = tern_template_parse(s->ctx, file, text, n_bytes, out);
    if (!st && dir) st = tern_template_take_tokens(*out, dir);
    if (st) cli_fail_ctx(s);
    free(text);
    return !st;
}

bool cli_open_template(const cli_args *args, cli_session *s, tern_template **out)
{
    char buffer[PATH_MAX];
    const char *file = args->value[FLAG_TEMPLATE].text, *dir = NULL;
    bool needs_dir = !file || s->model || args->value[FLAG_MODEL].set;
    if (needs_dir && !(dir = cli_model_dir(args, buffer, sizeof buffer))) return false;
    if (file) return open_file(s, file, dir, out);
    if (tern_template_open(s->ctx, dir, out)) cli_fail_ctx(s);
    else if (!*out) cli_fail("%s: no chat template; --template names a file with one", dir);
    return *out;
}

bool cli_add_generation_prompt(cli_session *s, char **text, size_t *n_bytes)
{
    json_t *in = NULL, *object;
    if (tern_json_parse_exact(s->ctx, "messages", *text, *n_bytes, &in)) {
        cli_fail_ctx(s);
        return false;
    }
    if (!json_is_array(in) && !json_is_object(in)) {    /* the template says what it wants */
        json_decref(in);
        return true;
    }
    object = json_is_array(in) ? json_pack("{s:O}", "messages", in) : json_incref(in);
    char *more = object && !json_object_set_new(object, "add_generation_prompt", json_true())
                     ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    json_decref(in);
    if (!more) {
        cli_fail("no memory for the messages");
        return false;
    }
    free(*text);
    *text = more;
    *n_bytes = strlen(more);
    return true;
}

bool cli_template_ids(cli_session *s, tern_template *t, const char *messages, size_t n_bytes, int32_t **ids, size_t *n)
{
    tern_rendered r = { 0 };
    tern_encoding e = { 0 };
    tern_encode_options options = { 0 };
    *ids = NULL;
    tern_status st = tern_template_render(t, messages, n_bytes, NULL, &r);
    if (!st) st = tern_tokenizer_encode_spans(s->tokenizer, r.spans, r.n_spans, &options, &e);
    if (st) {
        cli_fail_ctx(s);
    } else if (!(*ids = malloc((e.n + 1) * sizeof **ids))) {
        cli_fail("no memory for %zu token ids", e.n);
    } else {
        memcpy(*ids, e.ids, e.n * sizeof **ids);
        *n = e.n;
    }
    tern_encoding_free(&e);
    tern_rendered_free(&r);
    return *ids;
}
