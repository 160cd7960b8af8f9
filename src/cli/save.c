/* Writes a file under a temporary name and renames it: see save.h. Called by chat.c and
 * bench/svg.c. */
#include "cli/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/out.h"

static bool fail(const cli_save *save, const char *path)
{
    int error = errno;
    cli_say("%s: %s", save->path ? save->path : path, strerror(error));
    return false;
}

/* A new file beside path, with the old one's permissions. */
static int open_temporary(cli_save *save, const struct stat *old)
{
    size_t size = strlen(save->path) + 48;
    int fd = -1;
    save->temporary = malloc(size);
    if (!save->temporary) return -1;
    for (int attempt = 0; fd < 0 && attempt < 1000; attempt++) {
        snprintf(save->temporary, size, "%s.part-%ld-%d", save->path, (long)getpid(), attempt);
        fd = open(save->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd >= 0 && old) (void)!fchmod(fd, old->st_mode & 07777);
    if (fd < 0) {
        free(save->temporary);
        save->temporary = NULL;
    }
    return fd;
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
    else fd = open_temporary(save, is_there ? &info : NULL);
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
    free(save->temporary);
    save->temporary = NULL;
    return true;
}

void cli_save_close(cli_save *save)
{
    if (save->file) fclose(save->file);
    if (save->temporary) unlink(save->temporary);
    free(save->temporary);
    free(save->path);
    *save = (cli_save){ 0 };
}
