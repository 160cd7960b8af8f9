/* Writes a file under a temporary name and renames it: see save.h. Called by chat.c and
 * bench/svg.c. */
#include "cli/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/out.h"

static bool fail(const cli_save *save, const char *path)
{
    int error = errno;
    cli_say("%s: %s", save->path ? save->path : path, strerror(error));
    return false;
}

bool cli_save_open(cli_save *save, const char *path)
{
    struct stat info;
    bool is_there = !stat(path, &info), special = is_there && !S_ISREG(info.st_mode);
    *save = (cli_save){ .path = is_there && !special ? realpath(path, NULL) : strdup(path) };
    if (!save->path) return fail(save, path);
    if (is_there && !special && access(path, W_OK)) return fail(save, path);
    int fd = -1;
    if (special) fd = open(path, O_WRONLY | O_CLOEXEC);
    else fd = tern_file_create_beside(save->path, &save->temporary);
    if (fd >= 0 && is_there && !special) (void)!fchmod(fd, info.st_mode & 07777);
    save->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (save->file) return true;
    fail(save, path);
    if (fd >= 0) close(fd);
    return false;
}

bool cli_save_commit(cli_save *save)
{
    bool ok = !ferror(save->file) && !fflush(save->file) && (!save->temporary || !fsync(fileno(save->file)));
    if (ok) {
        ok = !fclose(save->file);
        save->file = NULL;
    }
    if (ok && save->temporary) ok = !rename(save->temporary, save->path);
    if (!ok) return fail(save, save->path);
    tern_free(save->temporary);
    save->temporary = NULL;
    return true;
}

void cli_save_close(cli_save *save)
{
    if (save->file) fclose(save->file);
    if (save->temporary) unlink(save->temporary);
    tern_free(save->temporary);
    free(save->path);
    *save = (cli_save){ 0 };
}
