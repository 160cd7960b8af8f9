/* Kinds of characters: see unicode.h. Called by normalizers, pre-tokenizers and added tokens. */
#include "text/unicode.h"

#include <utf8proc.h>

#include "text/unicode_tables.h"

static bool is_in(const unicode_range *ranges, size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ranges[mid].last < c) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && ranges[lo].first <= c;
}

bool unicode_is_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

bool unicode_is_word(uint32_t c)
{
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    return is_in(unicode_word, unicode_word_n, c);
}

bool unicode_is_punctuation(uint32_t c)
{
    if (c < 0x80) return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    return is_in(unicode_punctuation, unicode_punctuation_n, c);
}

bool unicode_is_numeric(uint32_t c)
{
    return c < 0x80 ? c >= '0' && c <= '9' : is_in(unicode_numeric, unicode_numeric_n, c);
}

bool unicode_is_mark(uint32_t c)
{
    return c >= 0x300 && is_in(unicode_mark, unicode_mark_n, c);
}

bool unicode_is_nonspacing(uint32_t c)
{
    return c >= 0x300 && is_in(unicode_nonspacing, unicode_nonspacing_n, c);
}

bool unicode_is_control(uint32_t c)
{
    return is_in(unicode_control, unicode_control_n, c);
}

bool unicode_is_frozen(uint32_t c)
{
    return c >= 0x300 && is_in(unicode_frozen, unicode_frozen_n, c);
}

bool unicode_is_chinese(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x2f800 && c <= 0x2fa1f);
}

uint32_t unicode_lower(uint32_t c)
{
    size_t lo = 0, hi = unicode_lower_later_n;
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (unicode_lower_later[mid].from < c) lo = mid + 1;
        else hi = mid;
    }
    if (lo < unicode_lower_later_n && unicode_lower_later[lo].from == c) return unicode_lower_later[lo].to;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

uint32_t unicode_script_of(uint32_t c)
{
    size_t lo = 0, hi = unicode_scripts_n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (unicode_scripts[mid].last < c) lo = mid + 1;
        else hi = mid;
    }
    return lo < unicode_scripts_n && unicode_scripts[lo].first <= c ? unicode_scripts[lo].script : UINT32_MAX;
}
