/* Files that the program writes: whole, or not at all. */
#ifndef TERN_CLI_SAVE_H
#define TERN_CLI_SAVE_H

#include <stdbool.h>
#include <stdio.h>

/* A file under a temporary name beside the final one (of a link: beside what it points to). What is
 * no regular file (a pipe, /dev/stdout) is written to as it is. */
typedef struct cli_save {
    FILE *file;
    char *path, *temporary;    /* temporary null: file is path itself */
} cli_save;

/* False: the sentence is said, and nothing was changed. */
bool cli_save_open(cli_save *save, const char *path);

/* Puts what was written to file in path's place. False: the sentence is said, and an old file is
 * what it was. */
bool cli_save_commit(cli_save *save);

/* Removes what was not committed. A zeroed save is allowed. */
void cli_save_close(cli_save *save);

#endif
