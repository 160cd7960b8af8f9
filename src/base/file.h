/* Files as tern takes them: regular ones, below the directory they were named in, read whole or
 * mapped read-only. */
#ifndef TERN_BASE_FILE_H
#define TERN_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

/* Which file it is and in what state: two that are equal are the same file, not written in
 * between. */
typedef struct tern_file_id {
    uint64_t device, inode, n_bytes;
    int64_t mtime_ns;
} tern_file_id;

typedef struct tern_map {
    const unsigned char *data;    /* null: nothing is mapped */
    size_t n_bytes;
    tern_file_id id;              /* of the file as it was when mapped */
    int guard;                    /* its slot of base/map_guard.h; -1: not guarded */
} tern_map;

/* Maps dir/name read-only; dir null: name is a path of its own. With a dir, name may not lead out
 * of it (no "..", no absolute path, no link that leaves it... except that links of a download
 * cache, which stay regular files, are followed when name itself is plain). A FIFO, device or
 * directory is refused without waiting on it; an empty file maps to data "" and n_bytes 0. Guarded
 * where the context was made with guard_files: tern_map_cut then says what would have been a
 * SIGBUS. TERN_ERR_IO | TERN_ERR_FORMAT not a regular file, or a name that leads out. The caller
 * owns *out: tern_map_close. */
tern_status tern_map_file(tern_ctx *ctx, const char *dir, const char *name, tern_map *out);
void tern_map_close(tern_map *map);

/* Whether bytes that were read from the mapping had gone from the file, and were read as zeros. */
bool tern_map_cut(const tern_map *map);

/* Takes the whole pages of mapped bytes out of this process's memory; they come back where they are
 * read again. */
void tern_map_drop(const void *data, size_t n_bytes);

/* Reads dir/name whole, at most max_bytes (beyond: TERN_ERR_LIMIT), with a NUL after the end. *out
 * is freed by tern_free. */
tern_status tern_read_file(tern_ctx *ctx, const char *dir, const char *name, size_t max_bytes,
                           char **out, size_t *n_bytes);

/* What dir/name is now; TERN_ERR_IO where nothing is there. */
tern_status tern_file_identify(tern_ctx *ctx, const char *dir, const char *name, tern_file_id *out);

/* The path from the root and without links of a file that is there: still its name after the
 * process has changed its directory. tern_free; null: no memory. */
char *tern_file_real(tern_ctx *ctx, const char *path);

/* True where dir/name is there, be it no regular file or a link without its target: reading it says
 * so. No error is kept. */
bool tern_file_exists(const char *dir, const char *name);

/* Creates a file of a name that is free, "PATH.part-PID-N", beside path, to be renamed to it once
 * it is whole, and opens it for writing. *temporary is its name, freed by tern_free, or null where
 * it fails. The descriptor, or -1 with errno set. */
int tern_file_create_beside(const char *path, char **temporary);

#endif
