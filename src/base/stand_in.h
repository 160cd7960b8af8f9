/* What lies in a file's place where it was not downloaded: a pointer of Git LFS, a web page. Called
 * by file.c and by the readers of formats. */
#ifndef TERN_BASE_STAND_IN_H
#define TERN_BASE_STAND_IN_H

#include <stddef.h>
#include <tern/context.h>

/* TERN_ERR_FORMAT with a sentence where data is what Git leaves in a file's place without its LFS
 * extension: a text of less than 1024 bytes that begins "version
 * https://git-lfs.github.com/spec/v1" (github.com/git-lfs/git-lfs, docs/spec.md). tern_map_file and
 * tern_read_file look; readers of streams call it. */
tern_status tern_check_not_pointer(tern_ctx *ctx, const char *path, const void *data,
                                   size_t n_bytes);

/* TERN_ERR_FORMAT with a sentence where data begins as HTML or XML does: an error's page that was
 * saved under the file's name. For readers of formats that never begin so. */
tern_status tern_check_not_page(tern_ctx *ctx, const char *path, const void *data, size_t n_bytes);

#endif
