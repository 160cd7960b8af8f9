/* Scans a safetensors header, one pass, no recursion: see st_header.h. */
#include "formats/st_header.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "formats/words.h"

typedef struct scan {
    tern_ctx *ctx;
    const unsigned char *text;
    size_t at, end;
    const unsigned char *data;
    size_t n_data;
    tern_safetensors *file;
    size_t text_used, tensors_room, metadata_room;
} scan;

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

static void skip_blanks(scan *s)
{
    while (s->at < s->end && (s->text[s->at] == ' ' || s->text[s->at] == '\n' || s->text[s->at] == '\r' || s->text[s->at] == '\t')) s->at++;
}

static bool take(scan *s, char c)
{
    skip_blanks(s);
    if (s->at >= s->end || s->text[s->at] != (unsigned char)c) return false;
    s->at++;
    return true;
}

/* "file: byte 17: a ':' is expected, not 'x'" */
static tern_status expected(scan *s, const char *wanted)
{
    char found[24] = "the header's end";
    if (s->at < s->end) {
        unsigned char c = s->text[s->at];
        if (c > 0x20 && c < 0x7F) snprintf(found, sizeof found, "'%c'", c);
        else snprintf(found, sizeof found, "the byte 0x%02x", c);
    }
    return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: byte %zu: %s is expected, not %s", s->file->path, 8 + s->at, wanted, found);
}

static tern_status expect(scan *s, char c)
{
    char wanted[] = { '\'', c, '\'', 0 };
    return take(s, c) ? TERN_OK : expected(s, wanted);
}

static bool scan_hex4(scan *s, unsigned *out)
{
    *out = 0;
    if (s->end - s->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        int c = s->text[s->at + (size_t)i], letter = c | 32;
        int digit = c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (unsigned)digit;
    }
    s->at += 4;
    return true;
}

/* What follows a backslash, appended to the text. */
static tern_status scan_escape(scan *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *out = s->file->text;
    unsigned c = s->at < s->end ? s->text[s->at] : 0, low;
    const char *simple = c ? strchr(from, (int)c) : NULL;
    if (simple) {
        s->at++;
        out[s->text_used++] = to[simple - from];
        return TERN_OK;
    }
    if (c != 'u') return expected(s, "an escape of JSON");
    s->at++;
    if (!scan_hex4(s, &c)) return expected(s, "\\u with four hexadecimal digits");
    if (!c) return expected(s, "a string without \\u0000");
    if (c >= 0xDC00 && c < 0xE000) return expected(s, "a high surrogate before a low one");
    if (c >= 0xD800 && c < 0xDC00) {
        if (s->end - s->at < 2 || s->text[s->at] != '\\' || s->text[s->at + 1] != 'u') return expected(s, "a low surrogate after a high one");
        s->at += 2;
        if (!scan_hex4(s, &low) || low < 0xDC00 || low > 0xDFFF) return expected(s, "a low surrogate after a high one");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    s->text_used += (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out + s->text_used);
    return TERN_OK;
}

/* The decoded string is never longer than the quoted one, so that the text has room for all strings of the header. */
static tern_status scan_string(scan *s, const char *wanted, const char **out)
{
    tern_status st;
    if (!take(s, '"')) return expected(s, wanted);
    char *start = s->file->text + s->text_used;
    for (;;) {
        size_t from = s->at;
        while (s->at < s->end && s->text[s->at] != '"' && s->text[s->at] != '\\' && s->text[s->at] >= 0x20) s->at++;
        memcpy(s->file->text + s->text_used, s->text + from, s->at - from);
        s->text_used += s->at - from;
        if (s->at >= s->end || s->text[s->at] < 0x20) return expected(s, "a character or the closing '\"' of a string");
        if (s->text[s->at++] == '"') break;
        st = scan_escape(s);
        if (st) return st;
    }
    s->file->text[s->text_used++] = 0;
    *out = start;
    return TERN_OK;
}

static tern_status scan_size(scan *s, uint64_t *out)
{
    uint64_t value = 0;
    skip_blanks(s);
    size_t from = s->at;
    while (s->at < s->end && s->text[s->at] >= '0' && s->text[s->at] <= '9') {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(s->text[s->at] - '0'), &value)) {
            return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: byte %zu: a number beyond 64 bits", s->file->path, 8 + from);
        }
        s->at++;
    }
    bool leading_zero = s->at - from > 1 && s->text[from] == '0';
    if (s->at == from || leading_zero) {
        s->at = from;
        return expected(s, "a non-negative integer");
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
    return tern_fail(s->ctx, TERN_ERR_UNSUPPORTED, "%s: tensor \"%s\": unknown dtype \"%s\"", s->file->path, tern_show_name(t->name, shown),
                     tern_show_name(word, shown_word));
}

static tern_status scan_shape(scan *s, tern_stored *t)
{
    char shown[TERN_SHOWN_BYTES];
    uint64_t dim;
    tern_status st = expect(s, '[');
    if (st || take(s, ']')) return st;
    do {
        st = scan_size(s, &dim);
        if (st) return st;
        if (t->rank == TERN_MAX_RANK) {
            return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": more than %d dimensions", s->file->path, tern_show_name(t->name, shown), TERN_MAX_RANK);
        }
        if (dim > INT64_MAX) {
            return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": a dimension of %llu", s->file->path, tern_show_name(t->name, shown), (unsigned long long)dim);
        }
        t->shape[t->rank++] = (int64_t)dim;
    } while (take(s, ','));
    return expect(s, ']');
}

static tern_status scan_offsets(scan *s, tern_stored *t)
{
    char shown[TERN_SHOWN_BYTES];
    uint64_t begin, end;
    tern_status st = expect(s, '[');
    if (!st) st = scan_size(s, &begin);
    if (!st) st = expect(s, ',');
    if (!st) st = scan_size(s, &end);
    if (!st) st = expect(s, ']');
    if (st) return st;
    if (begin > end || end > s->n_data) {
        return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": data_offsets [%llu, %llu] do not lie in the %zu bytes behind the header%s", s->file->path,
                         tern_show_name(t->name, shown), (unsigned long long)begin, (unsigned long long)end, s->n_data, begin > end ? " in ascending order" : "");
    }
    t->data = s->data + begin;
    t->n_bytes = (size_t)(end - begin);
    return TERN_OK;
}

/* Dimensions of 0 are left out of the overflow check's product, so that strides cannot overflow either. */
static tern_status check_size(scan *s, const tern_stored *t)
{
    char shown[TERN_SHOWN_BYTES];
    int64_t n = (int64_t)dtypes[t->dtype].bytes;
    bool empty = false;
    for (int i = 0; i < t->rank; i++) {
        if (!t->shape[i]) empty = true;
        else if (__builtin_mul_overflow(n, t->shape[i], &n)) {
            return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": the product of its shape overflows 64 bits", s->file->path, tern_show_name(t->name, shown));
        }
    }
    if (empty) n = 0;
    if ((size_t)n == t->n_bytes) return TERN_OK;
    return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": its shape and dtype %s ask for %lld bytes, its data_offsets hold %zu", s->file->path,
                     tern_show_name(t->name, shown), dtypes[t->dtype].name, (long long)n, t->n_bytes);
}

/* One of the three members of a tensor; the bit of the one it was is set in *seen. */
static tern_status scan_member(scan *s, tern_stored *t, int *seen)
{
    const char *key;
    char shown[TERN_SHOWN_BYTES], shown_key[TERN_SHOWN_BYTES];
    size_t mark = s->text_used;
    tern_status st = scan_string(s, "\"dtype\", \"shape\" or \"data_offsets\"", &key);
    if (!st) st = expect(s, ':');
    if (st) return st;
    int bit = !strcmp(key, "dtype") ? HAS_DTYPE : !strcmp(key, "shape") ? HAS_SHAPE : !strcmp(key, "data_offsets") ? HAS_OFFSETS : 0;
    if (!bit || *seen & bit) {
        return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": the member \"%s\" %s", s->file->path, tern_show_name(t->name, shown),
                         tern_show_name(key, shown_key), bit ? "comes twice" : "is none that the format has");
    }
    *seen |= bit;
    st = bit == HAS_DTYPE ? scan_dtype(s, t) : bit == HAS_SHAPE ? scan_shape(s, t) : scan_offsets(s, t);
    s->text_used = mark;
    return st;
}

static tern_status scan_tensor(scan *s, const char *name)
{
    tern_stored t = { .name = name };
    char shown[TERN_SHOWN_BYTES];
    int seen = 0;
    tern_status st = expect(s, '{');
    if (!st && !take(s, '}')) {
        do st = scan_member(s, &t, &seen);
        while (!st && take(s, ','));
        if (!st) st = expect(s, '}');
    }
    if (st) return st;
    if (seen != HAS_ALL) {
        return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\": no %s", s->file->path, tern_show_name(name, shown),
                         !(seen & HAS_DTYPE) ? "dtype" : !(seen & HAS_SHAPE) ? "shape" : "data_offsets");
    }
    st = check_size(s, &t);
    if (!st && s->file->count == s->tensors_room) {
        s->tensors_room = s->tensors_room ? 2 * s->tensors_room : 64;
        st = tern_grow(s->ctx, (void **)&s->file->tensors, s->tensors_room, sizeof t, "a list of tensors");
    }
    if (!st) s->file->tensors[s->file->count++] = t;
    return st;
}

static tern_status scan_metadata(scan *s)
{
    struct tern_st_pair pair;
    if (s->file->metadata) return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: \"__metadata__\" comes twice", s->file->path);
    tern_status st = expect(s, '{');
    bool empty = !st && take(s, '}');
    if (!st) {
        s->metadata_room = 8;
        st = tern_grow(s->ctx, (void **)&s->file->metadata, s->metadata_room, sizeof pair, "the metadata of a file");
    }
    if (st || empty) return st;
    do {
        st = scan_string(s, "a key of \"__metadata__\"", &pair.key);
        if (!st) st = expect(s, ':');
        if (!st) st = scan_string(s, "a string as a value of \"__metadata__\"", &pair.value);
        if (!st && s->file->n_metadata == s->metadata_room) {
            s->metadata_room *= 2;
            st = tern_grow(s->ctx, (void **)&s->file->metadata, s->metadata_room, sizeof pair, "the metadata of a file");
        }
        if (!st) s->file->metadata[s->file->n_metadata++] = pair;
    } while (!st && take(s, ','));
    return st ? st : expect(s, '}');
}

static tern_status check_utf8(scan *s)
{
    for (size_t i = 0; i < s->end;) {
        uint64_t eight;
        if (s->end - i >= 8 && (memcpy(&eight, s->text + i, 8), !(eight & 0x8080808080808080))) {
            i += 8;
            continue;
        }
        utf8proc_int32_t c;
        utf8proc_ssize_t n = s->text[i] < 0x80 ? 1 : utf8proc_iterate(s->text + i, (utf8proc_ssize_t)(s->end - i), &c);
        if (n < 1) return tern_fail(s->ctx, TERN_ERR_FORMAT, "%s: byte %zu: the header is not valid UTF-8", s->file->path, 8 + i);
        i += (size_t)n;
    }
    return TERN_OK;
}

tern_status tern_st_header_scan(tern_ctx *ctx, const unsigned char *header, size_t n_header, const unsigned char *data, size_t n_data,
                                tern_safetensors *file)
{
    scan s = { .ctx = ctx, .text = header, .end = n_header, .data = data, .n_data = n_data, .file = file };
    const char *name;
    if (!n_header || header[0] != '{') return expected(&s, "'{' as the header's first byte");
    tern_status st = check_utf8(&s);
    if (st) return st;
    file->text = tern_alloc(ctx, n_header, 1, "the names of a file's tensors");
    if (!file->text) return TERN_ERR_MEMORY;
    s.at = 1;
    if (!take(&s, '}')) {
        do {
            st = scan_string(&s, "a tensor's name", &name);
            if (!st) st = expect(&s, ':');
            if (!st) st = strcmp(name, "__metadata__") ? scan_tensor(&s, name) : scan_metadata(&s);
        } while (!st && take(&s, ','));
        if (!st) st = expect(&s, '}');
    }
    skip_blanks(&s);
    return st || s.at == s.end ? st : expected(&s, "nothing but blanks after the header's object");
}
