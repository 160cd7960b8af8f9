/* Normalizers by letter: Lowercase, StripAccents, and BERT's, which puts several of them in a row.
 * Called through normalize.c. */
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/tokenizer/normalize.h"
#include "text/unicode.h"
#include "text/utf8.h"

static tern_status put_char(tern_ctx *ctx, aligned *out, const aligned *in, size_t src, uint32_t c)
{
    char text[4];
    return aligned_put(ctx, out, in, src, text, utf8_put(text, c));
}

tern_status normalize_lowercase(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    (void)c;
    TERN_TRY(aligned_reserve(ctx, out, in->n));
    for (size_t at = 0, length; at < in->n; at += length) {
        uint32_t ch = utf8_get(in->data + at, &length);
        if (ch < 0x80 && out->mode == ALIGN_NONE) {
            TERN_TRY(aligned_reserve(ctx, out, 1));
            out->data[out->n++] = (char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch);
            continue;
        }
        TERN_TRY(put_char(ctx, out, in, at, unicode_lower(ch)));
        /* the one letter whose lower case is two (SpecialCasing.txt) */
        if (ch == 0x130) TERN_TRY(put_char(ctx, out, in, at, 0x307));
    }
done:
    return st;
}

static tern_status drop(tern_ctx *ctx, const aligned *in, aligned *out, bool (*drops)(uint32_t c))
{
    tern_status st = TERN_OK;
    size_t from = 0;
    for (size_t at = 0, length; at < in->n; at += length) {
        uint32_t ch = utf8_get(in->data + at, &length);
        if (ch < 0x80 || !drops(ch)) continue;
        TERN_TRY(aligned_copy(ctx, out, in, from, at));
        from = at + length;
    }
    TERN_TRY(aligned_copy(ctx, out, in, from, in->n));
done:
    return st;
}

tern_status normalize_strip_accents(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    (void)c;
    return drop(ctx, in, out, unicode_is_mark);
}

static bool bert_drops(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r') return false;
    return !c || c == 0xfffd || (c < 0x80 ? c < 0x20 || c == 0x7f : unicode_is_control(c));
}

static tern_status clean_text(tern_ctx *ctx, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    for (size_t at = 0, length; at < in->n; at += length) {
        uint32_t c = utf8_get(in->data + at, &length);
        if (bert_drops(c)) continue;
        TERN_TRY(put_char(ctx, out, in, at, unicode_is_space(c) ? ' ' : c));
    }
done:
    return st;
}

static tern_status space_chinese(tern_ctx *ctx, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    for (size_t at = 0, length; at < in->n; at += length) {
        uint32_t c = utf8_get(in->data + at, &length);
        bool apart = c >= 0x3400 && unicode_is_chinese(c);
        if (apart) TERN_TRY(put_char(ctx, out, in, at, ' '));
        TERN_TRY(put_char(ctx, out, in, at, c));
        if (apart) TERN_TRY(put_char(ctx, out, in, at, ' '));
    }
done:
    return st;
}

/* One step of BERT's: in -> out, then the two change places. */
typedef struct ping_pong {
    aligned a, b;
    const aligned *in;
} ping_pong;

static aligned *next_buffer(ping_pong *p)
{
    aligned *out = p->in == &p->a ? &p->b : &p->a;
    aligned_clear(out, p->in->mode == ALIGN_NONE ? ALIGN_NONE : ALIGN_KEPT);
    return out;
}

tern_status normalize_bert(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    tern_status st = TERN_OK;
    ping_pong p = { .in = in };
    aligned *next;
    if (c->clean_text) {
        next = next_buffer(&p);
        TERN_TRY(clean_text(ctx, p.in, next));
        p.in = next;
    }
    if (c->chinese) {
        next = next_buffer(&p);
        TERN_TRY(space_chinese(ctx, p.in, next));
        p.in = next;
    }
    if (c->strip_accents) {
        next = next_buffer(&p);
        TERN_TRY(normalize_nfd(ctx, c, p.in, next));
        p.in = next;
        next = next_buffer(&p);
        TERN_TRY(drop(ctx, p.in, next, unicode_is_nonspacing));
        p.in = next;
    }
    if (c->lowercase) TERN_TRY(normalize_lowercase(ctx, c, p.in, out));
    else TERN_TRY(aligned_copy(ctx, out, p.in, 0, p.in->n));
done:
    aligned_free(&p.a);
    aligned_free(&p.b);
    return st;
}
