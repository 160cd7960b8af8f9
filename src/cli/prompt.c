/* The prompt of a model command as token ids: of --ids, --prompt or --file. generate.c and logits.c
 * call it. */
#include <stdlib.h>
#include <string.h>
#include <limits.h>

#include "base/directory.h"
#include "cli/session.h"

bool cli_open_tokenizer(const cli_args *args, cli_session *s, bool required)
{
    char buffer[PATH_MAX];
    const char *dir = cli_model_dir(args, buffer, sizeof buffer);
    if (!dir) return false;
    if (!required && !tern_directory_has_tokenizer(s->ctx, dir)) return true;
    if (tern_tokenizer_open(s->ctx, dir, &s->tokenizer) == TERN_OK) return true;
    if (required) cli_fail_ctx(s);
    else cli_say("warning: no text, only ids: %s", tern_ctx_error(s->ctx));
    return !required;
}

static bool copy_ids(const int32_t *from, size_t n, int32_t **ids)
{
    *ids = malloc((n ? n : 1) * sizeof **ids);
    if (!*ids) cli_fail("no memory for %zu token ids", n);
    else if (n) memcpy(*ids, from, n * sizeof **ids);
    return *ids;
}

static bool encode(cli_session *s, const char *text, size_t n_bytes, int32_t **ids, size_t *n)
{
    tern_encoding encoding = { 0 };
    tern_encode_options options = { .add_special = true, .parse_special = true };
    bool ok = tern_tokenizer_encode(s->tokenizer, text, n_bytes, &options, &encoding) == TERN_OK;
    if (!ok) cli_fail_ctx(s);
    *n = encoding.n;
    ok = ok && copy_ids(encoding.ids, encoding.n, ids);
    tern_encoding_free(&encoding);
    return ok;
}

static bool begin_with_bos(cli_session *s, int32_t **ids, size_t *n)
{
    int32_t bos = tern_model_bos(s->model);
    if (bos < 0 && s->tokenizer) bos = tern_tokenizer_role(s->tokenizer, TERN_ROLE_BOS);
    if (bos < 0) {
        cli_fail("the prompt is empty, and this model has no beginning-of-sequence token to begin with: give -p, -f or "
                 "--ids");
        return false;
    }
    *n = 1;
    return copy_ids(&bos, 1, ids);
}

static bool text_ids(const cli_args *args, cli_session *s, int32_t **ids, size_t *n)
{
    const cli_value *prompt = &args->value[FLAG_PROMPT], *file = &args->value[FLAG_FILE];
    char *text = NULL;
    size_t n_bytes = prompt->set ? strlen(prompt->text) : 0;
    if (!s->tokenizer && !cli_open_tokenizer(args, s, true)) return false;
    if (file->set && !cli_read(file->text, &text, &n_bytes)) return false;
    bool ok = encode(s, file->set ? text : prompt->text, n_bytes, ids, n);
    free(text);
    return ok;
}

bool cli_prompt_ids(const cli_args *args, cli_session *s, int32_t **ids, size_t *n)
{
    const cli_value *given = &args->value[FLAG_IDS];
    const char *bad;
    *ids = NULL;
    *n = 0;
    if (given->set) {
        if (cli_parse_ids(given->text, strlen(given->text), ids, n, &bad)) return true;
        cli_fail("no memory for the token ids");
        return false;
    }
    if ((args->value[FLAG_PROMPT].set || args->value[FLAG_FILE].set) && !text_ids(args, s, ids, n)) return false;
    if (*n) return true;
    free(*ids);
    return begin_with_bos(s, ids, n);
}

bool cli_one_prompt(const cli_args *args)
{
    int n = args->value[FLAG_IDS].set + args->value[FLAG_PROMPT].set + args->value[FLAG_FILE].set;
    if (n > 1) cli_usage("-p, -f and --ids are three ways to give one prompt: only one of them can be there");
    return n <= 1;
}
