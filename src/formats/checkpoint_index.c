/* Reads model.safetensors.index.json and opens its shards: see checkpoint_index.h. */
#include "formats/checkpoint_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"

enum { MAX_INDEX_BYTES = 64 << 20 };

/* One entry of the weight_map: both borrowed from the parsed index. */
typedef struct entry {
    const char *shard, *tensor;
} entry;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->shard, y->shard);
    return order ? order : strcmp(x->tensor, y->tensor);
}

static bool lies_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return !strncmp(path, dir, n) && (path[n] == '/' || (n && dir[n - 1] == '/'));
}

/* Where a link really leads. A download cache keeps its files in <repo>/blobs and links to them
 * from <repo>/snapshots/<revision>; every other link out of the directory is refused. A file that
 * is not there is left to the opening, which has the reason. */
static bool stays_inside(const char *dir, const char *name)
{
    char path[4096];
    bool inside = true;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || n >= (int)sizeof path) return false;
    char *target = realpath(path, NULL), *home = realpath(dir, NULL), *blobs = NULL;
    if (target && home && !lies_below(target, home)) {
        char *slash = strrchr(home, '/');
        inside = false;
        if (slash) {
            *slash = 0;
            size_t length = strlen(home);
            if (length > 10 && !strcmp(home + length - 10, "/snapshots")) {
                snprintf(path, sizeof path, "%.*s/blobs", (int)(length - 10), home);
                blobs = realpath(path, NULL);
                inside = blobs && lies_below(target, blobs);
            }
        }
    }
    free(blobs);
    free(home);
    free(target);
    return inside;
}

static bool is_link(const char *dir, const char *name)
{
    char path[4096];
    struct stat info;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    return n > 0 && n < (int)sizeof path && !lstat(path, &info) && S_ISLNK(info.st_mode);
}

/* The entries of one shard, [from, to): opens it and looks for each. */
static tern_status open_shard(tern_ctx *ctx, tern_checkpoint *c, const entry *from, const entry *to,
                              tern_faults *faults)
{
    char shard[TERN_SHOWN_BYTES], tensor[TERN_SHOWN_BYTES];
    tern_safetensors *file;
    tern_show_name(from->shard, shard);
    if (!stays_inside(c->dir, from->shard)) {
        tern_faults_add(faults, TERN_ERR_FORMAT, "the shard %s\"%s\" leads out of the directory%s",
                        is_link(c->dir, from->shard) ? "" : "name ", shard, is_link(c->dir, from->shard)
                            ? " by a link; put the file itself there, or name the directory that has it" : "");
        return TERN_OK;
    }
    tern_status st = tern_safetensors_open(ctx, c->dir, from->shard, &file);
    if (st == TERN_ERR_MEMORY) return st;
    if (st) {
        tern_faults_add_error(faults, ctx, st);
        return TERN_OK;
    }
    c->files[c->n_files++] = file;
    for (; from < to; from++) {
        if (!tern_safetensors_find(file, from->tensor)) {
            tern_faults_add(faults, TERN_ERR_FORMAT, "tensor \"%s\" is not in %s, where the index puts it",
                            tern_show_name(from->tensor, tensor), shard);
        }
    }
    return TERN_OK;
}

static tern_status read_entries(tern_ctx *ctx, const char *index_name, json_t *index, entry **out, size_t *count,
                                tern_faults *faults)
{
    json_t *map = json_object_get(index, "weight_map"), *shard;
    const char *tensor;
    char shown[TERN_SHOWN_BYTES];
    if (!json_is_object(map))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: \"weight_map\" is %s, not an object", index_name,
                         tern_json_kind(map));
    entry *entries = tern_alloc(ctx, json_object_size(map), sizeof *entries, "the entries of an index");
    if (!entries) return TERN_ERR_MEMORY;
    *count = 0;
    json_object_foreach(map, tensor, shard) {
        const char *name = json_string_value(shard);
        if (!name || strlen(name) != json_string_length(shard)) {
            tern_faults_add(faults, TERN_ERR_FORMAT, "%s: the shard of tensor \"%s\" is %s, not a file's name",
                            index_name, tern_show_name(tensor, shown), tern_json_kind(shard));
        } else {
            entries[(*count)++] = (entry){ name, tensor };
        }
    }
    qsort(entries, *count, sizeof *entries, compare_entries);
    *out = entries;
    return TERN_OK;
}

tern_status tern_checkpoint_open_shards(tern_ctx *ctx, tern_checkpoint *c, const char *index_name, tern_faults *faults)
{
    json_t *index = NULL;
    entry *entries = NULL;
    size_t count = 0, n_shards = 0, from = 0;
    tern_status st = TERN_OK;
    TERN_TRY(tern_json_read(ctx, c->dir, index_name, MAX_INDEX_BYTES, &index));
    TERN_TRY(read_entries(ctx, index_name, index, &entries, &count, faults));
    for (size_t i = 0; i < count; i++) n_shards += !i || strcmp(entries[i].shard, entries[i - 1].shard);
    c->files = tern_alloc(ctx, n_shards, sizeof *c->files, "the files of a checkpoint");
    if (!c->files) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    for (size_t i = 1; i <= count; i++) {
        if (i < count && !strcmp(entries[i].shard, entries[from].shard)) continue;
        TERN_TRY(open_shard(ctx, c, entries + from, entries + i, faults));
        from = i;
    }
done:
    tern_free(entries);
    json_decref(index);
    return st;
}
