/* The normalizer Precompiled, as the tokenizers library runs SentencePiece's table: by grapheme
 * first, then by character. Called through normalize.c. */
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/transform.h"
#include "text/utf8.h"

enum { GRAPHEME_MOST = 5 };    /* bytes; a longer grapheme is only looked at character by character */

static size_t count(const char *text, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++) chars += !utf8_continues(text[i]);
    return chars;
}

/* A replacement of old_chars characters: what is more than they were is added, what is less goes to
 * the last one. */
static tern_status put(transform *t, size_t old_chars, const char *text, size_t n)
{
    tern_status st = TERN_OK;
    size_t chars = count(text, n), length, i = 0;
    for (size_t at = 0; at < n; at += length, i++) {
        uint32_t c = utf8_get(text + at, &length);
        TERN_TRY(transform_put(t, c, i >= old_chars));
    }
    if (chars < old_chars) transform_adjust(t, (int64_t)chars - (int64_t)old_chars);
done:
    return st;
}

static tern_status by_character(transform *t, component *c, const aligned *in, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    size_t length, used, n;
    for (size_t at = begin; at < end; at += length) {
        uint32_t ch = utf8_get(in->data + at, &length);
        const char *text = charsmap_find(c->map, in->data + at, length, false, &used, &n);
        if (text) TERN_TRY(put(t, 1, text, n));
        else TERN_TRY(transform_put(t, ch, 0));
    }
done:
    return st;
}

tern_status normalize_precompiled(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    transform t = { .ctx = ctx, .in = in, .out = out };
    size_t begin = 0, at = 0, length, used, n;
    utf8proc_int32_t state = 0;
    while (begin < in->n) {
        uint32_t ch = utf8_get(in->data + at, &length), next = 0;
        size_t next_length;
        at += length;
        if (at < in->n) {
            next = utf8_get(in->data + at, &next_length);
            if (!utf8proc_grapheme_break_stateful((utf8proc_int32_t)ch, (utf8proc_int32_t)next, &state)) continue;
        }
        const char *text = at - begin <= GRAPHEME_MOST
                               ? charsmap_find(c->map, in->data + begin, at - begin, false, &used, &n) : NULL;
        if (text) TERN_TRY(put(&t, count(in->data + begin, at - begin), text, n));
        else TERN_TRY(by_character(&t, c, in, begin, at));
        begin = at;
        state = 0;
    }
    TERN_TRY(transform_end(&t));
done:
    return st;
}
