/* The command line, parsed after the table. */
#ifndef TERN_CLI_ARGS_H
#define TERN_CLI_ARGS_H

#include "cli/table.h"

enum { CLI_MOST_LIST = 16 };    /* numbers of a CLI_LIST */

typedef struct cli_value {
    bool set;
    const char *text;      /* the argument as given; of a repeated flag the last one */
    int64_t integer;       /* CLI_INTEGER                                            */
    int64_t list[CLI_MOST_LIST];    /* CLI_LIST                                      */
    size_t n_list;
    uint64_t seed;         /* CLI_SEED                                               */
    double number;         /* CLI_NUMBER                                             */
} cli_value;

typedef struct cli_args {
    const cli_command *command;
    cli_value value[N_FLAGS];
    const char *operand[CLI_MAX_OPERANDS];
    const char **stop;     /* every --stop, in order */
    size_t n_stop;
} cli_args;

/* Parses what follows the command's name. Returns false where a word is wrong, with one sentence on
 * stderr: the exit status is 2 then. --help ends the parsing: value[FLAG_HELP].set. argv is
 * borrowed; cli_args_free afterwards, whatever came out. */
bool cli_args_parse(const cli_command *command, int n, char **argv, cli_args *args);
void cli_args_free(cli_args *args);

/* Numbers as the flags take them: the whole text, in decimal, nothing before or behind. */
bool cli_parse_integer(const char *text, int64_t *out);
bool cli_parse_number(const char *text, double *out);

/* Token ids, separated by blanks, line ends or commas. *ids is freed by free, *n may be 0. False
 * where a word is none: *bad points at it. */
bool cli_parse_ids(const char *text, size_t n_bytes, int32_t **ids, size_t *n, const char **bad);

#endif
