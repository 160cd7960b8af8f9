/* How the program speaks: see out.h. All commands call it. */
#include "cli/out.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/show.h"

static void say(const char *format, va_list args)
{
    char line[2048];
    tern_show_v(line, sizeof line, format, args);
    tern_clean_message(line);
    fprintf(stderr, "tern: %s\n", line);
}

void cli_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_FAILED;
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_USAGE;
}

bool cli_put(const char *text, size_t n_bytes)
{
    errno = 0;
    fwrite(text, 1, n_bytes, stdout);
    return !ferror(stdout) && !fflush(stdout);
}

int cli_finish(int status)
{
    bool lost = fflush(stdout) != 0;
    int reason = errno;
    if (!lost && !ferror(stdout)) return status;
    if (reason == EPIPE || status) return EXIT_FAILED;
    return cli_fail("cannot write to standard output: %s", reason ? strerror(reason) : "a write failed");
}

/* ---- JSON ---- */

static void put_raw(const char *text)
{
    fputs(text, stdout);
}

/* How many bytes of text form one character of UTF-8, 0 where they form none; *part: how many of
 * them can begin one (RFC 3629; Unicode's maximal subpart, which one U+FFFD replaces). */
static size_t character_at(const unsigned char *text, size_t n, size_t *part)
{
    unsigned char c = text[0], low = 0x80, high = 0xBF;
    size_t wanted = 0;
    if (c < 0x80) wanted = 1;
    else if (c >= 0xC2 && c <= 0xDF) wanted = 2;
    else if (c >= 0xE0 && c <= 0xEF) wanted = 3;
    else if (c >= 0xF0 && c <= 0xF4) wanted = 4;
    *part = 1;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
    for (size_t i = 1; i < wanted; i++) {
        if (i >= n || text[i] < low || text[i] > high) return 0;
        *part = i + 1;
        low = 0x80;
        high = 0xBF;
    }
    return wanted;
}

static void put_escaped(const char *text, size_t n_bytes)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + n_bytes;
    putchar('"');
    while (p < end) {
        size_t part, n = character_at(p, (size_t)(end - p), &part);
        if (!n) put_raw("\\ufffd");
        else if (*p == '"' || *p == '\\') printf("\\%c", *p);
        else if (*p == '\n') put_raw("\\n");
        else if (*p < 0x20 || *p == 0x7F) printf("\\u%04x", *p);
        else fwrite(p, 1, n, stdout);
        p += n ? n : part;
    }
    putchar('"');
}

static void begin_value(json_out *j, const char *key)
{
    if (!j->depth) return;
    if (!j->first[j->depth]) put_raw(", ");
    j->first[j->depth] = false;
    if (!key) return;
    put_escaped(key, strlen(key));
    put_raw(": ");
}

void out_open(json_out *j, const char *key, char bracket)
{
    begin_value(j, key);
    putchar(bracket);
    j->depth++;
    j->first[j->depth] = true;
    j->close[j->depth] = bracket == '{' ? '}' : ']';
}

void out_close(json_out *j)
{
    putchar(j->close[j->depth--]);
    if (!j->depth) putchar('\n');
}

void out_string(json_out *j, const char *key, const char *text, size_t n_bytes)
{
    begin_value(j, key);
    put_escaped(text, n_bytes);
}

void out_word(json_out *j, const char *key, const char *text)
{
    if (text) {
        out_string(j, key, text, strlen(text));
    } else {
        begin_value(j, key);
        put_raw("null");
    }
}

void out_integer(json_out *j, const char *key, int64_t value)
{
    begin_value(j, key);
    printf("%lld", (long long)value);
}

void out_number(json_out *j, const char *key, double value)
{
    begin_value(j, key);
    if (!isfinite(value)) put_raw("null");
    else if ((double)(float)value == value) out_float((float)value);
    else printf("%.9g", value);
}

void out_float(float value)
{
    char text[TERN_DECIMAL_BYTES];
    fwrite(text, 1, tern_decimal(text, value), stdout);
}

void out_bool(json_out *j, const char *key, bool value)
{
    begin_value(j, key);
    put_raw(value ? "true" : "false");
}
