/* A folder that stands for a system's root, with the files of /proc and /sys that a test gives it.
 * For tests of what the library asks of its system. */
#ifndef TESTS_ROOT_H
#define TESTS_ROOT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOT_PATH "/tmp/tern-root-XXXXXX"

/* root begins as ROOT_PATH. */
static inline void root_make(char *root)
{
    assert_non_null(mkdtemp(root));
}

/* text null: no such file. */
static inline void root_put(const char *root, const char *path, const char *text)
{
    char full[256];
    if (!text) return;
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = 0;
        mkdir(full, 0700);
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static inline void root_remove(const char *root)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

#endif
