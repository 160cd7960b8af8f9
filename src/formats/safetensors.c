/* Opens safetensors files and looks their tensors up: see safetensors.h. The header is scanned by
 * st_header.c. */
#include "formats/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "base/stand_in.h"
#include "formats/st_header.h"
#include "formats/faults.h"

enum { MAX_HEADER_BYTES = 100000000 };

static int compare_offset(const void *a, const void *b)
{
    const tern_stored *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

static int compare_names(const void *a, const void *b, void *arg)
{
    const tern_stored *tensors = arg;
    return strcmp(tensors[*(const uint32_t *)a].name, tensors[*(const uint32_t *)b].name);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct tern_st_pair *)a)->key, ((const struct tern_st_pair *)b)->key);
}

/* Puts the tensors in the order of their bytes, which most files have already, and sees that they
 * cover the data exactly. */
static tern_status check_places(tern_ctx *ctx, tern_safetensors *file, const unsigned char *data, size_t n_data)
{
    char shown[TERN_SHOWN_BYTES], before[TERN_SHOWN_BYTES];
    const unsigned char *covered = data;
    size_t i = 1;
    while (i < file->count && compare_offset(&file->tensors[i - 1], &file->tensors[i]) <= 0) i++;
    if (i < file->count) qsort(file->tensors, file->count, sizeof *file->tensors, compare_offset);
    for (i = 0; i < file->count; i++) {
        const tern_stored *t = &file->tensors[i];
        if (t->data > covered) {
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s: a hole of %td bytes before tensor \"%s\"", file->path,
                             t->data - covered, tern_show_name(t->name, shown));
        }
        if (t->data < covered) {
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\" overlaps tensor \"%s\" by %td bytes", file->path,
                             tern_show_name(t->name, shown), tern_show_name(t[-1].name, before), covered - t->data);
        }
        covered = t->data + t->n_bytes;
    }
    if (covered == data + n_data) return TERN_OK;
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %td bytes behind the last tensor belong to none", file->path,
                     data + n_data - covered);
}

static tern_status check_names(tern_ctx *ctx, tern_safetensors *file)
{
    char shown[TERN_SHOWN_BYTES];
    file->by_name = tern_alloc(ctx, file->count, sizeof *file->by_name, "an index of tensors");
    if (!file->by_name) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = (uint32_t)i;
    qsort_r(file->by_name, file->count, sizeof *file->by_name, compare_names, file->tensors);
    for (size_t i = 1; i < file->count; i++) {
        const char *name = file->tensors[file->by_name[i]].name;
        if (!strcmp(name, file->tensors[file->by_name[i - 1]].name)) {
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\" comes twice", file->path,
                             tern_show_name(name, shown));
        }
    }
    if (!file->n_metadata) return TERN_OK;
    qsort(file->metadata, file->n_metadata, sizeof *file->metadata, compare_keys);
    for (size_t i = 1; i < file->n_metadata; i++) {
        const char *key = file->metadata[i].key;
        if (!strcmp(key, file->metadata[i - 1].key)) {
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s: the key \"%s\" of \"__metadata__\" comes twice", file->path,
                             tern_show_name(key, shown));
        }
    }
    return TERN_OK;
}

/* What a file is that begins with these 8 bytes and is not as long as they would have it. */
static const char *looks_like(const unsigned char *bytes)
{
    static const struct { const char *magic; size_t n; const char *description; } others[] = {
        { "PK\x03\x04", 4, "an archive, as PyTorch's pickles are," }, { "\x80\x02\x8a\x0a", 4, "a pickle of PyTorch" },
        { "GGUF", 4, "a GGUF file" },
        { "\x89HDF", 4, "a file of HDF5" }, { "\x1f\x8b\x08", 3, "a gzip archive" },
        { "\x93NUMPY", 6, "an array of NumPy" },
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!memcmp(bytes, others[i].magic, others[i].n)) return others[i].description;
    return NULL;
}

/* A text, as the line that a server answers with where it has no such file. */
static bool is_text(const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((bytes[i] < ' ' || bytes[i] > '~') && bytes[i] != '\n' && bytes[i] != '\r') return false;
    return true;
}

static tern_status check(tern_ctx *ctx, tern_safetensors *file, const unsigned char *bytes, size_t n_bytes)
{
    uint64_t n_header = 0;
    char text[48], shown[TERN_SHOWN_BYTES];
    if (n_bytes < 8)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %zu bytes, and a safetensors file begins with 8 that hold its "
                         "header's size", file->path, n_bytes);
    for (int i = 7; i >= 0; i--) n_header = n_header << 8 | bytes[i];
    const char *other = n_header > n_bytes - 8 ? looks_like(bytes) : NULL;
    if (other) return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s under the name of a safetensors file", file->path, other);
    if (n_header > MAX_HEADER_BYTES && is_text(bytes, 8)) {
        int n_shown = n_bytes < 40 ? (int)n_bytes : 40;
        tern_show(text, sizeof text, "%.*s", n_shown, (const char *)bytes);
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: begins with the text \"%s\", and is no safetensors file; fetch the "
                         "file again", file->path, tern_show_name(text, shown));
    }
    if (n_header > MAX_HEADER_BYTES) {
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: a header of %llu bytes; the format allows %d", file->path,
                         (unsigned long long)n_header, MAX_HEADER_BYTES);
    }
    if (n_header > n_bytes - 8) {
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: a header of %llu bytes in a file of %zu: truncated, or not "
                         "safetensors", file->path, (unsigned long long)n_header, n_bytes);
    }
    const unsigned char *data = bytes + 8 + n_header;
    size_t n_data = n_bytes - 8 - (size_t)n_header;
    tern_status st = tern_st_header_scan(ctx, bytes + 8, (size_t)n_header, data, n_data, file);
    if (!st) st = check_places(ctx, file, data, n_data);
    if (!st) st = check_names(ctx, file);
    return st;
}

static tern_status begin(tern_ctx *ctx, const char *dir, const char *name, tern_safetensors **out)
{
    tern_safetensors *file = tern_alloc(ctx, 1, sizeof *file, "a safetensors file");
    if (!file) return TERN_ERR_MEMORY;
    size_t size = (dir ? strlen(dir) + 1 : 0) + strlen(name) + 1;
    file->path = tern_alloc(ctx, size, 1, "a path");
    if (!file->path) {
        tern_free(file);
        return TERN_ERR_MEMORY;
    }
    snprintf(file->path, size, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    *out = file;
    return TERN_OK;
}

tern_status tern_safetensors_open(tern_ctx *ctx, const char *dir, const char *name, tern_safetensors **out)
{
    tern_safetensors *file = NULL;
    tern_status st = TERN_OK;
    TERN_TRY(begin(ctx, dir, name, &file));
    TERN_TRY(tern_map_file(ctx, dir, name, &file->map));
    file->real = tern_file_real(ctx, file->path);
    if (!file->real) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    TERN_TRY(tern_check_not_page(ctx, file->path, file->map.data, file->map.n_bytes));
    TERN_TRY(check(ctx, file, file->map.data, file->map.n_bytes));
    *out = file;
    file = NULL;
done:
    tern_safetensors_close(file);
    return st;
}

tern_status tern_safetensors_parse(tern_ctx *ctx, const char *what, const void *data, size_t n_bytes,
                                   tern_safetensors **out)
{
    tern_safetensors *file = NULL;
    tern_status st = TERN_OK;
    TERN_TRY(begin(ctx, NULL, what, &file));
    TERN_TRY(check(ctx, file, data, n_bytes));
    *out = file;
    file = NULL;
done:
    tern_safetensors_close(file);
    return st;
}

void tern_safetensors_close(tern_safetensors *file)
{
    if (!file) return;
    tern_free(file->path);
    tern_free(file->real);
    tern_free(file->tensors);
    tern_free(file->by_name);
    tern_free(file->metadata);
    tern_free(file->text);
    tern_map_close(&file->map);
    tern_free(file);
}

const tern_stored *tern_safetensors_find(const tern_safetensors *file, const char *name)
{
    size_t lo = 0, hi = file->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const tern_stored *t = &file->tensors[file->by_name[mid]];
        int order = strcmp(name, t->name);
        if (!order) return t;
        if (order < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

const char *tern_safetensors_metadata(const tern_safetensors *file, const char *key)
{
    struct tern_st_pair wanted = { .key = key };
    if (!file->n_metadata) return NULL;
    const struct tern_st_pair *pair = bsearch(&wanted, file->metadata, file->n_metadata, sizeof wanted, compare_keys);
    return pair ? pair->value : NULL;
}

tern_status tern_stored_view(tern_ctx *ctx, const tern_stored *stored, tern_tensor *out)
{
    static const tern_dtype types[] = {
        [TERN_ST_F32] = TERN_F32, [TERN_ST_F16] = TERN_F16, [TERN_ST_BF16] = TERN_BF16, [TERN_ST_I8] = TERN_I8,
        [TERN_ST_U8] = TERN_U8,   [TERN_ST_BOOL] = TERN_BOOL, [TERN_ST_I32] = TERN_I32, [TERN_ST_I64] = TERN_I64,
    };
    char shown[TERN_SHOWN_BYTES];
    if ((size_t)stored->dtype >= sizeof types / sizeof *types) {
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "tensor \"%s\" is stored as %s, which tern does not compute with",
                         tern_show_name(stored->name, shown), tern_stored_dtype_name(stored->dtype));
    }
    *out = tern_tensor_of((void *)stored->data, types[stored->dtype], stored->rank, stored->shape);
    return TERN_OK;
}
