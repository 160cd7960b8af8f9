/* The pieces of JSON text: see json_scan.h. */
#include "base/json_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"

/* "byte 17" or "line 3, column 7" (columns count characters from 1) */
static void position_of(const tern_json_scan *s, char *buffer, size_t size)
{
    size_t line = 1, column = 1;
    if (s->in_bytes) {
        snprintf(buffer, size, "byte %zu", s->origin + s->at);
        return;
    }
    for (size_t i = 0; i < s->at && i < s->end; i++) {
        if (s->text[i] == '\n') {
            line++;
            column = 1;
        } else if ((s->text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    snprintf(buffer, size, "line %zu, column %zu", line, column);
}

tern_status tern_json_wrong(tern_json_scan *s, const char *format, ...)
{
    char message[256], position[64];
    va_list args;
    va_start(args, format);
    tern_show_v(message, sizeof message, format, args);
    va_end(args);
    position_of(s, position, sizeof position);
    return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: %s: %s", s->what, position, message);
}

tern_status tern_json_expected(tern_json_scan *s, const char *wanted)
{
    if (s->at >= s->end) return tern_json_wrong(s, "%s is expected, not the end", wanted);
    unsigned char c = s->text[s->at];
    if (c > 0x20 && c < 0x7F) return tern_json_wrong(s, "%s is expected, not '%c'", wanted, c);
    return tern_json_wrong(s, "%s is expected, not the byte 0x%02x", wanted, c);
}

tern_status tern_json_check_utf8(tern_json_scan *s)
{
    for (size_t i = 0; i < s->end;) {
        uint64_t eight;
        if (s->end - i >= 8 && (memcpy(&eight, s->text + i, 8), !(eight & 0x8080808080808080))) {
            i += 8;
            continue;
        }
        utf8proc_int32_t c;
        utf8proc_ssize_t n = s->text[i] < 0x80 ? 1 : utf8proc_iterate(s->text + i, (utf8proc_ssize_t)(s->end - i), &c);
        if (n < 1) {
            s->at = i;
            return tern_json_wrong(s, "the byte 0x%02x is not valid UTF-8 here", s->text[i]);
        }
        i += (size_t)n;
    }
    return TERN_OK;
}

void tern_json_blanks(tern_json_scan *s)
{
    while (s->at < s->end &&
           (s->text[s->at] == ' ' || s->text[s->at] == '\n' || s->text[s->at] == '\r' || s->text[s->at] == '\t'))
        s->at++;
}

bool tern_json_take(tern_json_scan *s, char c)
{
    tern_json_blanks(s);
    if (s->at >= s->end || s->text[s->at] != (unsigned char)c) return false;
    s->at++;
    return true;
}

tern_status tern_json_need(tern_json_scan *s, char c)
{
    char wanted[] = { '\'', c, '\'', 0 };
    return tern_json_take(s, c) ? TERN_OK : tern_json_expected(s, wanted);
}

static bool hex4(tern_json_scan *s, unsigned *out)
{
    *out = 0;
    if (s->end - s->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        int c = s->text[s->at + (size_t)i], letter = c | 32;
        int digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        else if (letter >= 'a' && letter <= 'f') digit = letter - 'a' + 10;
        if (digit < 0) return false;
        *out = *out << 4 | (unsigned)digit;
    }
    s->at += 4;
    return true;
}

/* What follows a backslash, appended at out[*n]. */
static tern_status escape(tern_json_scan *s, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned c = s->at < s->end ? s->text[s->at] : 0, low;
    const char *simple = c ? strchr(from, (int)c) : NULL;
    if (simple) {
        s->at++;
        out[(*n)++] = to[simple - from];
        return TERN_OK;
    }
    if (c != 'u') return tern_json_expected(s, "an escape of JSON");
    s->at++;
    if (!hex4(s, &c)) return tern_json_expected(s, "\\u with four hexadecimal digits");
    if (!c && s->no_nul) return tern_json_expected(s, "a string without \\u0000");
    if (c >= 0xDC00 && c < 0xE000) return tern_json_expected(s, "a high surrogate before a low one");
    if (c >= 0xD800 && c < 0xDC00) {
        bool another = s->end - s->at >= 2 && s->text[s->at] == '\\' && s->text[s->at + 1] == 'u';
        s->at += another ? 2 : 0;
        if (!another || !hex4(s, &low) || low < 0xDC00 || low > 0xDFFF)
            return tern_json_expected(s, "a low surrogate after a high one");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    *n += (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out + *n);
    return TERN_OK;
}

tern_status tern_json_string(tern_json_scan *s, const char *wanted, char *out, size_t *n_bytes)
{
    size_t n = 0;
    if (!tern_json_take(s, '"')) return tern_json_expected(s, wanted);
    for (;;) {
        size_t from = s->at;
        while (s->at < s->end && s->text[s->at] != '"' && s->text[s->at] != '\\' && s->text[s->at] >= 0x20) s->at++;
        memcpy(out + n, s->text + from, s->at - from);
        n += s->at - from;
        if (s->at >= s->end || s->text[s->at] < 0x20)
            return tern_json_expected(s, "a character or the closing '\"' of a string");
        if (s->text[s->at++] == '"') break;
        tern_status st = escape(s, out, &n);
        if (st) return st;
    }
    out[n] = 0;
    *n_bytes = n;
    return TERN_OK;
}
