/* JSON files, and words for JSON values: see json.h. Text is read by json_read.c. */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/memory.h"

typedef tern_status parse_fn(tern_ctx *ctx, const char *what, const char *text, size_t n_bytes, json_t **out);

static tern_status read_by(parse_fn *parse, tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes, json_t **out)
{
    char *text, path[512];
    size_t n_bytes;
    tern_status st = tern_read_file(ctx, dir, name, max_bytes, &text, &n_bytes);
    if (st) return st;
    snprintf(path, sizeof path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    st = parse(ctx, path, text, n_bytes, out);
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

const char *tern_json_show(const json_t *value, char *buffer, size_t size)
{
    size_t n = value ? json_dumpb(value, buffer, size, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) : 0;
    if (!n) snprintf(buffer, size, "%s", tern_json_kind(value));
    else if (n < size) buffer[n] = 0;
    else if (size >= 4) memcpy(buffer + size - 4, "...", 4);
    return buffer;
}
