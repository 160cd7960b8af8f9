/* Files and JSON as tern takes them: what is read and mapped, and everything that is refused, with
 * its message and without waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

static char dir[64];
static tern_ctx *ctx;

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *text, size_t n)
{
    FILE *f = fopen(path_of(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static int set_up(void **state)
{
    char target[256];
    tern_ctx_options o = { .threads = 1 };
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/tern-files-XXXXXX");
    if (!mkdtemp(dir) || tern_ctx_create(&o, &ctx)) return -1;
    put("plain", "twelve bytes", 12);
    put("empty", "", 0);
    put("a.json", "{\"a\": [1, 2.5, \"x\"]}", 20);
    mkdir(path_of("sub"), 0700);
    put("sub/inner", "inner", 5);
    mkfifo(path_of("fifo"), 0600);
    snprintf(target, sizeof target, "%s/plain", dir);
    if (symlink(target, path_of("link")) || symlink("/dev/zero", path_of("zero")) ||
        symlink("nowhere", path_of("dangling")))
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "plain", "empty", "a.json", "sub/inner", "fifo", "link", "zero", "dangling" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(path_of(names[i]));
    rmdir(path_of("sub"));
    rmdir(dir);
    tern_ctx_free(ctx);
    return 0;
}

typedef struct file_row {
    const char *name;
    tern_status status;
    const char *message;    /* in the sentence, or the content */
    const char *why;
} file_row;

static const file_row file_rows[] = {
    { "plain", TERN_OK, "twelve bytes", "a regular file" },
    { "sub/inner", TERN_OK, "inner", "one in a folder below" },
    { "empty", TERN_OK, "", "an empty file" },
    { "link", TERN_OK, "twelve bytes", "a link to a regular file, as download caches make them" },
    { "missing", TERN_ERR_IO, "missing: No such file", "a file that is not there" },
    { "dangling", TERN_ERR_IO, "dangling", "a link to nothing" },
    { "sub", TERN_ERR_FORMAT, "a directory", "a directory" },
    { "fifo", TERN_ERR_FORMAT, "a FIFO", "a FIFO without a writer: no waiting" },
    { "zero", TERN_ERR_FORMAT, "a device", "a device without an end" },
    { "../plain", TERN_ERR_FORMAT, "leads out", "a name that leads out" },
    { "sub/../../plain", TERN_ERR_FORMAT, "leads out", "a name that leads out by a detour" },
    { "sub/..", TERN_ERR_FORMAT, "leads out", "a name that ends in .." },
    { "..", TERN_ERR_FORMAT, "leads out", "the folder above" },
    { "/etc/passwd", TERN_ERR_FORMAT, "leads out", "an absolute path" },
    { "", TERN_ERR_FORMAT, "leads out", "no name" },
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof file_rows / sizeof *file_rows; i++) {
        const file_row *r = &file_rows[i];
        tern_map map = { 0 };
        char *text = NULL;
        size_t n = 0;
        assert_int_equal(tern_map_file(ctx, dir, r->name, &map), r->status);
        if (r->status) {
            if (!strstr(tern_ctx_error(ctx), r->message)) fail_msg("%s: \"%s\"", r->why, tern_ctx_error(ctx));
            assert_null(map.data);
        } else {
            assert_int_equal(map.n_bytes, strlen(r->message));
            assert_memory_equal(map.data, r->message, map.n_bytes);
        }
        assert_int_equal(tern_read_file(ctx, dir, r->name, 100, &text, &n), r->status);
        if (!r->status) assert_string_equal(text, r->message);
        bool there = strcmp(r->name, "missing") && strcmp(r->message, "leads out");
        /* what is no file, or has lost its target, is said when it is read */
        assert_int_equal(tern_file_exists(dir, r->name), there);
        tern_map_close(&map);
        tern_map_close(&map);
        tern_free(text);
    }
}

static void test_limits(void **state)
{
    char *text = NULL, name[6000];
    size_t n;
    tern_map map = { 0 };
    (void)state;
    assert_int_equal(tern_read_file(ctx, dir, "plain", 12, &text, &n), TERN_OK);
    tern_free(text);
    text = NULL;
    assert_int_equal(tern_read_file(ctx, dir, "plain", 11, &text, &n), TERN_ERR_LIMIT);
    assert_non_null(strstr(tern_ctx_error(ctx), "12 bytes"));
    assert_null(text);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(tern_map_file(ctx, dir, name, &map), TERN_ERR_LIMIT);
    assert_false(tern_file_exists(dir, name));
    assert_int_equal(tern_map_file(ctx, NULL, path_of("plain"), &map), TERN_OK);    /* without a directory: any path */
    tern_map_close(&map);
}

static void test_identity(void **state)
{
    tern_file_id before, after;
    tern_map map;
    (void)state;
    put("plain", "twelve bytes", 12);
    assert_int_equal(tern_map_file(ctx, dir, "plain", &map), TERN_OK);
    assert_int_equal(tern_file_identify(ctx, dir, "plain", &before), TERN_OK);
    assert_memory_equal(&before, &map.id, sizeof before);
    tern_map_close(&map);
    usleep(20000);
    put("plain", "twelve bytez", 12);
    assert_int_equal(tern_file_identify(ctx, dir, "plain", &after), TERN_OK);
    assert_memory_not_equal(&before, &after, sizeof before);
    put("plain", "twelve bytes", 12);
    assert_int_equal(tern_file_identify(ctx, dir, "missing", &after), TERN_ERR_IO);
    assert_int_equal(tern_file_identify(ctx, dir, "../x", &after), TERN_ERR_FORMAT);
}

typedef struct json_row {
    const char *text;
    size_t n_bytes;    /* 0: all of it */
    const char *message, *why;
} json_row;

static const json_row json_rows[] = {
    { "{\"a\": 1}", 0, NULL, "an object" },
    { "3", 0, NULL, "a bare value" },
    { "\"a\\u0000b\"", 0, NULL, "a NUL by escape" },
    { "", 0, "t.json: line 1", "nothing" },
    { "{\"a\": 1", 0, "t.json: line 1", "an end that is missing" },
    { "{\n\"a\": 1,\n}", 0, "line 3", "a comma too many: the line is named" },
    { "{\"a\": 1} x", 0, "t.json", "text behind the value" },
    { "{\"a\": 1, \"a\": 2}", 0, "duplicate", "a key twice" },
    { "\"\xff\"", 0, "0xff", "bytes that are not UTF-8" },
    { "\xef\xbb\xbf{}", 0, "t.json", "a byte order mark" },
    { "{}\0", 3, "t.json", "a NUL behind the value" },
    { "[1e999]", 0, NULL, "a number beyond all is infinite" },
    { "[NaN]", 0, NULL, "a word that is a number" },
    { "\"\\ud800\"", 0, "t.json", "half of a surrogate pair" },
};

static void test_json(void **state)
{
    char shown[16], *deep = malloc(100001);
    json_t *value = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof json_rows / sizeof *json_rows; i++) {
        const json_row *r = &json_rows[i];
        value = NULL;
        tern_status st = tern_json_parse(ctx, "t.json", r->text, r->n_bytes ? r->n_bytes : strlen(r->text), &value);
        if ((st == TERN_OK) != !r->message || (st && st != TERN_ERR_FORMAT))
            fail_msg("%s: %s", r->why, tern_status_name(st));
        if (st && !strstr(tern_ctx_error(ctx), r->message)) fail_msg("%s: \"%s\"", r->why, tern_ctx_error(ctx));
        json_decref(value);
    }
    memset(deep, '[', 100000);
    deep[100000] = 0;
    assert_int_equal(tern_json_parse(ctx, "deep", deep, 100000, &value), TERN_ERR_FORMAT);
    free(deep);

    assert_int_equal(tern_json_read(ctx, dir, "a.json", 100, &value), TERN_OK);
    assert_string_equal(tern_json_kind(value), "an object");
    assert_string_equal(tern_json_kind(json_object_get(value, "a")), "a list");
    assert_string_equal(tern_json_kind(json_object_get(value, "b")), "nothing");
    assert_string_equal(tern_json_kind(json_array_get(json_object_get(value, "a"), 0)), "an integer");
    assert_string_equal(tern_json_kind(json_array_get(json_object_get(value, "a"), 1)), "a number");
    assert_string_equal(tern_json_kind(json_array_get(json_object_get(value, "a"), 2)), "a string");
    assert_string_equal(tern_json_show(json_object_get(value, "a"), shown, sizeof shown), "[1,2.5,\"x\"]");
    assert_string_equal(tern_json_show(value, shown, sizeof shown), "{\"a\":[1,2.5,...");
    assert_string_equal(tern_json_show(NULL, shown, sizeof shown), "nothing");
    json_decref(value);
    assert_int_equal(tern_json_read(ctx, dir, "plain", 100, &value), TERN_ERR_FORMAT);
    assert_non_null(strstr(tern_ctx_error(ctx), "/plain: line 1"));
    assert_int_equal(tern_json_read(ctx, dir, "a.json", 10, &value), TERN_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
