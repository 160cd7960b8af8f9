/* What the tests of chat templates share: a context, and parsing and rendering in one call. */
#ifndef TERN_TESTS_TEMPLATE_RIG_H
#define TERN_TESTS_TEMPLATE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tern/template.h>

#include "base/json.h"

static tern_ctx *ctx;

static int make_ctx(void **state)
{
    (void)state;
    return tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx);
}

static int free_ctx(void **state)
{
    (void)state;
    tern_ctx_free(ctx);
    return 0;
}

/* The spans are the whole text, in order, none empty, neighbours of different origin. */
static inline void check_spans_cover(const tern_rendered *r)
{
    const char *at = r->text;
    for (size_t i = 0; i < r->n_spans; i++) {
        assert_ptr_equal(r->spans[i].text, at);
        assert_true(r->spans[i].n_bytes > 0);
        if (i) assert_int_not_equal(r->spans[i].trusted, r->spans[i - 1].trusted);
        at += r->spans[i].n_bytes;
    }
    assert_ptr_equal(at, r->text + r->n_bytes);
}

static inline tern_status render_text(const char *text, const char *json, tern_rendered *out)
{
    tern_template *t = NULL;
    tern_status st = tern_template_parse(ctx, "t", text, strlen(text), &t);
    *out = (tern_rendered){ 0 };
    if (!st) st = tern_template_render(t, json, strlen(json), "2025-03-09T07:05:03", out);
    tern_template_free(t);
    return st;
}

#endif
