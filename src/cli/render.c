/* tern render: the text that a chat template makes of messages on standard input. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/messages.h"

static int render(const cli_args *args, cli_session *s, tern_template *template, char **input, size_t n_bytes)
{
    tern_rendered rendered = { 0 };
    if (args->value[FLAG_GENERATION_PROMPT].set && !cli_add_generation_prompt(s, input, &n_bytes)) return EXIT_FAILED;
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
    if (cli_open_ctx(args, &s) && cli_open_template(args, &s, &template) && cli_read("-", &input, &n_bytes))
        status = render(args, &s, template, &input, n_bytes);
    tern_template_free(template);
    cli_close(&s);
    free(input);
    return status;
}
