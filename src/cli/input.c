/* Files and standard input, read whole and byte for byte. Commands and session.c call it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"

enum { FIRST_CAPACITY = 65536 };

static bool read_all(int fd, const char *what, char **text, size_t *n_bytes)
{
    size_t capacity = FIRST_CAPACITY, n = 0;
    char *data = malloc(capacity + 1);
    while (data) {
        if (n == capacity) {
            char *more = realloc(data, 2 * capacity + 1);
            if (!more) break;
            data = more;
            capacity *= 2;
        }
        ssize_t got = read(fd, data + n, capacity - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            cli_fail("%s: %s", what, strerror(errno));
            free(data);
            return false;
        }
        if (!got) {
            data[n] = 0;
            *text = data;
            *n_bytes = n;
            return true;
        }
        n += (size_t)got;
    }
    free(data);
    cli_fail("%s: no memory for more than %zu bytes", what, capacity);
    return false;
}

bool cli_read(const char *path, char **text, size_t *n_bytes)
{
    if (!strcmp(path, "-")) return read_all(STDIN_FILENO, "standard input", text, n_bytes);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_fail("%s: %s", path, strerror(errno));
        return false;
    }
    bool ok = read_all(fd, path, text, n_bytes);
    close(fd);
    return ok;
}
