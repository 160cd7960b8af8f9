/* tern render: the text that a chat template makes of messages on standard input. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/template.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/session.h"

/* The template of --template, which needs no model, or else the model's own. */
static bool open_template(const cli_args *args, cli_session *s, tern_template **out)
{
    const char *file = args->value[FLAG_TEMPLATE].text;
    char *text, buffer[PATH_MAX];
    size_t n_bytes;
    tern_status st;
    if (file) {
        if (!cli_read(file, &text, &n_bytes)) return false;
        st = tern_template_parse(s->ctx, file, text, n_bytes, out);
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

/* Standard input with "add_generation_prompt": true, as text that free releases; null with a sentence where it is no JSON. */
static char *with_generation_prompt(cli_session *s, const char *input, size_t n_bytes)
{
    json_t *in = NULL, *object = NULL;
    char *text = NULL;
    if (tern_json_parse(s->ctx, "standard input", input, n_bytes, &in)) {
        cli_fail_ctx(s);
        return NULL;
    }
    object = json_is_array(in) ? json_pack("{s:O}", "messages", in) : json_incref(in);
    if (object && !json_object_set_new(object, "add_generation_prompt", json_true())) text = json_dumps(object, JSON_REAL_PRECISION(17));
    else if (!json_is_object(object)) text = strdup(input);    /* neither a list nor an object: the template says so */
    if (!text) cli_fail("no memory for the messages");
    json_decref(object);
    json_decref(in);
    return text;
}

static int render(const cli_args *args, cli_session *s, tern_template *template, char **input, size_t n_bytes)
{
    tern_rendered rendered = { 0 };
    if (args->value[FLAG_GENERATION_PROMPT].set) {
        char *more = with_generation_prompt(s, *input, n_bytes);
        if (!more) return EXIT_FAILED;
        free(*input);
        *input = more;
        n_bytes = strlen(more);
    }
    if (tern_template_render(template, *input, n_bytes, args->value[FLAG_NOW].text, &rendered)) return cli_fail_ctx(s);
    cli_put(rendered.text, rendered.n_bytes);
    tern_rendered_free(&rendered);
    return EXIT_OK;
}

int cli_render(const cli_args *args)
{
    cli_session s = { 0 };
    tern_template *template = NULL;
    char *input = NULL;
    size_t n_bytes;
    int status = EXIT_FAILED;
    if (cli_open_ctx(args, &s) && open_template(args, &s, &template) && cli_read("-", &input, &n_bytes)) status = render(args, &s, template, &input, n_bytes);
    tern_template_free(template);
    cli_close(&s);
    free(input);
    return status;
}
