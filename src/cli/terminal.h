/* Lines from the user of a chat, and the keys that interrupt. */
#ifndef TERN_CLI_TERMINAL_H
#define TERN_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* From here on Ctrl-C sets a flag instead of ending the program; a second one before
 * cli_interrupt_clear ends it, with the terminal as it was. Text is UTF-8, whatever LANG says.
 * False: no memory, with the sentence said. */
bool cli_terminal_open(void);
void cli_terminal_close(void);

/* Whether lines come from a person: editing and history are on. */
bool cli_terminal_is_one(void);

bool cli_interrupted(void);
void cli_interrupt_clear(void);

typedef enum cli_read_result { CLI_READ_LINE, CLI_READ_END, CLI_READ_INTERRUPTED } cli_read_result;

/* The next line without its end ("\n" or "\r\n"), freed by free; *n_bytes may exceed strlen where
 * it has NULs. On a terminal with the prompt; Ctrl-C there drops what was typed:
 * CLI_READ_INTERRUPTED. */
cli_read_result cli_read_line(const char *prompt, char **line, size_t *n_bytes);

#endif
