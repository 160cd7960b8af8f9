/* tern tokenize and tern detokenize: text on standard input to ids, and back. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "text/tokenizer/tok.h"

static void print_ids(const tern_encoding *e)
{
    for (size_t i = 0; i < e->n; i++) printf("%s%d", i ? " " : "", e->ids[i]);
    putchar('\n');
}

static void print_json(const tern_encoding *e)
{
    json_out j = { 0 };
    out_open(&j, NULL, '{');
    out_open(&j, "ids", '[');
    for (size_t i = 0; i < e->n; i++) out_integer(&j, NULL, e->ids[i]);
    out_close(&j);
    out_open(&j, "tokens", '[');
    for (size_t i = 0; i < e->n; i++) out_string(&j, NULL, e->text + e->info[i].text_at, e->info[i].n_text_bytes);
    out_close(&j);
    out_close(&j);
}

/* What is asked for by a flag and not stated by tokenizer.json changes nothing, and may have been
 * meant to. */
static void tell_idle_flags(const cli_args *args, const tern_tokenizer *tok)
{
    if (args->value[FLAG_TRUNCATE].set && !tok->truncate.on)
        cli_say("warning: --truncate has no effect: tokenizer.json states no truncation");
    if (args->value[FLAG_PAD].set && !tok->pad.on)
        cli_say("warning: --pad has no effect: tokenizer.json states no padding");
}

int cli_tokenize(const cli_args *args)
{
    cli_session s = { 0 };
    tern_encoding encoding = { 0 };
    tern_encode_options options = { .add_special = !args->value[FLAG_NO_SPECIAL].set,
                                    .parse_special = args->value[FLAG_PARSE_SPECIAL].set,
                                    .truncate = args->value[FLAG_TRUNCATE].set, .pad = args->value[FLAG_PAD].set,
                                    .detail = args->value[FLAG_JSON].set };
    char *text = NULL;
    size_t n_bytes;
    int status = EXIT_FAILED;
    if (!cli_open_ctx(args, &s) || !cli_open_tokenizer(args, &s, true) || !cli_read("-", &text, &n_bytes)) goto done;
    tell_idle_flags(args, s.tokenizer);
    if (tern_tokenizer_encode(s.tokenizer, text, n_bytes, &options, &encoding) != TERN_OK) {
        cli_fail_ctx(&s);
        goto done;
    }
    if (args->value[FLAG_JSON].set) print_json(&encoding);
    else print_ids(&encoding);
    status = EXIT_OK;
done:
    tern_encoding_free(&encoding);
    cli_close(&s);
    free(text);
    return status;
}

static int detokenize(const cli_args *args, cli_session *s, const char *input, size_t n_input)
{
    int32_t *ids;
    size_t n, n_bytes;
    const char *bad;
    char *text = NULL;
    if (!cli_parse_ids(input, n_input, &ids, &n, &bad))
        return cli_fail("standard input: byte %zu begins no token id", (size_t)(bad - input));
    for (size_t i = 0, size = (size_t)tern_tokenizer_vocab_size(s->tokenizer); i < n; i++)
        if ((size_t)ids[i] >= size) {
            int id = (int)ids[i];
            free(ids);
            return cli_fail("standard input: token id %zu is %d, outside the vocabulary of %zu", i, id, size);
        }
    tern_status st = tern_tokenizer_decode(s->tokenizer, ids, n, args->value[FLAG_SKIP_SPECIAL].set, &text, &n_bytes);
    free(ids);
    if (st != TERN_OK) return cli_fail_ctx(s);
    if (args->value[FLAG_JSON].set) {
        json_out j = { 0 };
        out_open(&j, NULL, '{');
        out_string(&j, "text", text, n_bytes);
        out_close(&j);
    } else {
        cli_put(text, n_bytes);
    }
    tern_text_free(text);
    return EXIT_OK;
}

int cli_detokenize(const cli_args *args)
{
    cli_session s = { 0 };
    char *input = NULL;
    size_t n_input;
    int status = EXIT_FAILED;
    if (cli_open_ctx(args, &s) && cli_open_tokenizer(args, &s, true) && cli_read("-", &input, &n_input))
        status = detokenize(args, &s, input, n_input);
    cli_close(&s);
    free(input);
    return status;
}
