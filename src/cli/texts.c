/* Lines of text as token ids: see texts.h. */
#include "cli/texts.h"

#include <stdlib.h>
#include <string.h>

/* Cuts text into lines in place; a last line without its end counts, an empty rest does not. */
static bool cut_lines(cli_texts *t, size_t n_bytes)
{
    size_t capacity = 0;
    char *end = t->text + n_bytes;
    for (char *line = t->text; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        if (t->n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            cli_line *more = realloc(t->lines, capacity * sizeof *more);
            if (!more) return false;
            t->lines = more;
        }
        t->lines[t->n++] = (cli_line){ line, (size_t)(stop - line) };
        line = stop + 1;
    }
    return true;
}

static char *joined(const char *prefix, size_t n_prefix, cli_line line)
{
    char *text = malloc(n_prefix + line.n_bytes + 1);
    if (!text) return NULL;
    memcpy(text, prefix, n_prefix);
    if (line.n_bytes) memcpy(text + n_prefix, line.text, line.n_bytes);
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

/* first, and with pair its second. */
static tern_status encode(cli_session *s, const cli_texts_how *how, cli_line first, const cli_line *pair,
                          tern_encoding *e, tern_embed_input *input)
{
    tern_encode_options options = { .add_special = true, .detail = true, .pair = pair ? pair->text : NULL,
                                    .n_pair_bytes = pair ? pair->n_bytes : 0,
                                    .max_tokens = (size_t)how->max_tokens, .lower_case = how->lower_case };
    tern_status st = tern_tokenizer_encode(s->tokenizer, first.text, first.n_bytes, &options, e);
    if (st) return st;
    if (keep(e, tern_tokenizer_gives_types(s->tokenizer), input)) return TERN_OK;
    return TERN_ERR_MEMORY;
}

static bool fail_encoding(const cli_session *s, tern_status st)
{
    if (st == TERN_ERR_MEMORY) cli_fail("no memory for the tokens of a text");
    else cli_fail_ctx(s);
    return false;
}

/* The tokens of the prompt, as a Pooling module that leaves them out counts them: those of the
 * prompt alone, without the special token at their end. */
static bool count_prompt(cli_session *s, const cli_texts_how *how, tern_encoding *e, size_t *n)
{
    tern_embed_input prompt = { 0 };
    tern_status st = encode(s, how, (cli_line){ how->prefix, strlen(how->prefix) }, NULL, e, &prompt);
    if (st) return fail_encoding(s, st);
    *n = prompt.n_ids;
    if (*n && tern_tokenizer_is_special(s->tokenizer, prompt.ids[*n - 1])) --*n;
    free((void *)prompt.ids);
    return true;
}

bool cli_texts_how_of(const cli_args *args, const tern_embedder *embedder, cli_texts_how *how)
{
    const char *name = args->value[FLAG_PROMPT_NAME].text;
    *how = (cli_texts_how){ .prefix = tern_embedder_prompt(embedder, name),
                            .lower_case = tern_embedder_lower_case(embedder) };
    if (args->value[FLAG_TRUNCATE].set) how->max_tokens = tern_embedder_max_tokens(embedder);
    if (name && !how->prefix) cli_fail("the model has no prompt \"%s\"", name);
    return !name || how->prefix;
}

/* One line, or a query and a line; with the prefix before the first of them. */
static tern_status read_line(cli_session *s, const cli_texts_how *how, const cli_line *line, tern_encoding *e,
                             tern_embed_input *input)
{
    const char *prefix = how->prefix ? how->prefix : "";
    size_t n_prefix = strlen(prefix);
    cli_line first = how->query ? (cli_line){ how->query, strlen(how->query) } : *line;
    char *text = joined(prefix, n_prefix, first);
    if (!text) return TERN_ERR_MEMORY;
    tern_status st = encode(s, how, (cli_line){ text, n_prefix + first.n_bytes }, how->query ? line : NULL, e, input);
    free(text);
    return st;
}

bool cli_texts_read(cli_session *s, const cli_texts_how *how, cli_texts *t)
{
    tern_encoding e = { 0 };
    size_t n_prompt = 0, n_bytes;
    bool ok = true;
    *t = (cli_texts){ 0 };
    if (!cli_read("-", &t->text, &n_bytes)) return false;
    if (!cut_lines(t, n_bytes) || !(t->inputs = calloc(t->n + 1, sizeof *t->inputs))) {
        cli_fail("no memory for the lines");
        return false;
    }
    if (how->prefix && *how->prefix) ok = count_prompt(s, how, &e, &n_prompt);
    for (size_t i = 0; ok && i < t->n; i++) {
        tern_status st = read_line(s, how, &t->lines[i], &e, &t->inputs[i]);
        t->inputs[i].n_prompt = n_prompt;
        if (!st) continue;
        ok = cli_texts_is_own(st);
        t->failed = true;
        if (ok) cli_texts_complain(s, t, i);
        else fail_encoding(s, st);
    }
    tern_encoding_free(&e);
    return ok;
}

bool cli_texts_of_ids(const cli_args *args, const cli_session *s, cli_texts *t)
{
    tern_model_info info = tern_model_get_info(s->model);
    const char *ids = args->value[FLAG_IDS].text, *types = args->value[FLAG_TYPE_IDS].text, *bad;
    int32_t *list = NULL, *type_list = NULL;
    size_t n = 0, n_types = 0;
    *t = (cli_texts){ .inputs = calloc(1, sizeof *t->inputs), .n = 1 };
    bool ok = t->inputs && cli_parse_ids(ids, strlen(ids), &list, &n, &bad) &&
              (!types || cli_parse_ids(types, strlen(types), &type_list, &n_types, &bad));
    if (types && !info.n_type) {
        cli_fail("--type-ids: %s has no token types", info.architecture);
        free(list);
        free(type_list);
        return false;
    }
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
