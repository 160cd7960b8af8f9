/* Lines of text as token ids: see texts.h. */
#include "cli/texts.h"

#include <stdlib.h>
#include <string.h>

/* Cuts text into lines in place; a last line without its end counts, an empty rest does not. */
static bool cut_lines(cli_texts *t, size_t n_bytes)
{
    size_t room = 0;
    char *end = t->text + n_bytes;
    for (char *line = t->text; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        if (t->n == room) {
            room = room ? 2 * room : 64;
            const char **more = realloc(t->lines, room * sizeof *more);
            if (!more) return false;
            t->lines = more;
        }
        *stop = 0;
        t->lines[t->n++] = line;
        line = stop + 1;
    }
    return true;
}

static char *joined(const char *prefix, const char *line)
{
    size_t n = strlen(prefix), m = strlen(line);
    char *text = malloc(n + m + 1);
    if (!text) return NULL;
    memcpy(text, prefix, n);
    memcpy(text + n, line, m + 1);
    return text;
}

static bool keep(const tern_encoding *e, bool types, tern_embed_input *input)
{
    int32_t *ids = malloc((2 * e->n + 1) * sizeof *ids);
    if (!ids) return false;
    for (size_t i = 0; i < e->n; i++) {
        ids[i] = e->ids[i];
        ids[e->n + i] = e->info[i].type_id;
    }
    *input = (tern_embed_input){ .ids = ids, .type_ids = types ? ids + e->n : NULL, .n_ids = e->n };
    return true;
}

static bool encode(cli_session *s, const cli_texts_how *how, const char *first, const char *second, tern_encoding *e, tern_embed_input *input)
{
    tern_encode_options options = { .add_special = true, .detail = true, .no_truncation = true, .pair = second, .n_pair_bytes = second ? strlen(second) : 0,
                                    .max_tokens = (size_t)how->max_tokens, .lower_case = how->lower_case };
    if (tern_tokenizer_encode(s->tokenizer, first, strlen(first), &options, e)) {
        cli_fail_ctx(s);
        return false;
    }
    if (keep(e, tern_tokenizer_gives_types(s->tokenizer), input)) return true;
    cli_fail("no memory for %zu tokens", e->n);
    return false;
}

/* The tokens of the prompt, as a Pooling module that leaves them out counts them: those of the prompt alone, without the special token at their end. */
static bool count_prompt(cli_session *s, const cli_texts_how *how, tern_encoding *e, size_t *n)
{
    tern_embed_input prompt = { 0 };
    bool ok = encode(s, how, how->prefix, NULL, e, &prompt);
    *n = prompt.n_ids;
    if (*n && tern_tokenizer_is_special(s->tokenizer, prompt.ids[*n - 1])) --*n;
    free((void *)prompt.ids);
    return ok;
}

cli_texts_how cli_texts_how_of(const cli_args *args, const tern_embedder *embedder)
{
    return (cli_texts_how){ .prefix = tern_embedder_prompt(embedder, args->value[FLAG_PROMPT_NAME].text), .lower_case = tern_embedder_lower_case(embedder),
                            .max_tokens = args->value[FLAG_TRUNCATE].set ? tern_embedder_max_tokens(embedder) : 0 };
}

bool cli_texts_read(cli_session *s, const cli_texts_how *how, cli_texts *t)
{
    const char *prefix = how->prefix ? how->prefix : "";
    tern_encoding e = { 0 };
    size_t n_prompt = 0;
    size_t n_bytes;
    bool ok = true;
    *t = (cli_texts){ 0 };
    if (!cli_read("-", &t->text, &n_bytes)) return false;
    if (!cut_lines(t, n_bytes) || !(t->inputs = calloc(t->n + 1, sizeof *t->inputs))) {
        cli_fail("no memory for the lines");
        return false;
    }
    if (*prefix) ok = count_prompt(s, how, &e, &n_prompt);
    for (size_t i = 0; ok && i < t->n; i++) {
        char *text = joined(prefix, how->query ? how->query : t->lines[i]);
        if (!text) cli_fail("no memory for a line");
        ok = text && encode(s, how, text, how->query ? t->lines[i] : NULL, &e, &t->inputs[i]);
        t->inputs[i].n_prompt = n_prompt;
        free(text);
    }
    tern_encoding_free(&e);
    return ok;
}

bool cli_texts_of_ids(const cli_args *args, cli_texts *t)
{
    const char *ids = args->value[FLAG_IDS].text, *types = args->value[FLAG_TYPE_IDS].text, *bad;
    int32_t *list = NULL, *type_list = NULL;
    size_t n = 0, n_types = 0;
    *t = (cli_texts){ .inputs = calloc(1, sizeof *t->inputs), .n = 1 };
    bool ok = t->inputs && cli_parse_ids(ids, strlen(ids), &list, &n, &bad) && (!types || cli_parse_ids(types, strlen(types), &type_list, &n_types, &bad));
    int32_t *both = ok ? calloc(2 * n + 1, sizeof *both) : NULL;
    if (!both) {
        cli_fail("no memory for the token ids");
    } else if (types && n_types != n) {
        cli_fail("--type-ids has %zu numbers and --ids %zu", n_types, n);
        ok = false;
    } else {
        memcpy(both, list, n * sizeof *both);
        if (types) memcpy(both + n, type_list, n * sizeof *both);
        *t->inputs = (tern_embed_input){ .ids = both, .type_ids = both + n, .n_ids = n };
        both = NULL;
    }
    free(both);
    free(list);
    free(type_list);
    return ok && t->inputs->ids;
}

void cli_texts_free(cli_texts *t)
{
    for (size_t i = 0; t->inputs && i < t->n; i++) free((void *)t->inputs[i].ids);
    free(t->inputs);
    free(t->lines);
    free(t->text);
    *t = (cli_texts){ 0 };
}
