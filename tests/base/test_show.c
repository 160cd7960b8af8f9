/* Text for messages: what is cut, where, and that nothing of it was never written. Expected values
 * follow from show.h and json.h by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ctx.h"
#include "base/json.h"

static void test_cuts_at_characters(void **state)
{
    static const struct { const char *text, *want, *why; } rows[] = {
        { "", "", "nothing" },
        { "1234567", "1234567", "as much as there is space for" },
        { "12345678", "1234...", "one byte too many" },
        { "123\xC3\xA9""56", "123\xC3\xA9""56", "a letter of two bytes that fits" },
        { "123\xC3\xA9""5678", "123...", "a letter that would be halved goes as a whole" },
        { "12\xE2\x82\xAC""4567", "12...", "so does one of three bytes" },
        { "\xF0\x9F\x98\x80""\xF0\x9F\x98\x80""x", "\xF0\x9F\x98\x80...",
          "one of four bytes that fits before the mark" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char buffer[8];
        memset(buffer, 'Z', sizeof buffer);
        size_t n = tern_show(buffer, sizeof buffer, "%s", rows[i].text);
        if (strcmp(buffer, rows[i].want) || n != strlen(rows[i].want))
            fail_msg("%s: \"%s\", %zu bytes", rows[i].why, buffer, n);
    }
}

static void test_shows_names(void **state)
{
    static const struct { const char *name, *want, *why; } rows[] = {
        { "model.layers.0", "model.layers.0", "a name" },
        { "a\nb\tc\rd", "a\\nb\\tc\\x0dd", "blanks that would break a line" },
        { "\x1b[31mred", "\\x1b[31mred", "a terminal's escape" },
        { "a\x7F" "b", "a\\x7fb", "a delete" },
        { "\xC2\x9B" "31m", "\\x9b31m", "a terminal's escape of 8 bits, as UTF-8" },
        { "\xE2\x80\xAE" "txt.exe", "\\u202etxt.exe", "text in reverse" },
        { "\xFFok", "?ok", "a byte that is no UTF-8" },
        { "\xC3\x9Cnicode \xE6\xA8\xA1\xE5\x9E\x8B", "\xC3\x9Cnicode \xE6\xA8\xA1\xE5\x9E\x8B",
          "letters stay what they are" },
    };
    char buffer[TERN_SHOWN_BYTES], name[300], want[300];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(tern_show_name(rows[i].name, buffer), rows[i].want)) fail_msg("%s: \"%s\"", rows[i].why, buffer);
    memset(name, 'n', sizeof name);
    memcpy(name + 98, "\xC3\xA9\xC3\xA9\xC3\xA9", 7);
    memcpy(want, name, 98);
    memcpy(want + 98, "\xC3\xA9...", 6);
    assert_string_equal(tern_show_name(name, buffer), want);
}

static void test_cleans_words(void **state)
{
    static const struct { const char *message, *want, *why; } rows[] = {
        { "two\nlines", "two lines", "one sentence is one line" },
        { "a\x1b[2J", "a?[2J", "a terminal's escape" },
        { "a\xC2\x9B" "2J", "a??2J", "one of 8 bits" },
        { "\xE2\x80\xAE" "abc", "???abc", "text in reverse" },
        { "\xC3", "?", "half a letter" },
        { "\xC3\xA9", "\xC3\xA9", "a letter" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char message[64];
        strcpy(message, rows[i].message);
        tern_clean_message(message);
        if (strcmp(message, rows[i].want)) fail_msg("%s: \"%s\"", rows[i].why, message);
    }
}

/* jansson writes a value in pieces; each row's text is known up to where it is cut, whatever the
 * buffer held before. */
static void test_shows_values(void **state)
{
    static const struct { const char *json; size_t size; const char *want, *why; } rows[] = {
        { "{\"a\":1}", 8, "{\"a\":1}", "exactly as long as the buffer" },
        { "{\"a\":12}", 8, "{\"a\"...", "one byte too many" },
        { "{\"fmt\":\"e4m3\",\"block\":[128,128]}", 16, "{\"fmt\":\"e4m3...", "a piece that does not fit ends it" },
        { "[\"aaaaaaaaaaaaaaaaaaaa\",1]", 12, "[\"aaaaaa...", "a piece longer than the buffer" },
        { "\"\xC3\xA9\xC3\xA9\"", 12, "\"\\u00E9...", "an escape is not halved" },
        { "\"aaaa\\nb\\\\cd\"", 10, "\"aaaa...", "nor a short one" },
        { "\"\\u0007\"", 20, "\"\\u0007\"", "a control character" },
        { "null", 16, "null", "a word" },
        { "0.1", 16, "0.1", "a number" },
        { "\"text\"", 4, "...", "the least size" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        for (int fill = 0; fill < 256; fill += 85) {
            char buffer[64];
            memset(buffer, fill, sizeof buffer);
            tern_json_show(value, buffer, rows[i].size);
            if (strcmp(buffer, rows[i].want)) fail_msg("%s: \"%s\"", rows[i].why, buffer);
            for (size_t k = rows[i].size; k < sizeof buffer; k++) assert_int_equal((unsigned char)buffer[k], fill);
        }
        json_decref(value);
    }
    char buffer[32];
    assert_string_equal(tern_json_show(NULL, buffer, sizeof buffer), "nothing");
}

static void test_sentences_are_marked(void **state)
{
    static tern_ctx ctx;
    char name[3000];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    tern_fail(&ctx, TERN_ERR_FORMAT, "%s", name);
    assert_int_equal(strlen(ctx.error), sizeof ctx.error - 1);
    assert_string_equal(ctx.error + sizeof ctx.error - 4, "...");
    tern_fail(&ctx, TERN_ERR_FORMAT, "why");
    name[600] = 0;
    tern_fail_in(&ctx, TERN_ERR_FORMAT, "%s: ", name);
    assert_string_equal(ctx.error + 600, ": why");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_at_characters), cmocka_unit_test(test_shows_names),
        cmocka_unit_test(test_cleans_words),
        cmocka_unit_test(test_shows_values),       cmocka_unit_test(test_sentences_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
