/* Scans a safetensors header, one pass, no recursion: see st_header.h. */
#include "formats/st_header.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json_scan.h"
#include "base/memory.h"
#include "formats/faults.h"

typedef struct scan {
    tern_json_scan json;
    const unsigned char *data;
    size_t n_data;
    tern_safetensors *file;
    size_t text_used, tensors_capacity, metadata_capacity;
} scan;

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

/* A string kept in the file's text. The decoded string is never longer than the quoted one, so that
 * the text has space for all of the header. */
static tern_status scan_string(scan *s, const char *wanted, const char **out)
{
    size_t n;
    char *start = s->file->text + s->text_used;
    tern_status st = tern_json_string(&s->json, wanted, start, &n);
    if (st) return st;
    s->text_used += n + 1;
    *out = start;
    return TERN_OK;
}

/* 0, or digits that begin with another one. */
static tern_status scan_size(scan *s, uint64_t *out)
{
    tern_json_scan *json = &s->json;
    uint64_t value = 0;
    tern_json_blanks(json);
    const size_t from = json->at;
    for (; json->at < json->end && json->text[json->at] >= '0' && json->text[json->at] <= '9'; json->at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(json->text[json->at] - '0'), &value)) {
            json->at = from;
            return tern_json_wrong(json, "a number beyond 64 bits");
        }
    }
    if (json->at == from || (json->at - from > 1 && json->text[from] == '0')) {
        json->at = from;
        return tern_json_expected(json, "a non-negative integer");
    }
    *out = value;
    return TERN_OK;
}

static const struct { const char *name; size_t bytes; } dtypes[TERN_ST_N_DTYPES] = {
    [TERN_ST_F32] = { "F32", 4 },         [TERN_ST_F16] = { "F16", 2 },         [TERN_ST_BF16] = { "BF16", 2 },
    [TERN_ST_I8] = { "I8", 1 },           [TERN_ST_U8] = { "U8", 1 },           [TERN_ST_BOOL] = { "BOOL", 1 },
    [TERN_ST_I32] = { "I32", 4 },         [TERN_ST_I64] = { "I64", 8 },         [TERN_ST_I16] = { "I16", 2 },
    [TERN_ST_U16] = { "U16", 2 },         [TERN_ST_U32] = { "U32", 4 },         [TERN_ST_U64] = { "U64", 8 },
    [TERN_ST_F64] = { "F64", 8 },         [TERN_ST_F8_E4M3] = { "F8_E4M3", 1 }, [TERN_ST_F8_E5M2] = { "F8_E5M2", 1 },
};

const char *tern_stored_dtype_name(tern_stored_dtype dtype)
{
    return (unsigned)dtype < TERN_ST_N_DTYPES ? dtypes[dtype].name : "?";
}

size_t tern_stored_dtype_bytes(tern_stored_dtype dtype)
{
    return (unsigned)dtype < TERN_ST_N_DTYPES ? dtypes[dtype].bytes : 0;
}

static tern_status scan_dtype(scan *s, tern_stored *t)
{
    const char *word;
    char shown[TERN_SHOWN_BYTES], shown_word[TERN_SHOWN_BYTES];
    tern_status st = scan_string(s, "a string that names a dtype", &word);
    if (st) return st;
    for (int i = 0; i < TERN_ST_N_DTYPES; i++) {
        if (!strcmp(word, dtypes[i].name)) {
            t->dtype = (tern_stored_dtype)i;
            return TERN_OK;
        }
    }
    return tern_fail(s->json.ctx, TERN_ERR_UNSUPPORTED, "%s: tensor \"%s\": unknown dtype \"%s\"", s->file->path,
                     tern_show_name(t->name, shown), tern_show_name(word, shown_word));
}

static tern_status scan_shape(scan *s, tern_stored *t)
{
    char shown[TERN_SHOWN_BYTES];
    uint64_t dim;
    tern_status st = tern_json_need(&s->json, '[');
    if (st || tern_json_take(&s->json, ']')) return st;
    do {
        st = scan_size(s, &dim);
        if (st) return st;
        if (t->rank == TERN_MAX_RANK) {
            return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": more than %d dimensions", s->file->path,
                             tern_show_name(t->name, shown), TERN_MAX_RANK);
        }
        if (dim > INT64_MAX) {
            return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": a dimension of %llu", s->file->path,
                             tern_show_name(t->name, shown), (unsigned long long)dim);
        }
        t->shape[t->rank++] = (int64_t)dim;
    } while (tern_json_take(&s->json, ','));
    return tern_json_need(&s->json, ']');
}

static tern_status scan_offsets(scan *s, tern_stored *t)
{
    char shown[TERN_SHOWN_BYTES];
    uint64_t begin, end;
    tern_status st = tern_json_need(&s->json, '[');
    if (!st) st = scan_size(s, &begin);
    if (!st) st = tern_json_need(&s->json, ',');
    if (!st) st = scan_size(s, &end);
    if (!st) st = tern_json_need(&s->json, ']');
    if (st) return st;
    if (begin > end || end > s->n_data) {
        return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": data_offsets [%llu, %llu] do not lie in the "
                         "%zu bytes behind the header%s", s->file->path, tern_show_name(t->name, shown),
                         (unsigned long long)begin, (unsigned long long)end, s->n_data, begin > end
                             ? " in ascending order" : ": the file is cut, as by a download that has not finished");
    }
    t->data = s->data + begin;
    t->n_bytes = (size_t)(end - begin);
    return TERN_OK;
}

/* Dimensions of 0 are left out of the overflow check's product, so that strides cannot overflow
 * either. */
static tern_status check_size(scan *s, const tern_stored *t)
{
    char shown[TERN_SHOWN_BYTES];
    int64_t n = (int64_t)dtypes[t->dtype].bytes;
    bool empty = false;
    for (int i = 0; i < t->rank; i++) {
        if (!t->shape[i]) empty = true;
        else if (__builtin_mul_overflow(n, t->shape[i], &n)) {
            return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": the product of its shape overflows 64 "
                             "bits", s->file->path, tern_show_name(t->name, shown));
        }
    }
    if (empty) n = 0;
    if ((size_t)n == t->n_bytes) return TERN_OK;
    return tern_fail(s->json.ctx, TERN_ERR_FORMAT,
                     "%s: tensor \"%s\": its shape and dtype %s ask for %lld bytes, its data_offsets hold %zu",
                     s->file->path, tern_show_name(t->name, shown), dtypes[t->dtype].name, (long long)n, t->n_bytes);
}

/* One of the three members of a tensor; the bit of the one it was is set in *seen. */
static tern_status scan_member(scan *s, tern_stored *t, int *seen)
{
    const char *key;
    char shown[TERN_SHOWN_BYTES], shown_key[TERN_SHOWN_BYTES];
    size_t mark = s->text_used;
    tern_status st = scan_string(s, "\"dtype\", \"shape\" or \"data_offsets\"", &key);
    if (!st) st = tern_json_need(&s->json, ':');
    if (st) return st;
    int bit = 0;
    if (!strcmp(key, "dtype")) bit = HAS_DTYPE;
    else if (!strcmp(key, "shape")) bit = HAS_SHAPE;
    else if (!strcmp(key, "data_offsets")) bit = HAS_OFFSETS;
    if (!bit || *seen & bit) {
        return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": the member \"%s\" %s", s->file->path,
                         tern_show_name(t->name, shown), tern_show_name(key, shown_key),
                         bit ? "comes twice" : "is none that the format has");
    }
    *seen |= bit;
    if (bit == HAS_DTYPE) st = scan_dtype(s, t);
    else if (bit == HAS_SHAPE) st = scan_shape(s, t);
    else st = scan_offsets(s, t);
    s->text_used = mark;
    return st;
}

static tern_status scan_tensor(scan *s, const char *name)
{
    tern_stored t = { .name = name };
    char shown[TERN_SHOWN_BYTES];
    int seen = 0;
    tern_status st = tern_json_need(&s->json, '{');
    if (!st && !tern_json_take(&s->json, '}')) {
        do st = scan_member(s, &t, &seen);
        while (!st && tern_json_take(&s->json, ','));
        if (!st) st = tern_json_need(&s->json, '}');
    }
    if (st) return st;
    if (seen != HAS_ALL) {
        const char *missing = "data_offsets";
        if (!(seen & HAS_DTYPE)) missing = "dtype";
        else if (!(seen & HAS_SHAPE)) missing = "shape";
        return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": no %s", s->file->path,
                         tern_show_name(name, shown), missing);
    }
    st = check_size(s, &t);
    if (!st && s->file->count == s->tensors_capacity) {
        s->tensors_capacity = s->tensors_capacity ? 2 * s->tensors_capacity : 64;
        st = tern_grow(s->json.ctx, (void **)&s->file->tensors, s->tensors_capacity, sizeof t, "a list of tensors");
    }
    if (!st) s->file->tensors[s->file->count++] = t;
    return st;
}

static tern_status scan_metadata(scan *s)
{
    struct tern_st_pair pair;
    if (s->file->metadata)
        return tern_fail(s->json.ctx, TERN_ERR_FORMAT, "%s: \"__metadata__\" comes twice", s->file->path);
    tern_status st = tern_json_need(&s->json, '{');
    bool empty = !st && tern_json_take(&s->json, '}');
    if (!st) {
        s->metadata_capacity = 8;
        st = tern_grow(s->json.ctx, (void **)&s->file->metadata, s->metadata_capacity, sizeof pair,
                       "the metadata of a file");
    }
    if (st || empty) return st;
    do {
        st = scan_string(s, "a key of \"__metadata__\"", &pair.key);
        if (!st) st = tern_json_need(&s->json, ':');
        if (!st) st = scan_string(s, "a string as a value of \"__metadata__\"", &pair.value);
        if (!st && s->file->n_metadata == s->metadata_capacity) {
            s->metadata_capacity *= 2;
            st = tern_grow(s->json.ctx, (void **)&s->file->metadata, s->metadata_capacity, sizeof pair,
                           "the metadata of a file");
        }
        if (!st) s->file->metadata[s->file->n_metadata++] = pair;
    } while (!st && tern_json_take(&s->json, ','));
    return st ? st : tern_json_need(&s->json, '}');
}

tern_status tern_st_header_scan(tern_ctx *ctx, const unsigned char *header, size_t n_header, const unsigned char *data,
                                size_t n_data, tern_safetensors *file)
{
    scan s = { .json = { .ctx = ctx, .what = file->path, .text = header, .end = n_header, .in_bytes = true, .origin = 8,
                         .no_nul = true },
               .data = data, .n_data = n_data, .file = file };
    const char *name;
    if (!n_header || header[0] != '{') return tern_json_expected(&s.json, "'{' as the header's first byte");
    tern_status st = tern_json_check_utf8(&s.json);
    if (st) return st;
    file->text = tern_alloc(ctx, n_header, 1, "the names of a file's tensors");
    if (!file->text) return TERN_ERR_MEMORY;
    s.json.at = 1;
    if (!tern_json_take(&s.json, '}')) {
        do {
            st = scan_string(&s, "a tensor's name", &name);
            if (!st) st = tern_json_need(&s.json, ':');
            if (!st) st = strcmp(name, "__metadata__") ? scan_tensor(&s, name) : scan_metadata(&s);
        } while (!st && tern_json_take(&s.json, ','));
        if (!st) st = tern_json_need(&s.json, '}');
    }
    tern_json_blanks(&s.json);
    return st || s.json.at == s.json.end ? st
                                         : tern_json_expected(&s.json, "nothing but blanks after the header's object");
}
