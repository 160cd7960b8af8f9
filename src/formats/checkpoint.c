/* Opens a checkpoint directory and keeps its tensors: see checkpoint.h. The index's faults are
 * found in checkpoint_index.c. */
#include "formats/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/memory.h"
#include "formats/checkpoint_index.h"
#include "formats/faults.h"

static const char single_name[] = "model.safetensors", index_name[] = "model.safetensors.index.json";

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const tern_indexed_tensor *)a)->stored->name, ((const tern_indexed_tensor *)b)->stored->name);
}

/* One list over all files, by name. The same name in two files is a fault. */
static tern_status collect(tern_ctx *ctx, tern_checkpoint *c, tern_faults *faults)
{
    char shown[TERN_SHOWN_BYTES];
    size_t n = 0;
    for (size_t f = 0; f < c->n_files; f++) c->count += c->files[f]->count;
    c->tensors = tern_alloc(ctx, c->count, sizeof *c->tensors, "the tensors of a checkpoint");
    if (!c->tensors) return TERN_ERR_MEMORY;
    for (size_t f = 0; f < c->n_files; f++) {
        for (size_t i = 0; i < c->files[f]->count; i++) {
            c->tensors[n++] = (tern_indexed_tensor){ .stored = &c->files[f]->tensors[c->files[f]->by_name[i]],
                                                     .file = (uint32_t)f };
        }
    }
    if (c->n_files > 1) qsort(c->tensors, c->count, sizeof *c->tensors, compare_tensors);
    for (size_t i = 1; i < c->count; i++) {
        if (compare_tensors(&c->tensors[i - 1], &c->tensors[i])) continue;
        tern_faults_add(faults, TERN_ERR_FORMAT, "tensor \"%s\" is in both %s and %s",
                        tern_show_name(c->tensors[i].stored->name, shown), c->files[c->tensors[i - 1].file]->path,
                        c->files[c->tensors[i].file]->path);
    }
    return TERN_OK;
}

static tern_status open_single(tern_ctx *ctx, tern_checkpoint *c)
{
    c->files = tern_alloc(ctx, 1, sizeof *c->files, "the files of a checkpoint");
    if (!c->files) return TERN_ERR_MEMORY;
    tern_status st = tern_safetensors_open(ctx, c->dir, single_name, &c->files[0]);
    if (!st) c->n_files = 1;
    return st;
}

/* Whatever is there counts, so that a directory, a FIFO or a link to nothing is refused as such. */
tern_status tern_checkpoint_open(tern_ctx *ctx, const char *dir, tern_checkpoint **out)
{
    tern_faults faults = { 0 };
    tern_status st = TERN_OK;
    tern_checkpoint *c = tern_alloc(ctx, 1, sizeof *c, "a checkpoint");
    if (!c) return TERN_ERR_MEMORY;
    c->dir = tern_strdup(ctx, dir);
    if (!c->dir) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    if (tern_file_exists(dir, single_name)) TERN_TRY(open_single(ctx, c));
    else if (tern_file_exists(dir, index_name)) TERN_TRY(tern_checkpoint_open_shards(ctx, c, index_name, &faults));
    else TERN_TRY(tern_directory_lacks(ctx, dir, TERN_LACKS_WEIGHTS));
    TERN_TRY(collect(ctx, c, &faults));
    TERN_TRY(tern_faults_fail(ctx, &faults, dir));
    *out = c;
    c = NULL;
done:
    tern_faults_free(&faults);
    tern_checkpoint_close(c);
    return st;
}

void tern_checkpoint_close(tern_checkpoint *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n_files; i++) tern_safetensors_close(c->files[i]);
    tern_free(c->files);
    tern_free(c->tensors);
    tern_free(c->dir);
    tern_free(c);
}

size_t tern_checkpoint_count(const tern_checkpoint *c)
{
    return c->count;
}

const tern_stored *tern_checkpoint_at(const tern_checkpoint *c, size_t i)
{
    return c->tensors[i].stored;
}

const char *tern_checkpoint_path_of(const tern_checkpoint *c, size_t i)
{
    return c->files[c->tensors[i].file]->path;
}

size_t tern_checkpoint_bytes(const tern_checkpoint *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++) n += c->tensors[i].stored->n_bytes;
    return n;
}

static tern_indexed_tensor *find(const tern_checkpoint *c, const char *name)
{
    size_t lo = 0, hi = c->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(name, c->tensors[mid].stored->name);
        if (!order) return &c->tensors[mid];
        if (order < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

const tern_stored *tern_checkpoint_find(const tern_checkpoint *c, const char *name)
{
    const tern_indexed_tensor *found = find(c, name);
    return found ? found->stored : NULL;
}

tern_status tern_checkpoint_take(tern_ctx *ctx, tern_checkpoint *c, const char *name, tern_tensor *out)
{
    char shown[TERN_SHOWN_BYTES];
    tern_indexed_tensor *found = find(c, name);
    if (!found)
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: tensor \"%s\" is missing", c->dir, tern_show_name(name, shown));
    tern_status st = tern_stored_view(ctx, found->stored, out);
    if (st) return tern_fail_in(ctx, st, "%s: ", c->files[found->file]->path);
    found->used = true;
    return TERN_OK;
}

bool tern_checkpoint_mark(tern_checkpoint *c, const char *name)
{
    tern_indexed_tensor *found = find(c, name);
    if (found) found->used = true;
    return found != NULL;
}

bool tern_checkpoint_used(const tern_checkpoint *c, size_t i)
{
    return c->tensors[i].used;
}

void tern_checkpoint_left_over(const tern_checkpoint *c, const char *const *ignorable, size_t n_ignorable,
                               tern_faults *faults)
{
    char shown[TERN_SHOWN_BYTES];
    for (size_t i = 0; i < c->count; i++) {
        bool explained = c->tensors[i].used;
        for (size_t p = 0; !explained && p < n_ignorable; p++)
            explained = tern_name_matches(ignorable[p], c->tensors[i].stored->name);
        if (!explained)
            tern_faults_add(faults, TERN_ERR_FORMAT, "tensor \"%s\" is one that the model does not use",
                            tern_show_name(c->tensors[i].stored->name, shown));
    }
}

tern_status tern_checkpoint_finish(tern_ctx *ctx, const tern_checkpoint *c, const char *const *ignorable,
                                   size_t n_ignorable)
{
    tern_faults faults = { 0 };
    tern_checkpoint_left_over(c, ignorable, n_ignorable, &faults);
    tern_status st = tern_faults_fail(ctx, &faults, c->dir);
    tern_faults_free(&faults);
    return st;
}

tern_status tern_checkpoint_cut(tern_ctx *ctx, const tern_checkpoint *c)
{
    for (size_t i = 0; i < c->n_files; i++) {
        if (!tern_map_cut(&c->files[i]->map)) continue;
        return tern_fail(ctx, TERN_ERR_STATE, "%s: cut, or its disk failed, while its weights were read",
                         c->files[i]->path);
    }
    return TERN_OK;
}

tern_status tern_checkpoint_unchanged(tern_ctx *ctx, const tern_checkpoint *c)
{
    for (size_t i = 0; i < c->n_files; i++) {
        const tern_safetensors *file = c->files[i];
        const tern_file_id *then = &file->map.id;
        tern_file_id now;
        bool named = tern_file_identify(NULL, NULL, file->real, &now) == TERN_OK;
        if (!named || now.device != then->device || now.inode != then->inode) continue;
        if (now.n_bytes != then->n_bytes) {
            return tern_fail(ctx, TERN_ERR_STATE, "%s: %llu bytes now, %llu when it was opened", file->path,
                             (unsigned long long)now.n_bytes, (unsigned long long)then->n_bytes);
        }
        if (now.mtime_ns != then->mtime_ns)
            return tern_fail(ctx, TERN_ERR_STATE, "%s: written to while in use", file->path);
    }
    return tern_checkpoint_cut(ctx, c);
}
