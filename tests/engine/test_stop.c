/* Stop strings: rows that were worked out by hand, and random texts in random pieces against the
 * definition. */
#include "engine/stop.h"
#include "engine/toy.h"

typedef struct stop_row {
    const char *stop[4], *piece[6];
    const char *text;      /* all that is printed */
    bool stopped;
    const char *why;
} stop_row;

static const stop_row rows[] = {
    { { "END" }, { "one END two" }, "one ", true, "within one token" },
    { { "END" }, { "one E", "N", "D two" }, "one ", true, "across three tokens" },
    { { "END" }, { "one E", "NE", "ND" }, "one EN", true, "a false start, then a true one" },
    { { "END" }, { "one EN" }, "one EN", false, "a beginning that comes to nothing is printed at the end" },
    { { "aab" }, { "a", "a", "a", "b" }, "a", true, "a beginning that overlaps itself" },
    { { "abab" }, { "ab", "ac", "ab", "ab" }, "abac", true, "two false starts" },
    { { "\n\n" }, { "line\n", "line\n", "\nrest" }, "line\nline", true, "a blank line" },
    { { "bc", "abcd" }, { "abcd" }, "a", true, "the one whose end comes first counts, though another began before" },
    { { "bcd", "abcd" }, { "abcd" }, "", true, "of two that end together the longer counts" },
    { { "x", "yx" }, { "y", "x" }, "", true, "the same across tokens" },
    { { "\xC3\xA9t\xC3\xA9" }, { "un \xC3\xA9", "t\xC3\xA9 chaud" }, "un ", true, "characters of two bytes" },
    { { "\xF0\x9F\x98\x80" }, { "a\xF0\x9F\x98\x81", "b\xF0\x9F\x98\x80" }, "a\xF0\x9F\x98\x81" "b", true,
      "characters that share three of four bytes" },
    { { "abc" }, { "", "ab", "", "c" }, "", true, "tokens without text" },
    { { "z" }, { "abc" }, "abc", false, "no stop" },
    { { "a" }, { "a" }, "", true, "the whole text" },
};

static tern_stops stops_of(const char *const *stop)
{
    tern_stops s = { 0 };
    size_t n = 0;
    while (n < 4 && stop[n]) n++;
    assert_int_equal(tern_stops_init(NULL, &s, stop, n), TERN_OK);
    return s;
}

static void rows_stop_where_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const stop_row *r = &rows[i];
        tern_stops s = stops_of(r->stop);
        char text[256] = "";
        bool stopped = false;
        for (int k = 0; k <= 6 && !stopped; k++) {
            const char *piece = k < 6 && r->piece[k] ? r->piece[k] : "", *ready;
            size_t n;
            assert_int_equal(tern_stops_add(NULL, &s, piece, strlen(piece)), TERN_OK);
            stopped = tern_stops_take(&s, k == 6, &ready, &n);
            strncat(text, ready, n);
        }
        if (strcmp(text, r->text) || stopped != r->stopped)
            fail_msg("%s: \"%s\"%s", r->why, text, stopped ? " stopped" : "");
        tern_stops_clear(&s);
    }
}

/* ---- Random texts over two letters and an accented one --------------------------------------- */
enum { LETTERS = 60 };

static size_t random_text(dice *d, int32_t letters, char *text)
{
    static const char *const letter[] = { "a", "b", "\xC3\xA9" };
    text[0] = 0;
    for (int32_t i = 0; i < letters; i++) strcat(text, letter[dice_below(d, 3)]);
    return strlen(text);
}

static bool ends_with(const char *text, size_t n, const char *stop)
{
    size_t m = strlen(stop);
    return m <= n && !memcmp(text + n - m, stop, m);
}

/* Where the text ends by the definition: letter by letter; false: no stop string comes. */
static bool naive_end(const char *text, size_t n, char stop[][32], int32_t n_stop, size_t *end, size_t *seen)
{
    for (size_t at = 1; at <= n; at++) {
        size_t longest = 0;
        for (int32_t i = 0; i < n_stop; i++)
            if (ends_with(text, at, stop[i]) && strlen(stop[i]) > longest) longest = strlen(stop[i]);
        if (!longest) continue;
        *end = at - longest;
        *seen = at;
        return true;
    }
    return false;
}

/* Bytes of text[0, n) that are certain to be printed: all but the longest end that begins a stop
 * string. */
static size_t naive_ready(const char *text, size_t n, char stop[][32], int32_t n_stop)
{
    for (size_t from = 0; from < n; from++)
        for (int32_t i = 0; i < n_stop; i++)
            if (n - from < strlen(stop[i]) && !memcmp(text + from, stop[i], n - from)) return from;
    return n;
}

static void random_pieces_change_nothing(void **state)
{
    (void)state;
    dice d = { 9 };
    int n_stopped = 0, n_held = 0;
    for (int round = 0; round < 20000; round++) {
        char text[2 * LETTERS + 1], stop[3][32], out[2 * LETTERS + 1];
        const char *list[4] = { 0 };
        size_t n = random_text(&d, LETTERS, text), end = 0, seen = 0, n_out = 0, at = 0;
        int32_t n_stop = 1 + dice_below(&d, 3);
        for (int32_t i = 0; i < n_stop; i++) {
            random_text(&d, 2 + dice_below(&d, 7), stop[i]);
            list[i] = stop[i];
        }
        bool ends = naive_end(text, n, stop, n_stop, &end, &seen), stopped = false;
        tern_stops s = stops_of(list);
        while (at < n && !stopped) {
            size_t piece = (size_t)dice_below(&d, 9), n_ready;
            if (at + piece > n) piece = n - at;
            while ((text[at + piece] & 0xC0) == 0x80) piece++;    /* whole characters, as the decoder gives them */
            const char *ready;
            at += piece;
            assert_int_equal(tern_stops_add(NULL, &s, text + at - piece, piece), TERN_OK);
            stopped = tern_stops_take(&s, at == n, &ready, &n_ready);
            memcpy(out + n_out, ready, n_ready);
            n_out += n_ready;
            assert_true((out[n_out < 1 ? 0 : n_out - 1] & 0xFF) != 0xC3 || n_out == 0);    /* never half a character */
            if (stopped || at == n) continue;
            assert_int_equal(n_out, naive_ready(text, at, stop, n_stop));
            n_held += n_out < at;
        }
        assert_int_equal(stopped, ends);
        assert_int_equal(n_out, ends ? end : n);
        assert_memory_equal(out, text, n_out);
        n_stopped += stopped;
        tern_stops_clear(&s);
    }
    assert_in_range(n_stopped, 5000, 19900);
    assert_true(n_held > 5000);
}

static void a_long_piece_makes_space_for_itself(void **state)
{
    (void)state;
    const char *stop[4] = { "stop" };
    tern_stops s = stops_of(stop);
    char *piece = malloc(100000);
    assert_non_null(piece);
    memset(piece, 's', 100000);
    const char *ready;
    size_t n;
    assert_int_equal(tern_stops_add(NULL, &s, piece, 100000), TERN_OK);
    assert_false(tern_stops_take(&s, false, &ready, &n));
    assert_int_equal(n, 99999);
    assert_int_equal(tern_stops_add(NULL, &s, "top", 3), TERN_OK);
    assert_true(tern_stops_take(&s, false, &ready, &n));
    assert_int_equal(n, 0);
    free(piece);
    tern_stops_clear(&s);
}

static void bad_stop_strings_are_refused(void **state)
{
    tern_ctx *ctx = *state;
    tern_stops s = { 0 };
    const char *many[TERN_MOST_STOPS + 1], *empty[] = { "a", "" }, *null[] = { NULL }, *half[] = { "\xC3" },
        *overlong[] = { "\xC0\x80" };
    char text[TERN_MOST_STOP_BYTES + 2];
    const char *longer[] = { text };
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    for (int i = 0; i <= TERN_MOST_STOPS; i++) many[i] = "x";
    const struct {
        const char *const *stop;
        size_t n;
        tern_status status;
        const char *message;
    } bad[] = {
        { many, TERN_MOST_STOPS + 1, TERN_ERR_LIMIT, "65 stop strings, at most 64" },
        { empty, 2, TERN_ERR_ARGUMENT, "stop string 1 is empty" },
        { null, 1, TERN_ERR_ARGUMENT, "stop string 0 is empty" },
        { half, 1, TERN_ERR_ARGUMENT, "stop string 0 is not UTF-8" },
        { overlong, 1, TERN_ERR_ARGUMENT, "stop string 0 is not UTF-8" },
        { longer, 1, TERN_ERR_LIMIT, "stop string 0 is longer than 4096 bytes" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tern_stops_init(ctx, &s, bad[i].stop, bad[i].n), bad[i].status);
        assert_string_equal(tern_ctx_error(ctx), bad[i].message);
        tern_stops_clear(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stop_where_they_should),
        cmocka_unit_test(random_pieces_change_nothing),
        cmocka_unit_test(a_long_piece_makes_space_for_itself),
        cmocka_unit_test(bad_stop_strings_are_refused),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
