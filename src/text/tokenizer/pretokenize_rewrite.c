/* Pre-tokenizers that rewrite the text: ByteLevel and Metaspace; and ByteLevel's alphabet, which
 * its normalizer and decoder share. */
#include <string.h>

#include "base/ctx.h"
#include "text/tokenizer/pretokenize.h"
#include "text/utf8.h"

/* GPT-2's alphabet (openai/gpt-2, encoder.py): the printable bytes of Latin-1 stand for themselves,
 * the other 68 are U+0100 and up, in order. */
static bool is_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

static unsigned stand_in(unsigned byte)
{
    if (is_itself(byte)) return byte;
    if (byte <= 0x20) return 0x100 + byte;
    return byte == 0xad ? 0x143 : 0x121 + (byte - 0x7f);
}

size_t byte_level_put(char *out, unsigned char byte)
{
    return utf8_put(out, stand_in(byte));
}

int byte_level_byte(uint32_t c)
{
    if (c < 0x100) return is_itself(c) ? (int)c : -1;
    if (c > 0x143) return -1;
    if (c == 0x143) return 0xad;
    return c <= 0x120 ? (int)(c - 0x100) : (int)(c - 0x121 + 0x7f);
}

const char byte_level_expression[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| "
                                     "?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static tern_status blank_before(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    (void)c;
    if (p->text->data[begin] != ' ') TERN_TRY(aligned_put(p->ctx, p->spare, p->text, begin, " ", 1));
    TERN_TRY(aligned_copy(p->ctx, p->spare, p->text, begin, end));
done:
    return st;
}

static tern_status cut_by_expression(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = segments_by_pattern(p, c->match, begin, end);
    return st ? st : pretokenize_cut(p, SPLIT_ISOLATED, false);
}

static tern_status bytes_of(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    aligned *out = p->spare;
    (void)c;
    TERN_TRY(aligned_reserve(p->ctx, out, 2 * (end - begin)));
    if (out->mode == ALIGN_NONE) {
        for (size_t i = begin; i < end; i++)
            out->n += byte_level_put(out->data + out->n, (unsigned char)p->text->data[i]);
        return st;
    }
    for (size_t i = begin; i < end; i++) {
        char stand[4];
        size_t n = byte_level_put(stand, (unsigned char)p->text->data[i]);
        TERN_TRY(aligned_put(p->ctx, out, p->text, i, stand, n));
    }
done:
    return st;
}

tern_status pretokenize_byte_level(pretokenizing *p, component *c)
{
    tern_status st = TERN_OK;
    if (c->add_prefix_space) TERN_TRY(pretokenize_each(p, c, true, blank_before));
    if (c->match) TERN_TRY(pretokenize_each(p, c, false, cut_by_expression));
    TERN_TRY(pretokenize_each(p, c, true, bytes_of));
done:
    return st;
}

/* Blanks become the mark; the mark comes first if the scheme says so and it is not there yet. */
static tern_status mark_blanks(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = TERN_OK;
    const char *data = p->text->data;
    bool marked = data[begin] == ' ' || (end - begin >= c->n_text && !memcmp(data + begin, c->text, c->n_text)),
        prepend = c->prepend == PREPEND_ALWAYS;
    if (!marked && c->prepend == PREPEND_FIRST) {
        size_t from, to;
        aligned_origin(p->text, begin, begin + 1, &from, &to);
        prepend = from == 0;
    }
    if (!marked && prepend) TERN_TRY(aligned_put(p->ctx, p->spare, p->text, begin, c->text, c->n_text));
    while (begin < end) {
        const char *blank = memchr(data + begin, ' ', end - begin);
        size_t stop = blank ? (size_t)(blank - data) : end;
        TERN_TRY(aligned_copy(p->ctx, p->spare, p->text, begin, stop));
        if (blank) TERN_TRY(aligned_put(p->ctx, p->spare, p->text, stop, c->text, c->n_text));
        begin = stop + (blank != NULL);
    }
done:
    return st;
}

static tern_status cut_at_marks(pretokenizing *p, component *c, size_t begin, size_t end)
{
    tern_status st = segments_by_pattern(p, c->match, begin, end);
    return st ? st : pretokenize_cut(p, SPLIT_MERGED_WITH_NEXT, false);
}

tern_status pretokenize_metaspace(pretokenizing *p, component *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(pretokenize_each(p, c, true, mark_blanks));
    if (c->split) TERN_TRY(pretokenize_each(p, c, false, cut_at_marks));
done:
    return st;
}
