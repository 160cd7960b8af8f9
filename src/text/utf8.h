/* UTF-8 in a few inline functions: reading and writing characters of valid text, and finding where
 * text is not valid. Used all over src/text; calls nothing. */
#ifndef TERN_TEXT_UTF8_H
#define TERN_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the character that begins with this byte of valid text. */
static inline size_t utf8_length(unsigned char lead)
{
    if (lead < 0x80) return 1;
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return 4;
}

static inline bool utf8_continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The character at s, which begins one in valid text; *length gets its bytes. */
static inline uint32_t utf8_get(const char *s, size_t *length)
{
    const unsigned char *p = (const unsigned char *)s;
    *length = utf8_length(p[0]);
    switch (*length) {
    case 1: return p[0];
    case 2: return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    case 3: return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
               (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    }
}

/* The character that ends just before s + end (end > 0, valid text); *length gets its bytes. */
static inline uint32_t utf8_before(const char *s, size_t end, size_t *length)
{
    size_t at = end - 1;
    while (at > 0 && utf8_continues(s[at])) at--;
    return utf8_get(s + at, length);
}

/* Writes the character c (a Unicode scalar value) to out, which has 4 bytes; returns its bytes. */
static inline size_t utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Looks at the start of s (n > 0 bytes). Valid: true, and *length is the character's bytes. Not
 * valid: false, and *length is the maximal part that could have begun a character, at least 1: what
 * one U+FFFD stands for (Unicode 15, section 3.9, "substitution of maximal subparts"). */
static inline bool utf8_check(const char *s, size_t n, size_t *length)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t want;
    unsigned char lo = 0x80, hi = 0xbf;
    *length = 1;
    if (p[0] < 0x80) return true;
    if (p[0] < 0xc2 || p[0] > 0xf4) return false;
    if (p[0] < 0xe0) want = 2;
    else if (p[0] < 0xf0) want = 3;
    else want = 4;
    if (p[0] == 0xe0) lo = 0xa0;
    else if (p[0] == 0xed) hi = 0x9f;
    else if (p[0] == 0xf0) lo = 0x90;
    else if (p[0] == 0xf4) hi = 0x8f;
    for (size_t i = 1; i < want; i++) {
        if (i >= n || p[i] < lo || p[i] > hi) return false;
        *length = i + 1;
        lo = 0x80;
        hi = 0xbf;
    }
    return true;
}

/* Bytes at the start of s that are valid UTF-8. */
static inline size_t utf8_valid_prefix(const char *s, size_t n)
{
    size_t i = 0, length;
    while (i < n) {
        uint64_t word;
        if (i + 8 <= n && (memcpy(&word, s + i, 8), !(word & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        if (!utf8_check(s + i, n - i, &length)) break;
        i += length;
    }
    return i;
}

#endif
