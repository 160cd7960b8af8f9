/* JSON files, and text for JSON values: see json.h. Text is read by json_read.c. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/stand_in.h"

typedef tern_status parse_fn(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out);

/* Files that are no JSON in UTF-8 as a whole. */
static tern_status check_encoding(tern_ctx *ctx, const char *path, const char *text, size_t n_bytes)
{
    if (!n_bytes) return tern_fail(ctx, TERN_ERR_FORMAT, "%s: an empty file", path);
    if (n_bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: begins with a byte order mark, which JSON does not allow; save it "
                         "as UTF-8 without one", path);
    if (n_bytes >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: UTF-16, and JSON is UTF-8; save it as UTF-8", path);
    return TERN_OK;
}

static tern_status read_by(parse_fn *parse, tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes,
                           json_t **out)
{
    char *text, path[800];
    size_t n_bytes;
    tern_status st = tern_read_file(ctx, dir, name, max_bytes, &text, &n_bytes);
    if (st) return st;
    tern_show(path, sizeof path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    st = tern_check_not_page(ctx, path, text, n_bytes);
    if (!st) st = check_encoding(ctx, path, text, n_bytes);
    if (!st) st = parse(ctx, path, text, n_bytes, out);
    tern_free(text);
    return st;
}

tern_status tern_json_read(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes, json_t **out)
{
    return read_by(tern_json_parse, ctx, dir, name, max_bytes, out);
}

tern_status tern_json_read_repeats(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes, json_t **out)
{
    return read_by(tern_json_parse_repeats, ctx, dir, name, max_bytes, out);
}

const char *tern_json_kind(const json_t *value)
{
    if (!value) return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

typedef struct shown {
    char *text;
    size_t size, used;
    bool cut;
} shown;

/* Takes what jansson writes, piece by piece, until the text is full; anything but 0 ends jansson's
 * walk. */
static int take_piece(const char *piece, size_t n, void *into)
{
    shown *s = into;
    size_t left = s->size - 1 - s->used;
    s->cut = n > left;
    memcpy(s->text + s->used, piece, s->cut ? left : n);
    s->used += s->cut ? left : n;
    return s->cut ? -1 : 0;
}

/* Where the text may end so that "..." fits behind it and no escape ("\\u00e4", "\\n") is halved;
 * all of it is ASCII. */
static size_t end_of_cut(const char *text, size_t end)
{
    for (size_t i = 0, n; i < end; i += n) {
        n = 1;
        if (text[i] == '\\') n = text[i + 1] == 'u' ? 6 : 2;
        if (i + n > end) return i;
    }
    return end;
}

const char *tern_json_show(const json_t *value, char *buffer, size_t size)
{
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9);
    if (json_is_real(value) && !isfinite(tern_json_number(value))) {
        const char *infinity = tern_json_number(value) > 0 ? "Infinity" : "-Infinity";
        tern_show(buffer, size, "%s", isnan(tern_json_number(value)) ? "NaN" : infinity);
        return buffer;
    }
    shown s = { .text = buffer, .size = size };
    int failed = value ? json_dump_callback(value, take_piece, &s, flags) : -1;
    if (s.cut && size >= 4) {
        size_t end = end_of_cut(buffer, size - 4);
        memcpy(buffer + end, "...", 4);
    } else if (failed && !s.cut) {
        tern_show(buffer, size, "%s", tern_json_kind(value));
    } else {
        buffer[s.used] = 0;
    }
    return buffer;
}
