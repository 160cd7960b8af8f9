/* Opening, mapping and reading files with care: see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/map_guard.h"
#include "base/memory.h"
#include "base/stand_in.h"

enum { PATH_BYTES = 4096 };

static bool leads_out(const char *name)
{
    if (name[0] == '/' || !name[0]) return true;
    for (const char *part = name; part; part = strchr(part, '/')) {
        if (*part == '/') part++;
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2])) return true;
    }
    return false;
}

static tern_status join(tern_ctx *ctx, const char *dir, const char *name, char *path)
{
    if (dir && leads_out(name))
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: the file name \"%s\" leads out of the directory", dir, name);
    int n = dir ? snprintf(path, PATH_BYTES, "%s/%s", dir, name) : snprintf(path, PATH_BYTES, "%s", name);
    if (n >= PATH_BYTES)
        return tern_fail(ctx, TERN_ERR_LIMIT, "a path of %d bytes is longer than %d", n, PATH_BYTES - 1);
    return TERN_OK;
}

static tern_file_id id_of(const struct stat *info)
{
    return (tern_file_id){ .device = (uint64_t)info->st_dev, .inode = (uint64_t)info->st_ino,
                           .n_bytes = (uint64_t)info->st_size,
                           .mtime_ns = (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec };
}

/* A link without its target is what a cache leaves whose files were taken away. */
static tern_status cannot_open(tern_ctx *ctx, const char *path, int error)
{
    char target[TERN_SHOWN_BYTES], to[PATH_BYTES];
    ssize_t n = error == ENOENT ? readlink(path, to, sizeof to - 1) : -1;
    if (n < 0) return tern_fail_errno(ctx, error, path);
    to[n] = 0;
    return tern_fail(ctx, TERN_ERR_IO, "%s: No such file or directory: it is a link to \"%s\", which is not there",
                     path, tern_show_name(to, target));
}

/* Opens without waiting (a FIFO would) and insists on a regular file. */
static tern_status open_regular(tern_ctx *ctx, const char *path, int *fd, tern_file_id *id)
{
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) return cannot_open(ctx, path, errno);
    if (fstat(*fd, &info)) {
        int error = errno;
        close(*fd);
        return tern_fail_errno(ctx, error, path);
    }
    if (!S_ISREG(info.st_mode)) {
        const char *kind = "a device";
        if (S_ISDIR(info.st_mode)) kind = "a directory";
        else if (S_ISFIFO(info.st_mode)) kind = "a FIFO";
        close(*fd);
        return tern_fail(ctx, TERN_ERR_FORMAT, "%s: is %s, not a regular file", path, kind);
    }
    *id = id_of(&info);
    return TERN_OK;
}

/* Unmaps what cannot be guarded. */
static tern_status guard(tern_ctx *ctx, const char *path, tern_map *map)
{
    if (!ctx || !ctx->guard_files) return TERN_OK;
    map->guard = tern_map_guard_add(map->data, map->n_bytes);
    if (map->guard >= 0) return TERN_OK;
    munmap((void *)map->data, map->n_bytes);
    return tern_fail(ctx, TERN_ERR_LIMIT, "%s: %d mapped files are guarded already, and no more can be", path,
                     TERN_GUARDED_MAPS);
}

tern_status tern_map_file(tern_ctx *ctx, const char *dir, const char *name, tern_map *out)
{
    char path[PATH_BYTES];
    int fd;
    tern_file_id id;
    tern_status st = join(ctx, dir, name, path);
    if (!st) st = open_regular(ctx, path, &fd, &id);
    if (st) return st;
    size_t n_bytes = (size_t)id.n_bytes;
    tern_map map = { (const unsigned char *)"", n_bytes, id, -1 };
    if (n_bytes) {
        void *data = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        map.data = data;
        if (data == MAP_FAILED) st = tern_fail_errno(ctx, errno, path);
        else if (!(st = tern_check_not_pointer(ctx, path, data, n_bytes))) st = guard(ctx, path, &map);
        else munmap(data, n_bytes);
    }
    close(fd);
    if (!st) *out = map;
    return st;
}

void tern_map_close(tern_map *map)
{
    if (map->n_bytes) {
        tern_map_guard_remove(map->guard);
        munmap((void *)map->data, map->n_bytes);
    }
    *map = (tern_map){ .guard = -1 };
}

bool tern_map_cut(const tern_map *map)
{
    return map->n_bytes && tern_map_guard_hit(map->guard);
}

void tern_map_drop(const void *data, size_t n_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)data + page - 1) / page * page,
        last = ((uintptr_t)data + n_bytes) / page * page;
    if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
}

tern_status tern_read_file(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes, char **out,
                           size_t *n_bytes)
{
    char path[PATH_BYTES], *text = NULL;
    int fd = -1;
    size_t have = 0;
    tern_file_id id;
    tern_status st = join(ctx, dir, name, path);
    if (!st) st = open_regular(ctx, path, &fd, &id);
    if (st) return st;
    size_t size = (size_t)id.n_bytes;
    if (size > max_bytes) {
        st = tern_fail(ctx, TERN_ERR_LIMIT, "%s: %zu bytes, more than the %zu that such a file may have", path, size,
                       max_bytes);
        goto done;
    }
    text = tern_alloc(ctx, size + 1, 1, path);
    if (!text) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    while (have < size) {
        ssize_t got = read(fd, text + have, size - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            st = tern_fail_errno(ctx, errno, path);
            goto done;
        }
        if (!got) break;
        have += (size_t)got;
    }
    text[have] = 0;
    TERN_TRY(tern_check_not_pointer(ctx, path, text, have));
    *out = text;
    *n_bytes = have;
    text = NULL;
done:
    tern_free(text);
    close(fd);
    return st;
}

tern_status tern_file_identify(tern_ctx *ctx, const char *dir, const char *name, tern_file_id *out)
{
    char path[PATH_BYTES];
    struct stat info;
    tern_status st = join(ctx, dir, name, path);
    if (st) return st;
    if (stat(path, &info)) return tern_fail_errno(ctx, errno, path);
    *out = id_of(&info);
    return TERN_OK;
}

char *tern_file_real(tern_ctx *ctx, const char *path)
{
    char real[PATH_MAX];
    return tern_strdup(ctx, realpath(path, real) ? real : path);
}

bool tern_file_exists(const char *dir, const char *name)
{
    char path[PATH_BYTES];
    struct stat info;
    if (dir && leads_out(name)) return false;
    int n = dir ? snprintf(path, sizeof path, "%s/%s", dir, name) : snprintf(path, sizeof path, "%s", name);
    return n < PATH_BYTES && !lstat(path, &info);
}

int tern_file_create_beside(const char *path, char **temporary)
{
    size_t size = strlen(path) + 48;
    int fd = -1, error = ENOMEM;
    char *name = *temporary = tern_alloc(NULL, size, 1, "a path");
    for (int attempt = 0; name && fd < 0 && attempt < 1000; attempt++) {
        snprintf(name, size, "%s.part-%ld-%d", path, (long)getpid(), attempt);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        error = errno;
        if (fd < 0 && error != EEXIST) break;
    }
    if (fd >= 0) return fd;
    tern_free(name);
    *temporary = NULL;
    errno = error;
    return -1;
}
