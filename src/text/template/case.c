/* Upper, lower and title case, and the is... methods of strings, over all of Unicode. Called
 * through the method table and by filters. Simple mappings and categories are utf8proc's; the table
 * holds the characters that become several (Unicode's SpecialCasing.txt, unconditional entries). */
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "text/template/template.h"

enum { UPPER = 0, TITLE = 1, LOWER = 2, SWAP = 3, FOLD = 4 };

static const struct special {
    int32_t code, upper[3], title[3];
} specials[] = {
    { 0xDF, { 0x53, 0x53 }, { 0x53, 0x73 } }, { 0x149, { 0x2BC, 0x4E }, { 0x2BC, 0x4E } },
    { 0x1F0, { 0x4A, 0x30C }, { 0x4A, 0x30C } },
    { 0x390, { 0x399, 0x308, 0x301 }, { 0x399, 0x308, 0x301 } },
    { 0x3B0, { 0x3A5, 0x308, 0x301 }, { 0x3A5, 0x308, 0x301 } },
    { 0x587, { 0x535, 0x552 }, { 0x535, 0x582 } }, { 0x1E96, { 0x48, 0x331 }, { 0x48, 0x331 } },
    { 0x1E97, { 0x54, 0x308 }, { 0x54, 0x308 } }, { 0x1E98, { 0x57, 0x30A }, { 0x57, 0x30A } },
    { 0x1E99, { 0x59, 0x30A }, { 0x59, 0x30A } }, { 0x1E9A, { 0x41, 0x2BE }, { 0x41, 0x2BE } },
    { 0x1F50, { 0x3A5, 0x313 }, { 0x3A5, 0x313 } }, { 0x1F52, { 0x3A5, 0x313, 0x300 }, { 0x3A5, 0x313, 0x300 } },
    { 0x1F54, { 0x3A5, 0x313, 0x301 }, { 0x3A5, 0x313, 0x301 } },
    { 0x1F56, { 0x3A5, 0x313, 0x342 }, { 0x3A5, 0x313, 0x342 } },
    { 0x1F80, { 0x1F08, 0x399 }, { 0x1F88 } }, { 0x1F81, { 0x1F09, 0x399 }, { 0x1F89 } },
    { 0x1F82, { 0x1F0A, 0x399 }, { 0x1F8A } },
    { 0x1F83, { 0x1F0B, 0x399 }, { 0x1F8B } }, { 0x1F84, { 0x1F0C, 0x399 }, { 0x1F8C } },
    { 0x1F85, { 0x1F0D, 0x399 }, { 0x1F8D } },
    { 0x1F86, { 0x1F0E, 0x399 }, { 0x1F8E } }, { 0x1F87, { 0x1F0F, 0x399 }, { 0x1F8F } },
    { 0x1F88, { 0x1F08, 0x399 }, { 0x1F88 } },
    { 0x1F89, { 0x1F09, 0x399 }, { 0x1F89 } }, { 0x1F8A, { 0x1F0A, 0x399 }, { 0x1F8A } },
    { 0x1F8B, { 0x1F0B, 0x399 }, { 0x1F8B } },
    { 0x1F8C, { 0x1F0C, 0x399 }, { 0x1F8C } }, { 0x1F8D, { 0x1F0D, 0x399 }, { 0x1F8D } },
    { 0x1F8E, { 0x1F0E, 0x399 }, { 0x1F8E } },
    { 0x1F8F, { 0x1F0F, 0x399 }, { 0x1F8F } }, { 0x1F90, { 0x1F28, 0x399 }, { 0x1F98 } },
    { 0x1F91, { 0x1F29, 0x399 }, { 0x1F99 } },
    { 0x1F92, { 0x1F2A, 0x399 }, { 0x1F9A } }, { 0x1F93, { 0x1F2B, 0x399 }, { 0x1F9B } },
    { 0x1F94, { 0x1F2C, 0x399 }, { 0x1F9C } },
    { 0x1F95, { 0x1F2D, 0x399 }, { 0x1F9D } }, { 0x1F96, { 0x1F2E, 0x399 }, { 0x1F9E } },
    { 0x1F97, { 0x1F2F, 0x399 }, { 0x1F9F } },
    { 0x1F98, { 0x1F28, 0x399 }, { 0x1F98 } }, { 0x1F99, { 0x1F29, 0x399 }, { 0x1F99 } },
    { 0x1F9A, { 0x1F2A, 0x399 }, { 0x1F9A } },
    { 0x1F9B, { 0x1F2B, 0x399 }, { 0x1F9B } }, { 0x1F9C, { 0x1F2C, 0x399 }, { 0x1F9C } },
    { 0x1F9D, { 0x1F2D, 0x399 }, { 0x1F9D } },
    { 0x1F9E, { 0x1F2E, 0x399 }, { 0x1F9E } }, { 0x1F9F, { 0x1F2F, 0x399 }, { 0x1F9F } },
    { 0x1FA0, { 0x1F68, 0x399 }, { 0x1FA8 } },
    { 0x1FA1, { 0x1F69, 0x399 }, { 0x1FA9 } }, { 0x1FA2, { 0x1F6A, 0x399 }, { 0x1FAA } },
    { 0x1FA3, { 0x1F6B, 0x399 }, { 0x1FAB } },
    { 0x1FA4, { 0x1F6C, 0x399 }, { 0x1FAC } }, { 0x1FA5, { 0x1F6D, 0x399 }, { 0x1FAD } },
    { 0x1FA6, { 0x1F6E, 0x399 }, { 0x1FAE } },
    { 0x1FA7, { 0x1F6F, 0x399 }, { 0x1FAF } }, { 0x1FA8, { 0x1F68, 0x399 }, { 0x1FA8 } },
    { 0x1FA9, { 0x1F69, 0x399 }, { 0x1FA9 } },
    { 0x1FAA, { 0x1F6A, 0x399 }, { 0x1FAA } }, { 0x1FAB, { 0x1F6B, 0x399 }, { 0x1FAB } },
    { 0x1FAC, { 0x1F6C, 0x399 }, { 0x1FAC } },
    { 0x1FAD, { 0x1F6D, 0x399 }, { 0x1FAD } }, { 0x1FAE, { 0x1F6E, 0x399 }, { 0x1FAE } },
    { 0x1FAF, { 0x1F6F, 0x399 }, { 0x1FAF } },
    { 0x1FB2, { 0x1FBA, 0x399 }, { 0x1FBA, 0x345 } }, { 0x1FB3, { 0x391, 0x399 }, { 0x1FBC } },
    { 0x1FB4, { 0x386, 0x399 }, { 0x386, 0x345 } }, { 0x1FB6, { 0x391, 0x342 }, { 0x391, 0x342 } },
    { 0x1FB7, { 0x391, 0x342, 0x399 }, { 0x391, 0x342, 0x345 } }, { 0x1FBC, { 0x391, 0x399 }, { 0x1FBC } },
    { 0x1FC2, { 0x1FCA, 0x399 }, { 0x1FCA, 0x345 } }, { 0x1FC3, { 0x397, 0x399 }, { 0x1FCC } },
    { 0x1FC4, { 0x389, 0x399 }, { 0x389, 0x345 } }, { 0x1FC6, { 0x397, 0x342 }, { 0x397, 0x342 } },
    { 0x1FC7, { 0x397, 0x342, 0x399 }, { 0x397, 0x342, 0x345 } }, { 0x1FCC, { 0x397, 0x399 }, { 0x1FCC } },
    { 0x1FD2, { 0x399, 0x308, 0x300 }, { 0x399, 0x308, 0x300 } },
    { 0x1FD3, { 0x399, 0x308, 0x301 }, { 0x399, 0x308, 0x301 } },
    { 0x1FD6, { 0x399, 0x342 }, { 0x399, 0x342 } }, { 0x1FD7, { 0x399, 0x308, 0x342 }, { 0x399, 0x308, 0x342 } },
    { 0x1FE2, { 0x3A5, 0x308, 0x300 }, { 0x3A5, 0x308, 0x300 } },
    { 0x1FE3, { 0x3A5, 0x308, 0x301 }, { 0x3A5, 0x308, 0x301 } },
    { 0x1FE4, { 0x3A1, 0x313 }, { 0x3A1, 0x313 } }, { 0x1FE6, { 0x3A5, 0x342 }, { 0x3A5, 0x342 } },
    { 0x1FE7, { 0x3A5, 0x308, 0x342 }, { 0x3A5, 0x308, 0x342 } }, { 0x1FF2, { 0x1FFA, 0x399 }, { 0x1FFA, 0x345 } },
    { 0x1FF3, { 0x3A9, 0x399 }, { 0x1FFC } }, { 0x1FF4, { 0x38F, 0x399 }, { 0x38F, 0x345 } },
    { 0x1FF6, { 0x3A9, 0x342 }, { 0x3A9, 0x342 } }, { 0x1FF7, { 0x3A9, 0x342, 0x399 }, { 0x3A9, 0x342, 0x345 } },
    { 0x1FFC, { 0x3A9, 0x399 }, { 0x1FFC } }, { 0xFB00, { 0x46, 0x46 }, { 0x46, 0x66 } },
    { 0xFB01, { 0x46, 0x49 }, { 0x46, 0x69 } },
    { 0xFB02, { 0x46, 0x4C }, { 0x46, 0x6C } }, { 0xFB03, { 0x46, 0x46, 0x49 }, { 0x46, 0x66, 0x69 } },
    { 0xFB04, { 0x46, 0x46, 0x4C }, { 0x46, 0x66, 0x6C } }, { 0xFB05, { 0x53, 0x54 }, { 0x53, 0x74 } },
    { 0xFB06, { 0x53, 0x54 }, { 0x53, 0x74 } }, { 0xFB13, { 0x544, 0x546 }, { 0x544, 0x576 } },
    { 0xFB14, { 0x544, 0x535 }, { 0x544, 0x565 } }, { 0xFB15, { 0x544, 0x53B }, { 0x544, 0x56B } },
    { 0xFB16, { 0x54E, 0x546 }, { 0x54E, 0x576 } }, { 0xFB17, { 0x544, 0x53D }, { 0x544, 0x56D } },
};

typedef struct range {
    int32_t first, last;
} range;

/* Digits that are no decimals, such as superscripts (Numeric_Type=Digit). */
static const range digits[] = {
    { 0xB2, 0xB3 },     { 0xB9, 0xB9 },     { 0x1369, 0x1371 }, { 0x19DA, 0x19DA }, { 0x2070, 0x2070 },
    { 0x2074, 0x2079 },   { 0x2080, 0x2089 },
    { 0x2460, 0x2468 }, { 0x2474, 0x247C }, { 0x2488, 0x2490 }, { 0x24EA, 0x24EA }, { 0x24F5, 0x24FD },
    { 0x24FF, 0x24FF },   { 0x2776, 0x277E },
    { 0x2780, 0x2788 }, { 0x278A, 0x2792 }, { 0x10A40, 0x10A43 }, { 0x10E60, 0x10E68 }, { 0x11052, 0x1105A },
    { 0x1F100, 0x1F10A },
};
/* Cased characters that are no letters of category Lu, Ll (Other_Uppercase, Other_Lowercase). */
static const range other_upper[] = { { 0x2160, 0x216F }, { 0x24B6, 0x24CF }, { 0x1F130, 0x1F149 }, { 0x1F150, 0x1F169 },
                                     { 0x1F170, 0x1F189 } };
static const range other_lower[] = {
    { 0xAA, 0xAA },     { 0xBA, 0xBA },     { 0x2B0, 0x2B8 },   { 0x2C0, 0x2C1 },   { 0x2E0, 0x2E4 },
    { 0x345, 0x345 },     { 0x37A, 0x37A },
    { 0x1D2C, 0x1D6A }, { 0x1D78, 0x1D78 }, { 0x1D9B, 0x1DBF }, { 0x2071, 0x2071 }, { 0x207F, 0x207F },
    { 0x2090, 0x209C },   { 0x2170, 0x217F },
    { 0x24D0, 0x24E9 }, { 0x2C7C, 0x2C7D }, { 0xA69C, 0xA69D }, { 0xA770, 0xA770 }, { 0xA7F8, 0xA7F9 },
    { 0xAB5C, 0xAB5F },   { 0x10780, 0x10780 },
    { 0x10783, 0x10785 }, { 0x10787, 0x107B0 }, { 0x107B2, 0x107BA },
};

static bool within(const range *table, size_t n, int32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= table[i].first && c <= table[i].last) return true;
    return false;
}
#define WITHIN(table, c) within(table, sizeof table / sizeof *table, c)

static bool is_upper(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_LU || (c > 127 && WITHIN(other_upper, c));
}

static bool is_lower(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_LL || (c > 127 && WITHIN(other_lower, c));
}

static bool is_cased(int32_t c)
{
    return is_upper(c) || is_lower(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_LT;
}

/* Characters that stand between letters without ending a word (Case_Ignorable). */
static bool is_ignorable(int32_t c)
{
    static const int32_t marks[] = { '\'', '.', ':', 0xB7, 0x387, 0x55F, 0x5F4, 0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                     0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (c == marks[i]) return true;
    utf8proc_category_t k = utf8proc_category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_ME || k == UTF8PROC_CATEGORY_CF ||
           k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_SK;
}

/* A capital sigma that ends a word becomes the final form. */
static int32_t lower_sigma(tpl_value s, size_t at)
{
    const char *data = tpl_data(s);
    size_t i = at, next = at;
    bool before = false;
    while (i && !before) {
        do i--;
        while (i && ((unsigned char)data[i] & 0xC0) == 0x80);
        size_t k = i;
        int32_t c = tpl_decode(data, s.n, &k);
        before = is_cased(c);
        if (!before && !is_ignorable(c)) break;
    }
    if (!before) return 0x3C3;
    tpl_decode(data, s.n, &next);
    while (next < s.n) {
        int32_t c = tpl_decode(data, s.n, &next);
        if (is_ignorable(c)) continue;
        return is_cased(c) ? 0x3C3 : 0x3C2;
    }
    return 0x3C2;
}

/* The characters that c becomes; their number. */
static int map_char(int32_t c, int how, int32_t *to)
{
    if (how == LOWER) {
        to[0] = utf8proc_tolower(c);
        if (c != 0x130) return 1;
        to[0] = 'i';
        to[1] = 0x307;
        return 2;
    }
    for (size_t i = 0; c > 127 && i < sizeof specials / sizeof *specials; i++) {
        if (specials[i].code != c) continue;
        int n = 0;
        for (; n < 3 && (how == TITLE ? specials[i].title : specials[i].upper)[n]; n++)
            to[n] = (how == TITLE ? specials[i].title : specials[i].upper)[n];
        return n;
    }
    to[0] = how == TITLE ? utf8proc_totitle(c) : utf8proc_toupper(c);
    return 1;
}

static int fold_char(int32_t c, int32_t *to)
{
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(c, to, 4, UTF8PROC_CASEFOLD, &boundary);
    return n < 0 || n > 4 ? (to[0] = c, 1) : (int)n;
}

static bool put_mapped(tpl_render *r, tpl_text *text, tpl_value s, size_t *at, int how)
{
    int32_t to[4];
    size_t from = *at;
    bool trusted = tpl_trusted(tpl_cut(s, from, from + 1));
    int32_t c = tpl_decode(tpl_data(s), s.n, at);
    int n;
    if (how == FOLD) n = fold_char(c, to);
    else if ((how == LOWER || how == SWAP) && c == 0x3A3) {
        to[0] = lower_sigma(s, from);
        n = 1;
    } else if (how == SWAP) n = map_char(c, is_upper(c) ? LOWER : UPPER, to);
    else n = map_char(c, how, to);
    for (int i = 0; i < n; i++)
        if (!tpl_put_char(&r->pool, text, to[i], trusted)) return false;
    return tpl_work(&r->pool, 1);
}

static bool no_args(tpl_render *r, const char *name, const tpl_args *args)
{
    if (args->n_keys) return tpl_raise(r, "TypeError", "str.%s() takes no keyword arguments", name);
    return !args->n || tpl_raise(r, "TypeError", "str.%s() takes no arguments (%u given)", name, args->n);
}

/* first: how the first character of the string (of each word, if words) is mapped; rest: the
 * others. */
static bool map_string(tpl_render *r, tpl_value s, int first, int rest, bool words, tpl_value *out)
{
    tpl_text *text = tpl_text_new(&r->pool, s.n);
    bool start = true;
    if (!text) return false;
    for (size_t i = 0; i < s.n;) {
        size_t k = i;
        bool cased = is_cased(tpl_decode(tpl_data(s), s.n, &k));
        if (!put_mapped(r, text, s, &i, start ? first : rest)) return false;
        start = words && !cased;
    }
    *out = tpl_text_value(text);
    out->sub = s.sub;
    return true;
}

#define CASE(name, first, rest, words)                                                                       \
    static bool name(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)                    \
    {                                                                                                        \
        return no_args(r, #name, args) && map_string(r, self, first, rest, words, out);                      \
    }

CASE(upper, UPPER, UPPER, false)
CASE(lower, LOWER, LOWER, false)
CASE(title, TITLE, LOWER, true)
CASE(capitalize, TITLE, LOWER, false)
CASE(swapcase, SWAP, SWAP, false)
CASE(casefold, FOLD, FOLD, false)

/* ---- is... ---- */

static bool is_letter(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

static bool is_decimal(int32_t c)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_ND;
}

static bool is_digit(int32_t c)
{
    return is_decimal(c) || (c > 127 && WITHIN(digits, c));
}

/* Numbers of categories N*, and the ideographs for them. Source: Unihan's kPrimaryNumeric and its
 * kin, the common ones. */
static bool is_numeric(int32_t c)
{
    static const int32_t ideographs[] =
        { 0x3405, 0x3483, 0x382A, 0x3B4D, 0x4E00, 0x4E03, 0x4E07, 0x4E09, 0x4E5D, 0x4E8C, 0x4E94, 0x4E96, 0x4EBF,
          0x4EDF, 0x4EE8, 0x4F0D, 0x4F70, 0x5104, 0x5146, 0x5169, 0x516B, 0x516D, 0x5341, 0x5343, 0x5344, 0x5345,
          0x534C, 0x53C1, 0x53C2, 0x53C3, 0x53C4, 0x56DB, 0x58F1, 0x58F9, 0x5E7A, 0x5EFE, 0x5EFF, 0x5F0C, 0x5F0D,
          0x5F0E, 0x5F10, 0x62FE, 0x634C, 0x67D2, 0x6F06, 0x7396, 0x767E, 0x8086, 0x842C, 0x8CAE, 0x8CB3, 0x8D30,
          0x9621, 0x9646, 0x964C, 0x9678, 0x96F6 };
    utf8proc_category_t k = utf8proc_category(c);
    if (k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO) return true;
    for (size_t i = 0; i < sizeof ideographs / sizeof *ideographs; i++)
        if (ideographs[i] == c) return true;
    return false;
}

static bool is_alphanumeric(int32_t c)
{
    return is_letter(c) || is_numeric(c);
}

static bool is_ascii(int32_t c)
{
    return c < 128;
}

static bool is_printable(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return c == ' ' || (k != UTF8PROC_CATEGORY_CN && k < UTF8PROC_CATEGORY_ZS);
}

static bool all_chars(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool (*holds)(int32_t),
                      bool empty, tpl_value *out)
{
    bool yes = s.n || empty;
    if (!no_args(r, name, args) || !tpl_work(&r->pool, s.n / 8)) return false;
    for (size_t i = 0; i < s.n && yes;) yes = holds(tpl_decode(tpl_data(s), s.n, &i));
    *out = tpl_bool(yes);
    return true;
}

#define IS(name, holds, empty)                                                                               \
    static bool text_##name(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)             \
    {                                                                                                        \
        return all_chars(r, #name, self, args, holds, empty, out);                                           \
    }

IS(isalpha, is_letter, false)
IS(isdecimal, is_decimal, false)
IS(isdigit, is_digit, false)
IS(isnumeric, is_numeric, false)
IS(isalnum, is_alphanumeric, false)
IS(isspace, tpl_is_space, false)
IS(isascii, is_ascii, true)
IS(isprintable, is_printable, true)

static bool cased_only(tpl_render *r, const char *name, tpl_value s, const tpl_args *args, bool upper, tpl_value *out)
{
    bool any = false, other = false;
    if (!no_args(r, name, args) || !tpl_work(&r->pool, s.n / 8)) return false;
    for (size_t i = 0; i < s.n;) {
        int32_t c = tpl_decode(tpl_data(s), s.n, &i);
        any = any || (upper ? is_upper(c) : is_lower(c));
        other = other || (is_cased(c) && !(upper ? is_upper(c) : is_lower(c)));
    }
    *out = tpl_bool(any && !other);
    return true;
}

static bool isupper_(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    return cased_only(r, "isupper", self, args, true, out);
}

static bool islower_(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    return cased_only(r, "islower", self, args, false, out);
}

static bool istitle(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    bool any = false, in_word = false, yes = true;
    if (!no_args(r, "istitle", args) || !tpl_work(&r->pool, self.n / 8)) return false;
    for (size_t i = 0; i < self.n && yes;) {
        int32_t c = tpl_decode(tpl_data(self), self.n, &i);
        if (is_cased(c)) {
            yes = in_word == is_lower(c);
            any = true;
        }
        in_word = is_cased(c);
    }
    *out = tpl_bool(any && yes);
    return true;
}

static bool isidentifier(tpl_render *r, tpl_value self, const tpl_args *args, tpl_value *out)
{
    size_t i = 0;
    if (!no_args(r, "isidentifier", args) || !tpl_work(&r->pool, self.n / 8)) return false;
    bool yes = self.n && tpl_is_name_start(tpl_decode(tpl_data(self), self.n, &i));
    while (yes && i < self.n) yes = tpl_is_name_part(tpl_decode(tpl_data(self), self.n, &i));
    *out = tpl_bool(yes);
    return true;
}

const tpl_function tpl_methods_case[] = {
    { "upper", upper },         { "lower", lower },         { "title", title },         { "capitalize", capitalize },
    { "swapcase", swapcase },
    { "casefold", casefold },   { "isalpha", text_isalpha },     { "isdecimal", text_isdecimal },
    { "isdigit", text_isdigit },         { "isnumeric", text_isnumeric },
    { "isalnum", text_isalnum },     { "isspace", text_isspace },     { "isascii", text_isascii },
    { "isprintable", text_isprintable }, { "isupper", isupper_ },
    { "islower", islower_ },    { "istitle", istitle },     { "isidentifier", isidentifier }, { NULL, NULL },
};
