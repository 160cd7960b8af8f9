/* The normaliser Precompiled, as the tokenizers library runs SentencePiece's table: by grapheme first, then by character. Called through normalize.c. */
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/charsmap.h"
#include "text/normalize.h"
#include "text/utf8.h"

enum { GRAPHEME_MOST = 5 };    /* bytes; a longer grapheme is only looked at character by character */

/* Appends the replacement of in[begin, end): its characters take the places of the old ones in turn, and what is too much the last one's. */
static tern_status put(tern_ctx *ctx, const aligned *in, aligned *out, size_t begin, size_t end, const char *text, size_t n)
{
    tern_status st = TERN_OK;
    size_t src = begin, length, next;
    for (size_t at = 0; at < n; at += length) {
        length = utf8_length((unsigned char)text[at]);
        TERN_TRY(aligned_put(ctx, out, in, src, text + at, length));
        next = src + utf8_length((unsigned char)in->data[src]);
        if (next < end) src = next;
    }
done:
    return st;
}

static tern_status by_character(tern_ctx *ctx, component *c, const aligned *in, aligned *out, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    size_t length, used, n;
    for (size_t at = begin; at < end; at += length) {
        length = utf8_length((unsigned char)in->data[at]);
        const char *text = charsmap_find(c->map, in->data + at, length, false, &used, &n);
        if (text) TERN_TRY(put(ctx, in, out, at, at + length, text, n));
        else TERN_TRY(aligned_copy(ctx, out, in, at, at + length));
    }
done:
    return st;
}

tern_status normalize_precompiled(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
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
        const char *text = at - begin <= GRAPHEME_MOST ? charsmap_find(c->map, in->data + begin, at - begin, false, &used, &n) : NULL;
        if (text) TERN_TRY(put(ctx, in, out, begin, at, text, n));
        else TERN_TRY(by_character(ctx, c, in, out, begin, at));
        begin = at;
        state = 0;
    }
done:
    return st;
}
