/* Folders below a directory that are the ones to name: see directory_below.h. Called by
 * directory.c. */
#include "base/directory_below.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/memory.h"

/* One folder of a directory, chosen among those that match: the largest number for "checkpoint-N",
 * else the first by bytes; and how many there are. */
typedef struct chosen {
    char name[NAME_MAX + 1];
    long number;
    size_t count;
} chosen;

typedef bool match(const char *dir, const char *name, long *number);

static bool is_directory(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    return (size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path && !stat(path, &info) &&
           S_ISDIR(info.st_mode);
}

static bool has_config(const char *dir, const char *name)
{
    char file[NAME_MAX + 16];
    return (size_t)snprintf(file, sizeof file, "%s/config.json", name) < sizeof file && tern_file_exists(dir, file);
}

static bool is_snapshot(const char *dir, const char *name, long *number)
{
    *number = 0;
    return is_directory(dir, name);
}

static bool is_repository(const char *dir, const char *name, long *number)
{
    *number = 0;
    return !strncmp(name, "models--", 8) && is_directory(dir, name);
}

static bool is_checkpoint(const char *dir, const char *name, long *number)
{
    char *end;
    if (strncmp(name, "checkpoint-", 11)) return false;
    *number = strtol(name + 11, &end, 10);
    return end > name + 11 && !*end && has_config(dir, name);
}

/* A folder with a config.json; the transformer's of sentence-transformers before its other modules,
 * which have one, too. */
static bool is_model(const char *dir, const char *name, long *number)
{
    *number = strstr(name, "Transformer") != NULL;
    return has_config(dir, name);
}

static bool choose(const char *dir, match *matches, chosen *c)
{
    DIR *folder = opendir(dir);
    *c = (chosen){ 0 };
    if (!folder) return false;
    for (struct dirent *entry; (entry = readdir(folder));) {
        long number;
        if (entry->d_name[0] == '.' || !matches(dir, entry->d_name, &number)) continue;
        bool better = !c->count || number > c->number || (number == c->number && strcmp(entry->d_name, c->name) < 0);
        c->count++;
        if (!better) continue;
        snprintf(c->name, sizeof c->name, "%s", entry->d_name);
        c->number = number;
    }
    closedir(folder);
    return c->count > 0;
}

/* The revision that refs/main names, else the first of the snapshots; false where there is none. */
static bool snapshot_of(const char *repository, char path[PATH_MAX])
{
    char *text = NULL;
    size_t n = 0;
    chosen c;
    if ((size_t)snprintf(path, PATH_MAX, "%s/snapshots", repository) >= PATH_MAX || !choose(path, is_snapshot, &c))
        return false;
    if (tern_file_exists(repository, "refs/main") && !tern_read_file(NULL, repository, "refs/main", 4096, &text, &n)) {
        text[strcspn(text, "\r\n")] = 0;
        if (*text && !strchr(text, '/') && is_directory(path, text)) snprintf(c.name, sizeof c.name, "%s", text);
        tern_free(text);
    }
    return (size_t)snprintf(path, PATH_MAX, "%s/snapshots/%s", repository, c.name) < PATH_MAX;
}

/* A cache of one model (no name), or that model of a cache of many. */
static tern_status cache_of_hub(tern_ctx *ctx, const char *dir, const char *lack, const char *name)
{
    char repository[PATH_MAX], path[PATH_MAX];
    bool fits = (size_t)snprintf(repository, sizeof repository, "%s%s%s", dir, name ? "/" : "", name ? name : "") <
                sizeof repository;
    if (fits && snapshot_of(repository, path))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s: a cache of a hub; name a model's snapshot in it, as %s", dir,
                         lack, path);
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s: a cache of a hub, without the files of a model; fetch it again",
                     dir, lack);
}

tern_status tern_directory_below(tern_ctx *ctx, const char *dir, const char *lack)
{
    chosen c;
    if (is_directory(dir, "snapshots")) return cache_of_hub(ctx, dir, lack, NULL);
    if (choose(dir, is_repository, &c)) return cache_of_hub(ctx, dir, lack, c.name);
    if (choose(dir, is_checkpoint, &c))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s, but checkpoints of a training run; name one of them, as %s/%s",
                         dir, lack, dir, c.name);
    if (tern_file_exists(dir, "model_index.json") || !choose(dir, is_model, &c)) return TERN_OK;
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: %s, but %zu folder%s one; name the model's, as %s/%s", dir, lack,
                     c.count, c.count == 1 ? " below has" : "s below have", dir, c.name);
}
