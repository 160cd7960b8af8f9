/* The filter wordwrap: Python's textwrap.wrap over each line, with tabs and blanks as they are.
 * Called through the table of filters.
 * Source: Python 3.11, textwrap.TextWrapper. */
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/template/template.h"

/* One line as characters, cut into chunks that stay whole: [from, to) each, in order. */
typedef struct wrapper {
    tpl_render *r;
    tpl_value line;
    int32_t *code;
    uint32_t *at;                 /* byte of each character, and of the end */
    uint32_t n;
    uint32_t *ends, n_chunks;     /* where each chunk is over */
    int64_t width;
    bool breaks_words, breaks_hyphens;
    tpl_array *lines;
} wrapper;

static bool is_blank(int32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return c == '_' || (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) || k == UTF8PROC_CATEGORY_NL ||
           k == UTF8PROC_CATEGORY_NO;
}

static bool is_word(int32_t c)
{
    return is_letter(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

static bool is_word_or_mark(int32_t c)
{
    return is_word(c) || (c > 0 && c < 128 && strchr("!\"'&.,?", c));
}

/* Two or more dashes between words at i: how many. */
static uint32_t long_dash(const wrapper *w, uint32_t i)
{
    uint32_t n = 0;
    if (!i || !is_word_or_mark(w->code[i - 1])) return 0;    /* within the dashes, which are counted once */
    while (i + n < w->n && w->code[i + n] == '-') n++;
    return n >= 2 && i + n < w->n && is_word(w->code[i + n]) ? n : 0;
}

/* A hyphen at i that a line may end behind: letters on both sides. */
static bool is_hyphen(const wrapper *w, uint32_t i)
{
    const int32_t *c = w->code;
    if (c[i] != '-' || i + 2 >= w->n || !is_letter(c[i + 1])) return false;
    bool after = is_letter(c[i + 2]) || (c[i + 2] == '-' && i + 3 < w->n && is_letter(c[i + 3]));
    bool before = i >= 2 && is_letter(c[i - 1]) && is_letter(c[i - 2]);
    return after && (before || (i >= 3 && is_letter(c[i - 3]) && c[i - 2] == '-' && is_word_or_mark(c[i - 1])));
}

/* Where the chunk that begins at i is over. */
static uint32_t chunk_end(const wrapper *w, uint32_t i)
{
    bool blank = is_blank(w->code[i]);
    uint32_t dash = blank || !w->breaks_hyphens ? 0 : long_dash(w, i);
    if (dash) return i + dash;
    for (i++; i < w->n && is_blank(w->code[i]) == blank; i++) {
        if (blank || !w->breaks_hyphens) continue;
        if (is_hyphen(w, i)) return i + 1;
        if (long_dash(w, i)) return i;
    }
    return i;
}

static bool read_line(wrapper *w, tpl_value line)
{
    tpl_render *r = w->r;
    w->line = line;
    w->n = w->n_chunks = 0;
    w->code = tpl_get(&r->pool, line.n + 1, sizeof *w->code);
    w->at = tpl_get(&r->pool, line.n + 1, sizeof *w->at);
    w->ends = tpl_get(&r->pool, line.n + 1, sizeof *w->ends);
    if (!w->code || !w->at || !w->ends || !tpl_work(&r->pool, line.n)) return false;
    for (size_t at = 0; at < line.n;) {
        w->at[w->n] = (uint32_t)at;
        w->code[w->n++] = tpl_decode(tpl_data(line), line.n, &at);
    }
    w->at[w->n] = line.n;
    for (uint32_t i = 0; i < w->n; i = w->ends[w->n_chunks++]) w->ends[w->n_chunks] = chunk_end(w, i);
    return true;
}

/* Blank as Python's str.strip sees it. */
static bool all_space(const wrapper *w, uint32_t from, uint32_t to)
{
    while (from < to && tpl_is_space(w->code[from])) from++;
    return from == to;
}

/* How much of the chunk [from, to), longer than a line, fits the space that is left: up to its last
 * hyphen, if there is one. */
static uint32_t break_word(const wrapper *w, uint32_t from, uint32_t to, uint32_t space)
{
    uint32_t end = from + space, hyphen = 0, i;
    if (!w->breaks_hyphens || to - from <= space) return end > to ? to : end;
    for (i = from; i < end; i++)
        if (w->code[i] == '-') hyphen = i;
    for (i = from; i < hyphen && w->code[i] == '-'; i++) continue;
    return hyphen > from && i < hyphen ? hyphen + 1 : end;
}

static bool wrap_line(wrapper *w)
{
    uint32_t at = 0, chunk = 0, first_line = w->lines->used;
    while (at < w->n) {
        uint32_t from, end, last;
        if (w->lines->used > first_line && all_space(w, at, w->ends[chunk])) at = w->ends[chunk++];
        from = end = last = at;                              /* last: where the last chunk of the line begins */
        while (chunk < w->n_chunks && w->ends[chunk] - from <= w->width) {
            last = end;
            end = w->ends[chunk++];
        }
        if (chunk < w->n_chunks && w->ends[chunk] - end > w->width) {
            uint32_t space = (uint32_t)(w->width - (end - from));
            if (w->breaks_words) {
                last = end;
                end = break_word(w, end, w->ends[chunk], space);
            } else if (end == from) {
                last = end;
                end = w->ends[chunk++];
            }
        }
        at = end;
        if (end > last && all_space(w, last, end)) end = last;
        if (end > from && !tpl_append(&w->r->pool, w->lines, tpl_cut(w->line, w->at[from], w->at[end]))) return false;
        if (!tpl_work(&w->r->pool, 1)) return false;
    }
    return true;
}

static bool read_options(wrapper *w, tpl_value *slots)
{
    if (slots[0].kind != TPL_MISSING && !tpl_is_whole(slots[0]))
        return tpl_raise(w->r, "TypeError", "'<=' not supported between instances of '%s' and 'int'",
                         tpl_type_name(slots[0]));
    w->width = slots[0].kind == TPL_MISSING ? 79 : tpl_whole(slots[0]);
    w->breaks_words = slots[1].kind == TPL_MISSING || tpl_truth(slots[1]);
    w->breaks_hyphens = slots[3].kind == TPL_MISSING || (slots[3].kind == TPL_BOOL && slots[3].b);
    if (slots[2].kind == TPL_MISSING || slots[2].kind == TPL_NONE) return tpl_str(&w->r->pool, "\n", &slots[2]);
    return slots[2].kind == TPL_STR ||
           tpl_raise(w->r, "AttributeError", "'%s' object has no attribute 'join'", tpl_type_name(slots[2]));
}

bool tpl_wordwrap(tpl_render *r, tpl_value v, const tpl_args *args, tpl_value *out)
{
    tpl_value slots[4], given, whole, lines;
    wrapper w = { .r = r, .lines = tpl_array_new(&r->pool, 4) };
    tpl_array *paragraphs = tpl_array_new(&r->pool, 4);
    if (!w.lines || !paragraphs ||
        !tpl_bind(r, "do_wordwrap", args, "width break_long_words wrapstring break_on_hyphens", 0, slots))
        return false;
    if (v.kind == TPL_UNDEFINED) return tpl_fail_undefined(r, v);
    if (v.kind != TPL_STR)
        return tpl_raise(r, "AttributeError", "'%s' object has no attribute 'splitlines'", tpl_type_name(v));
    if (!read_options(&w, slots) || !tpl_find_method(TPL_STR, "splitlines")->run(r, v, &(tpl_args){ 0 }, &given))
        return false;
    for (uint32_t i = 0; i < given.n; i++) {
        if (w.width <= 0) return tpl_raise(r, "ValueError", "invalid width %lld (must be > 0)", (long long)w.width);
        if (!(w.lines = tpl_array_new(&r->pool, 4)) || !read_line(&w, tpl_items(given)[i]) || !wrap_line(&w))
            return false;
        lines = tpl_list_of(w.lines, TPL_LIST);
        if (!tpl_find_method(TPL_STR, "join")->run(r, slots[2], &(tpl_args){ .positional = &lines, .n = 1 }, &whole))
            return false;
        if (!tpl_append(&r->pool, paragraphs, whole)) return false;
    }
    lines = tpl_list_of(paragraphs, TPL_LIST);
    return tpl_find_method(TPL_STR, "join")->run(r, slots[2], &(tpl_args){ .positional = &lines, .n = 1 }, out);
}
