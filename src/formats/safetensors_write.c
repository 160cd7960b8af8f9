/* Writes safetensors files: declared first, filled in any order, visible only when whole
 * (safetensors.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/safetensors.h"
#include "formats/faults.h"

typedef struct place {
    tern_tensor form;         /* dtype and shape, no data */
    const char *name;         /* borrowed during begin only */
    size_t offset, n_bytes;   /* in the file */
    bool put;
} place;

struct tern_safetensors_writer {
    char *path, *temporary;
    int fd;                   /* -1: not open */
    bool committed;           /* it has its final name */
    place *places;            /* as the caller numbers them */
    size_t count;
};

static const char *const dtype_names[TERN_N_DTYPES] = {
    [TERN_F32] = "F32", [TERN_F16] = "F16",   [TERN_BF16] = "BF16", [TERN_I8] = "I8",
    [TERN_U8] = "U8",   [TERN_BOOL] = "BOOL", [TERN_I32] = "I32",   [TERN_I64] = "I64",
};

/* Larger elements first, so that a header of a multiple of 8 bytes aligns everything behind it. */
static int compare_order(const void *a, const void *b)
{
    const place *x = *(place *const *)a, *y = *(place *const *)b;
    size_t x_bytes = tern_dtype_bytes(x->form.dtype), y_bytes = tern_dtype_bytes(y->form.dtype);
    if (x_bytes != y_bytes) return x_bytes > y_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static tern_status check_declared(tern_ctx *ctx, const char *path, const tern_named_tensor *t, place *out)
{
    char shown[TERN_SHOWN_BYTES];
    size_t n = tern_dtype_bytes(t->tensor.dtype);
    bool overflow = !n || t->tensor.rank < 0 || t->tensor.rank > TERN_MAX_RANK;
    for (int i = 0; !overflow && i < t->tensor.rank; i++) {
        overflow = t->tensor.shape[i] < 0 || __builtin_mul_overflow(n, (size_t)t->tensor.shape[i], &n);
    }
    if (overflow || n > PTRDIFF_MAX) {
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: tensor \"%s\" has no type or shape that a file can hold", path,
                         tern_show_name(t->name, shown));
    }
    *out = (place){ .form = tern_tensor_of(NULL, t->tensor.dtype, t->tensor.rank, t->tensor.shape), .name = t->name,
                    .n_bytes = n };
    return TERN_OK;
}

static json_t *describe(const place *p, size_t offset)
{
    json_t *shape = json_array();
    for (int i = 0; i < p->form.rank; i++) {
        if (json_array_append_new(shape, json_integer(p->form.shape[i]))) {
            json_decref(shape);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_names[p->form.dtype], "shape", shape, "data_offsets",
                     (json_int_t)offset, (json_int_t)(offset + p->n_bytes));
}

static bool is_utf8(const char *text)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n = 0;
    while (*text && (n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)strnlen(text, 4), &c)) > 0)
        text += n;
    return !*text;
}

static tern_status add_metadata(tern_ctx *ctx, const char *path, json_t *header, const struct tern_st_pair *metadata,
                                size_t n_metadata)
{
    json_t *pairs = json_object();
    bool added = pairs && !json_object_set(header, "__metadata__", pairs);
    for (size_t i = 0; added && i < n_metadata; i++) {
        if (!is_utf8(metadata[i].key) || !is_utf8(metadata[i].value)) {
            json_decref(pairs);
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: metadata that is no UTF-8", path);
        }
        added = !json_object_set_new(pairs, metadata[i].key, json_string(metadata[i].value));
    }
    json_decref(pairs);
    return added ? TERN_OK : tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for its header", path);
}

/* Fills the header and the offsets within the data; the caller owns *out. */
static tern_status build_header(tern_ctx *ctx, const char *path, place *const *order, size_t count,
                                const struct tern_st_pair *metadata, size_t n_metadata, json_t **out)
{
    char shown[TERN_SHOWN_BYTES];
    size_t offset = 0;
    json_t *header = json_object();
    tern_status st = header ? TERN_OK : tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for its header", path);
    if (st) return st;
    if (n_metadata) TERN_TRY(add_metadata(ctx, path, header, metadata, n_metadata));
    for (size_t i = 0; i < count; i++) {
        const char *name = order[i]->name;
        if (!is_utf8(name)) {
            st = tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the tensor name \"%s\" is no UTF-8", path,
                           tern_show_name(name, shown));
            goto done;
        }
        if (json_object_get(header, name) || !strcmp(name, "__metadata__")) {
            st = tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the tensor name \"%s\" comes twice or is reserved", path,
                           tern_show_name(name, shown));
            goto done;
        }
        if (json_object_set_new(header, name, describe(order[i], offset))) {
            st = tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for its header", path);
            goto done;
        }
        order[i]->offset = offset;
        offset += order[i]->n_bytes;
    }
    *out = header;
    header = NULL;
done:
    json_decref(header);
    return st;
}

static tern_status write_at(tern_ctx *ctx, tern_safetensors_writer *w, const void *bytes, size_t n_bytes, size_t offset)
{
    const char *from = bytes;
    while (n_bytes) {
        ssize_t n = pwrite(w->fd, from, n_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return tern_fail_errno(ctx, n ? errno : ENOSPC, w->temporary);
        from += n;
        offset += (size_t)n;
        n_bytes -= (size_t)n;
    }
    return TERN_OK;
}

static tern_status write_header(tern_ctx *ctx, tern_safetensors_writer *w, const json_t *header)
{
    unsigned char size[8];
    tern_status st = TERN_OK;
    size_t n = json_dumpb(header, NULL, 0, JSON_COMPACT), n_header = (n + 7) / 8 * 8;
    char *padded = n ? tern_alloc(ctx, n_header, 1, "a file's header") : NULL;
    if (!padded) return tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for its header", w->path);
    if (json_dumpb(header, padded, n, JSON_COMPACT) != n) {
        st = tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for its header", w->path);
        goto done;
    }
    memset(padded + n, ' ', n_header - n);
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)(n_header >> 8 * i);
    TERN_TRY(write_at(ctx, w, size, 8, 0));
    TERN_TRY(write_at(ctx, w, padded, n_header, 8));
    for (size_t i = 0; i < w->count; i++) w->places[i].offset += 8 + n_header;
done:
    tern_free(padded);
    return st;
}

/* A new file beside the final one; its name is free until then. */
static tern_status open_temporary(tern_ctx *ctx, const char *path, tern_safetensors_writer *w)
{
    w->path = tern_strdup(ctx, path);
    if (!w->path) return TERN_ERR_MEMORY;
    w->fd = tern_file_create_beside(path, &w->temporary);
    if (w->fd >= 0) return TERN_OK;
    if (errno == ENOMEM) return tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for a temporary name", path);
    return tern_fail_errno(ctx, errno, path);
}

tern_status tern_safetensors_write_begin(tern_ctx *ctx, const char *path, const tern_named_tensor *tensors,
                                         size_t count, const struct tern_st_pair *metadata, size_t n_metadata,
                                         tern_safetensors_writer **out)
{
    tern_status st = TERN_OK;
    place **order = NULL;
    json_t *header = NULL;
    tern_safetensors_writer *w = tern_alloc(ctx, 1, sizeof *w, "a writer");
    if (!w) return TERN_ERR_MEMORY;
    w->fd = -1;
    w->count = count;
    w->places = tern_alloc(ctx, count, sizeof *w->places, "a list of tensors");
    order = tern_alloc(ctx, count, sizeof *order, "a list of tensors");
    if (!w->places || !order) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        TERN_TRY(check_declared(ctx, path, &tensors[i], &w->places[i]));
        order[i] = &w->places[i];
    }
    qsort(order, count, sizeof *order, compare_order);
    TERN_TRY(build_header(ctx, path, order, count, metadata, n_metadata, &header));
    TERN_TRY(open_temporary(ctx, path, w));
    TERN_TRY(write_header(ctx, w, header));
    *out = w;
    w = NULL;
done:
    json_decref(header);
    tern_free(order);
    tern_safetensors_write_close(w);
    return st;
}

tern_status tern_safetensors_write_put(tern_ctx *ctx, tern_safetensors_writer *w, size_t index,
                                       const tern_tensor *tensor)
{
    if (index >= w->count) return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: tensor %zu of %zu", w->path, index, w->count);
    place *p = &w->places[index];
    bool same = tensor->dtype == p->form.dtype && tensor->rank == p->form.rank && tern_tensor_contiguous(tensor) &&
                tensor->device == TERN_CPU &&
                !memcmp(tensor->shape, p->form.shape, (size_t)p->form.rank * sizeof *tensor->shape);
    if (!same)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: tensor %zu is not as it was declared: contiguous, of that type "
                         "and shape", w->path, index);
    tern_status st = write_at(ctx, w, tensor->data, p->n_bytes, p->offset);
    if (!st) p->put = true;
    return st;
}

/* The directory holds the new name; what cannot be synced (some file systems) is left to the
 * system. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir;
    if (slash) dir = tern_strndup(NULL, path, slash == path ? 1 : (size_t)(slash - path));
    else dir = tern_strdup(NULL, ".");
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    tern_free(dir);
}

tern_status tern_safetensors_write_commit(tern_ctx *ctx, tern_safetensors_writer *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (!w->places[i].put)
            return tern_fail(ctx, TERN_ERR_STATE, "%s: tensor %zu of %zu was declared and not written", w->path, i,
                             w->count);
    }
    if (fsync(w->fd)) return tern_fail_errno(ctx, errno, w->temporary);
    int failed = close(w->fd);
    w->fd = -1;
    if (failed) return tern_fail_errno(ctx, errno, w->temporary);
    if (rename(w->temporary, w->path)) return tern_fail_errno(ctx, errno, w->path);
    w->committed = true;
    sync_directory(w->path);
    return TERN_OK;
}

void tern_safetensors_write_close(tern_safetensors_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (w->temporary && !w->committed) unlink(w->temporary);
    tern_free(w->path);
    tern_free(w->temporary);
    tern_free(w->places);
    tern_free(w);
}

tern_status tern_safetensors_write(tern_ctx *ctx, const char *path, const tern_named_tensor *tensors, size_t count)
{
    tern_safetensors_writer *w = NULL;
    tern_status st = TERN_OK;
    TERN_TRY(tern_safetensors_write_begin(ctx, path, tensors, count, NULL, 0, &w));
    for (size_t i = 0; i < count; i++) TERN_TRY(tern_safetensors_write_put(ctx, w, i, &tensors[i].tensor));
    TERN_TRY(tern_safetensors_write_commit(ctx, w));
done:
    tern_safetensors_write_close(w);
    return st;
}
