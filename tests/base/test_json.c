/* JSON text: what is refused, at which line and column, and that what is taken has the right values
 * in any locale. */
#include "formats/support.h"

#include <locale.h>
#include <math.h>

#include "base/json.h"

typedef struct bad_row {
    const char *text;
    size_t n_bytes;       /* 0: up to the NUL */
    const char *message, *why;
} bad_row;

static const bad_row bad_rows[] = {
    { "", 0, "line 1, column 1|a value is expected, not the end", "nothing" },
    { "  \n ", 0, "line 2, column 2", "blanks" },
    { "{\n\"a\": tru}", 0, "line 2, column 6|a value|'t'", "a word cut short" },
    { "\xC3\xA9", 0, "column 1|0xc3", "a letter that is no value" },
    { "[\"\xC3\xA9\", x]", 0, "column 7|'x'", "columns count characters" },
    { "[1,]", 0, "column 4|']'", "a comma too many in a list" },
    { "{\"a\":1,}", 0, "column 8|key", "a comma too many in an object" },
    { "{\"a\" 1}", 0, "':'|'1'", "no colon" },
    { "{a:1}", 0, "key in quotes|'a'", "a key without quotes" },
    { "[1 2]", 0, "']'|'2'", "no comma" },
    { "[1", 0, "']'|end", "no closing bracket" },
    { "1 2", 0, "column 3|nothing behind", "two values" },
    { "{}\0", 3, "column 3|0x00", "a NUL behind" },
    { "01", 0, "column 2|nothing behind", "a leading zero" },
    { "-", 0, "a digit", "a sign alone" },
    { "+1", 0, "'+'", "a plus sign" },
    { "1.", 0, "behind the point", "no digit behind the point" },
    { ".5", 0, "'.'", "no digit before the point" },
    { "1e", 0, "exponent", "no exponent" },
    { "1e+", 0, "exponent", "a signed nothing" },
    { "nan", 0, "'n'", "Python writes NaN" },
    { "-NaN", 0, "a digit", "NaN has no sign" },
    { "-Inf", 0, "a value is expected, not '-'", "a word cut short" },
    { "+Infinity", 0, "'+'", "a plus sign before a word" },
    { "Infinityx", 0, "nothing behind", "a word with a tail" },
    { "\"a\nb\"", 0, "0x0a", "a newline in a string" },
    { "\"a", 0, "closing", "no closing quote" },
    { "\"\\q\"", 0, "escape", "an unknown escape" },
    { "\"\\u12\"", 0, "hexadecimal", "an escape cut short" },
    { "\"\\ud800\"", 0, "surrogate", "half a pair" },
    { "\"\\ud800\\u0041\"", 0, "surrogate", "half a pair and a letter" },
    { "\"\\udc00\"", 0, "surrogate", "the other half" },
    { "\"\xC3\"", 0, "column 2|0xc3|UTF-8", "half a character" },
    { "\"\xF5\x80\x80\x80\"", 0, "UTF-8", "beyond Unicode" },
    { "{\"a\":1,\"b\":2,\n\"a\":3}", 0, "line 2, column 1|duplicate of the key \"a\"", "a key twice" },
    { "{\"a\":1,\"\\u0061\":3}", 0, "duplicate of the key \"a\"", "a key twice, once escaped" },
    { "{\"a\\u0000\":1,\"a\\u0000\":2}", 0, "duplicate", "two keys that are equal behind their NUL" },
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        json_t *value = NULL;
        const bad_row *r = &bad_rows[i];
        expect_message(tern_json_parse(&message, "x.json", r->text, r->n_bytes ? r->n_bytes : strlen(r->text), &value),
                       TERN_ERR_FORMAT, r->message, r->why);
        expect_message(TERN_OK, TERN_OK, "x.json: line ", r->why);
        assert_null(value);
    }
}

/* What Python's json reads (version 3.11: json.loads, then float). */
static const struct { const char *text; bool is_integer; double value; const char *shown; } number_rows[] = {
    { "9223372036854775807", true, 9223372036854775807.0, "9223372036854775807" },
    { "-9223372036854775808", true, -9223372036854775808.0, "-9223372036854775808" },
    { "9223372036854775808", false, 9223372036854775808.0, "9.22337204e18" },
    { "-9223372036854775809", false, -9223372036854775808.0, "-9.22337204e18" },
    { "1000000000000000019884624838656", false, 1e30, "1e30" },
    { "1e309", false, INFINITY, "Infinity" },
    { "-1e309", false, -INFINITY, "-Infinity" },
    { "NaN", false, NAN, "NaN" },
    { "Infinity", false, INFINITY, "Infinity" },
    { "-Infinity", false, -INFINITY, "-Infinity" },
    { "3.4028234663852886e+38", false, 3.4028234663852886e+38, "3.40282347e38" },
};

static void reads_numbers_as_python_does(void **state)
{
    (void)state;
    char shown[64], long_text[402] = "1";
    json_t *value;
    for (size_t i = 0; i < sizeof number_rows / sizeof *number_rows; i++) {
        const char *text = number_rows[i].text;
        assert_int_equal(tern_json_parse(&message, "x", text, strlen(text), &value), TERN_OK);
        double number = tern_json_number(value), wanted = number_rows[i].value;
        if (json_is_integer(value) != number_rows[i].is_integer) fail_msg("%s: an integer or not", text);
        if (number != wanted && !(isnan(number) && isnan(wanted))) fail_msg("%s: %g", text, number);
        assert_string_equal(tern_json_show(value, shown, sizeof shown), number_rows[i].shown);
        json_decref(value);
        bool beyond = !number_rows[i].is_integer && strspn(text, "-0123456789") == strlen(text);
        tern_status st = tern_json_parse_exact(&message, "x", text, strlen(text), &value);
        expect_message(st, beyond ? TERN_ERR_FORMAT : TERN_OK, beyond ? "beyond 64 bits" : NULL, text);
        if (!st) json_decref(value);
    }
    memset(long_text + 1, '0', 400);
    assert_int_equal(tern_json_parse(&message, "x", long_text, 401, &value), TERN_OK);
    assert_true(isinf(tern_json_number(value)));
    json_decref(value);
}

/* Depth 512 is taken, 513 is not, and neither is what only opens. */
static void caps_the_depth(void **state)
{
    (void)state;
    for (int depth = 512; depth <= 513; depth++) {
        char text[2 * 513];
        json_t *value = NULL;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        expect_message(tern_json_parse(&message, "x", text, 2 * (size_t)depth, &value), depth == 512
                           ? TERN_OK : TERN_ERR_FORMAT, depth == 512 ? NULL : "column 513|depth of 512", "nesting");
        json_decref(value);
    }
    char *open = malloc(1000000);
    json_t *value;
    assert_non_null(open);
    memset(open, '[', 1000000);
    expect_message(tern_json_parse(&message, "x", open, 1000000, &value), TERN_ERR_FORMAT, "depth of 512",
                   "a million levels");
    free(open);
}

static void gives_the_values(void **state)
{
    (void)state;
    static const char text[] = " {\"i\": [0, -0, -9223372036854775808, 9223372036854775807], \"r\": [1.5, -2.5e-3, "
                               "1E2, 4.9e-324, 0.1], \"\": null,\"s\": [\"\", \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\", "
                               "\"\\u00e9\\ud83d\\ude00\", \"a\\u0000b\"], \"w\": [true, false, {}, []], "
                               "\"a\\u0000b\": 7, \"a\": 8}\t\r\n";
    json_t *v;
    for (int turn = 0; turn < 2; turn++) {
        /* a comma for a point, where the machine has that locale */
        if (turn && !setlocale(LC_ALL, "de_DE.UTF-8")) break;
        expect_message(tern_json_parse(&message, "x", text, sizeof text - 1, &v), TERN_OK, NULL, "a good text");
        const json_t *i = json_object_get(v, "i"), *r = json_object_get(v, "r"), *s = json_object_get(v, "s"),
            *w = json_object_get(v, "w");
        assert_true(json_integer_value(json_array_get(i, 2)) == INT64_MIN &&
                    json_integer_value(json_array_get(i, 3)) == INT64_MAX && json_is_integer(json_array_get(i, 1)));
        assert_true(json_real_value(json_array_get(r, 0)) == 1.5 && json_real_value(json_array_get(r, 1)) == -2.5e-3 &&
                    json_real_value(json_array_get(r, 2)) == 100);
        assert_true(json_real_value(json_array_get(r, 3)) == 4.9e-324 && json_real_value(json_array_get(r, 4)) == 0.1);
        assert_string_equal(json_string_value(json_array_get(s, 1)), "a\"\\/\b\f\n\r\t");
        assert_string_equal(json_string_value(json_array_get(s, 2)), "\xC3\xA9\xF0\x9F\x98\x80");
        assert_true(json_string_length(json_array_get(s, 3)) == 3 && json_string_length(json_array_get(s, 0)) == 0);
        assert_true(json_is_true(json_array_get(w, 0)) && json_is_false(json_array_get(w, 1)) &&
                    json_is_null(json_object_get(v, "")));
        assert_true(json_is_object(json_array_get(w, 2)) && json_array_size(json_array_get(w, 3)) == 0 &&
                    json_array_size(w) == 4);
        assert_int_equal(json_integer_value(json_object_getn(v, "a\0b", 3)), 7);
        assert_int_equal(json_integer_value(json_object_get(v, "a")), 8);
        json_decref(v);
    }
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(refuses), cmocka_unit_test(reads_numbers_as_python_does),
                                        cmocka_unit_test(caps_the_depth), cmocka_unit_test(gives_the_values) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
