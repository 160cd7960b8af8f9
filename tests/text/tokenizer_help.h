/* What the tokenizer tests share: a context, the golden folders, comparing ids with a message that
 * says where. */
#ifndef TERN_TESTS_TOKENIZER_HELP_H
#define TERN_TESTS_TOKENIZER_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tokenizer.h>

static inline tern_ctx *make_ctx(void)
{
    tern_ctx *ctx;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx), TERN_OK);
    return ctx;
}

static inline tern_tokenizer *open_golden(tern_ctx *ctx, const char *name)
{
    char dir[512];
    tern_tokenizer *tok = NULL;
    snprintf(dir, sizeof dir, "%s/tokenizers/%s", TERN_GOLDEN, name);
    if (tern_tokenizer_open(ctx, dir, &tok)) fail_msg("%s: %s", name, tern_ctx_error(ctx));
    return tok;
}

/* Fails with both lists where they differ. */
static inline void check_ids(const char *what, const char *text, const int32_t *got, size_t n_got,
                             const json_t *want)
{
    bool same = n_got == json_array_size(want);
    for (size_t i = 0; same && i < n_got; i++)
        same = got[i] == json_integer_value(json_array_get(want, i));
    if (same) return;
    fprintf(stderr, "%s of \"%.300s\"\n  got ", what, text);
    for (size_t i = 0; i < n_got && i < 100; i++) fprintf(stderr, " %d", got[i]);
    fprintf(stderr, "\n  want");
    for (size_t i = 0; i < json_array_size(want) && i < 100; i++)
        fprintf(stderr, " %d", (int)json_integer_value(json_array_get(want, i)));
    fail_msg("ids differ");
}

static inline void check_text(const char *what, const char *from, const char *got, size_t n_got,
                              const json_t *want)
{
    if (n_got == json_string_length(want) && !memcmp(got, json_string_value(want), n_got)) return;
    fail_msg("%s of \"%.300s\": got \"%.*s\", want \"%s\"", what, from, (int)n_got, got,
             json_string_value(want));
}

static inline int32_t *read_ids(const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    int32_t *ids = malloc((*n + 1) * sizeof *ids);
    for (size_t i = 0; i < *n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ids;
}

#endif
