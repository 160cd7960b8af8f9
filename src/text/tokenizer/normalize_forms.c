/* The normal forms NFC, NFD, NFKC and NFKD, keeping track of where each character came from
 * (Unicode Standard Annex 15). Called through normalize.c; calls utf8proc for decompositions,
 * classes and pairs.
 *
 * The text is worked on in runs: characters up to the next one that begins afresh. A run is
 * decomposed, its marks are put in the order of their classes, and for the C forms it is composed
 * again. */
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/transform.h"
#include "text/unicode.h"
#include "text/utf8.h"

typedef struct mark {
    uint32_t c;
    int32_t change;        /* see transform.h */
    uint8_t combining;     /* canonical combining class */
} mark;

typedef struct former {
    tern_ctx *ctx;
    const aligned *in;
    aligned *out;
    mark *run, *sorted;
    size_t n, capacity, sorted_capacity;
    size_t begin;          /* byte of the input where the run begins */
    bool compat, compose;
} former;

static uint8_t combining_class(uint32_t c)
{
    if (c < 0x300) return 0;
    uint8_t k = (uint8_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
    return k && unicode_is_frozen(c) ? 0 : k;
}

static tern_status push(former *f, uint32_t c, int32_t change)
{
    if (f->n == f->capacity) {
        size_t capacity = f->capacity * 2 + 64;
        tern_status st = tern_grow(f->ctx, (void **)&f->run, capacity, sizeof *f->run, "a normal form");
        if (st) return st;
        f->capacity = capacity;
    }
    f->run[f->n++] = (mark){ c, change, combining_class(c) };
    return TERN_OK;
}

static tern_status decompose(former *f, uint32_t c, size_t at)
{
    tern_status st = TERN_OK;
    utf8proc_int32_t parts[32];
    int last = 0;
    if (!f->n) f->begin = at;
    if (c < 0xa0 || unicode_is_frozen(c)) return push(f, c, 0);
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 32,
                                                 UTF8PROC_DECOMPOSE | (f->compat ? UTF8PROC_COMPAT : 0), &last);
    if (n <= 0 || n > 32) return push(f, c, 0);
    for (utf8proc_ssize_t i = 0; i < n; i++) TERN_TRY(push(f, (uint32_t)parts[i], i > 0));
done:
    return st;
}

/* Puts every stretch of marks in the order of their classes, equal ones as they stand. */
static tern_status order(former *f)
{
    tern_status st = TERN_OK;
    for (size_t i = 0; i < f->n; i++) {
        if (!f->run[i].combining) continue;
        size_t begin = i, count[257] = { 0 };
        bool out_of_order = false;
        for (; i < f->n && f->run[i].combining; i++) {
            count[f->run[i].combining + 1]++;
            out_of_order |= i > begin && f->run[i].combining < f->run[i - 1].combining;
        }
        if (!out_of_order) continue;
        if (f->sorted_capacity < i - begin) {
            TERN_TRY(tern_grow(f->ctx, (void **)&f->sorted, i - begin, sizeof *f->sorted, "a normal form"));
            f->sorted_capacity = i - begin;
        }
        for (int k = 0; k < 256; k++) count[k + 1] += count[k];
        for (size_t k = begin; k < i; k++) f->sorted[count[f->run[k].combining]++] = f->run[k];
        memcpy(f->run + begin, f->sorted, (i - begin) * sizeof *f->run);
    }
done:
    return st;
}

/* The one character that a and b make, 0: none. */
static uint32_t pair(uint32_t a, uint32_t b)
{
    if (unicode_is_frozen(a) || unicode_is_frozen(b)) return 0;
    utf8proc_int32_t both[2] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };
    return utf8proc_normalize_utf32(both, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == 1 ? (uint32_t)both[0] : 0;
}

/* Composes the run: each character joins the last starter before it, unless one of its class or
 * higher stands between. */
static void compose(former *f)
{
    size_t kept = 0, starter = SIZE_MAX;
    int last = -1;         /* class of what was kept last behind the starter; -1: nothing stands between */
    for (size_t i = 0; i < f->n; i++) {
        mark m = f->run[i];
        uint32_t made = starter != SIZE_MAX && last < m.combining ? pair(f->run[starter].c, m.c) : 0;
        if (made) {
            f->run[starter].c = made;
            f->run[starter].change += m.change - 1;
            continue;
        }
        if (!m.combining) {
            starter = kept;
            last = -1;
        } else {
            last = m.combining;
        }
        f->run[kept++] = m;
    }
    f->n = kept;
}

static tern_status flush(former *f)
{
    tern_status st = TERN_OK;
    transform t = { .ctx = f->ctx, .in = f->in, .out = f->out, .at = f->begin };
    TERN_TRY(order(f));
    if (f->compose) compose(f);
    for (size_t i = 0; i < f->n; i++) TERN_TRY(transform_put(&t, f->run[i].c, f->run[i].change));
    TERN_TRY(transform_end(&t));
    f->n = 0;
done:
    return st;
}

/* True where a character begins afresh: nothing before it reaches it or it. Being wrongly false
 * costs time only. */
static bool begins(uint32_t c)
{
    return c < 0x300 || (c >= 0x3400 && c <= 0x9fff);
}

static tern_status form(tern_ctx *ctx, const aligned *in, aligned *out, bool compat, bool compose_again)
{
    tern_status st = TERN_OK;
    former f = { .ctx = ctx, .in = in, .out = out, .compat = compat, .compose = compose_again };
    /* below, every character stays as it is */
    uint32_t plain_below = 0xc0;
    if (compat) plain_below = 0xa0;
    else if (compose_again) plain_below = 0x300;
    size_t from = 0;
    for (size_t at = 0, length; at < in->n; at += length) {
        uint32_t c = utf8_get(in->data + at, &length), next = 0;
        size_t same;
        if (!begins(c)) {
            TERN_TRY(decompose(&f, c, at));
            from = at + length;
            continue;
        }
        if (f.n) TERN_TRY(flush(&f));
        if (at + length < in->n) next = utf8_get(in->data + at + length, &same);
        if ((c < plain_below || c >= 0x300) && begins(next)) continue;
        TERN_TRY(aligned_copy(ctx, out, in, from, at));
        TERN_TRY(decompose(&f, c, at));
        from = at + length;
    }
    TERN_TRY(flush(&f));
    TERN_TRY(aligned_copy(ctx, out, in, from, in->n));
done:
    tern_free(f.run);
    tern_free(f.sorted);
    return st;
}

tern_status normalize_nfc(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    (void)c;
    return form(ctx, in, out, false, true);
}

tern_status normalize_nfd(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    (void)c;
    return form(ctx, in, out, false, false);
}

tern_status normalize_nfkc(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    (void)c;
    return form(ctx, in, out, true, true);
}

tern_status normalize_nfkd(tern_ctx *ctx, component *c, const aligned *in, aligned *out)
{
    (void)c;
    return form(ctx, in, out, true, false);
}
