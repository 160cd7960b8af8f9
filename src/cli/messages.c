/* Messages to text and ids: see messages.h. */
#include "cli/messages.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/stand_in.h"

bool cli_open_template(const cli_args *args, cli_session *s, tern_template **out)
{
    const char *file = args->value[FLAG_TEMPLATE].text;
    char *text, buffer[PATH_MAX];
    size_t n_bytes;
    tern_status st;
    if (file) {
        if (!cli_read(file, &text, &n_bytes)) return false;
        st = tern_check_not_pointer(s->ctx, file, text, n_bytes);
        if (!st) st = tern_template_parse(s->ctx, file, text, n_bytes, out);
        free(text);
    } else {
        const char *dir = cli_model_dir(args, buffer, sizeof buffer);
        if (!dir) return false;
        st = tern_template_open(s->ctx, dir, out);
        if (!st && !*out) {
            cli_fail("%s: no chat template; --template names a file with one", dir);
            return false;
        }
    }
    if (st) cli_fail_ctx(s);
    return !st;
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
    char *more = object && !json_object_set_new(object, "add_generation_prompt", json_true()) ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
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
