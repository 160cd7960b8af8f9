/* Recognizes what lies in a file's place where it was not downloaded: see stand_in.h. */
#include "base/stand_in.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/ctx.h"

static bool begins_with(const char *text, size_t n, const char *with)
{
    return n >= strlen(with) && !memcmp(text, with, strlen(with));
}

/* "size 269060552" is a line of a pointer. */
static unsigned long long size_of_pointer(const char *text, size_t n)
{
    unsigned long long size = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && text[i - 1] != '\n') continue;
        if (!begins_with(text + i, n - i, "size ")) continue;
        for (i += 5; i < n && text[i] >= '0' && text[i] <= '9' && size < UINT64_MAX / 10 - 9; i++)
            size = 10 * size + (unsigned long long)(text[i] - '0');
        return size;
    }
    return 0;
}

tern_status tern_check_not_pointer(tern_ctx *ctx, const char *path, const void *data, size_t n_bytes)
{
    const char *text = data;
    enum { MOST_POINTER_BYTES = 1024 };    /* the specification: less than 1024 */
    if (n_bytes >= MOST_POINTER_BYTES) return TERN_OK;
    if (!begins_with(text, n_bytes, "version https://git-lfs.") &&
        !begins_with(text, n_bytes, "version https://hawser.github.com/"))
        return TERN_OK;
    unsigned long long size = size_of_pointer(text, n_bytes);
    char whole[48] = "";
    if (size) tern_show(whole, sizeof whole, " of %llu bytes", size);
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: a Git LFS pointer (%zu bytes); the file%s itself was not downloaded. "
                     "\"git lfs pull\" in its folder fetches it", path, n_bytes, whole);
}

tern_status tern_check_not_page(tern_ctx *ctx, const char *path, const void *data, size_t n_bytes)
{
    static const char *const tags[] = { "<!doctype", "<html", "<?xml" };
    const char *text = data;
    while (n_bytes && (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')) {
        text++;
        n_bytes--;
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        size_t n = strlen(tags[i]);
        if (n_bytes >= n && !strncasecmp(text, tags[i], n))
            return tern_fail(ctx, TERN_ERR_FORMAT, "%s: a web page in place of the file, as a server sends where it "
                             "wants a login or has an error; fetch the file again", path);
    }
    return TERN_OK;
}
