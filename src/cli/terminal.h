/* Lines from the user of a chat, and the keys that interrupt. */
#ifndef TERN_CLI_TERMINAL_H
#define TERN_CLI_TERMINAL_H

#include <stdbool.h>

/* From here on Ctrl-C sets a flag instead of ending the program; a second one before cli_interrupt_clear ends it, with the terminal as it was. */
void cli_terminal_open(void);
void cli_terminal_close(void);

bool cli_interrupted(void);
void cli_interrupt_clear(void);

/* The next line without its end, freed by free; null at the end of the input. On a terminal with the prompt, editing and history. */
char *cli_read_line(const char *prompt);

#endif
