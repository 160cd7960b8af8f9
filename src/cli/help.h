/* What the table looks like as text: --help, the manual page, the completions of three shells. All
 * of it goes to stdout. */
#ifndef TERN_CLI_HELP_H
#define TERN_CLI_HELP_H

#include "cli/table.h"

/* What `tern --help` and `tern COMMAND --help` print. */
void cli_help_program(void);
void cli_help_command(const cli_command *command);

/* The manual page tern(1), in mdoc. */
void cli_manual(void);

/* The completion of "bash", "zsh" or "fish"; false for another shell. */
bool cli_completion(const char *shell);

#endif
