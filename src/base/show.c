/* Text for messages: see show.h. Every module writes its messages by it; it calls utf8proc to find
 * where characters end. */
#include "base/show.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

static const char mark[] = "...";

/* Puts the mark behind the last whole character that leaves space for it. */
static size_t mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof mark;
    while (end && ((unsigned char)text[end] & 0xC0) == 0x80) end--;
    memcpy(text + end, mark, sizeof mark);
    return end + sizeof mark - 1;
}

size_t tern_show_v(char *buffer, size_t size, const char *format, va_list args)
{
    int wanted = vsnprintf(buffer, size, format, args);
    if (wanted < 0) {
        buffer[0] = 0;
        return 0;
    }
    return (size_t)wanted < size ? (size_t)wanted : mark_cut(buffer, size);
}

size_t tern_show(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = tern_show_v(buffer, size, format, args);
    va_end(args);
    return n;
}

/* Controls of ASCII and of Latin-1, and the marks that change the direction of text (Unicode's
 * Bidi_Control). */
static bool is_control(utf8proc_int32_t c)
{
    if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x61C) return true;
    return c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* The character at in: its code, -1 where the byte begins none. Returns its bytes, at least 1. */
static size_t next_character(const unsigned char *in, utf8proc_int32_t *code)
{
    utf8proc_ssize_t n = utf8proc_iterate(in, (utf8proc_ssize_t)strnlen((const char *)in, 4), code);
    if (n < 1) *code = -1;
    return n < 1 ? 1 : (size_t)n;
}

static const char *escape(utf8proc_int32_t c, char text[8])
{
    if (c == '\n') return "\\n";
    if (c == '\t') return "\\t";
    snprintf(text, 8, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c & 0xFFFF);
    return text;
}

const char *tern_show_name(const char *name, char buffer[TERN_SHOWN_BYTES])
{
    size_t used = 0;
    for (const unsigned char *in = (const unsigned char *)name; *in;) {
        utf8proc_int32_t code;
        char text[8];
        size_t n = next_character(in, &code), bytes = n;
        const char *piece = (const char *)in;
        if (code < 0) piece = "?";
        else if (is_control(code)) piece = escape(code, text);
        if (piece != (const char *)in) bytes = strlen(piece);
        if (used + bytes + sizeof mark > TERN_SHOWN_BYTES) {
            memcpy(buffer + used, mark, sizeof mark);
            return buffer;
        }
        memcpy(buffer + used, piece, bytes);
        used += bytes;
        in += n;
    }
    buffer[used] = 0;
    return buffer;
}

void tern_clean_message(char *message)
{
    for (unsigned char *p = (unsigned char *)message; *p;) {
        utf8proc_int32_t code;
        size_t n = next_character(p, &code);
        if (code < 0) *p = '?';
        else if (is_control(code)) memset(p, code == '\n' ? ' ' : '?', n);
        p += n;
    }
}
