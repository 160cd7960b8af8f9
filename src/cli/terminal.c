/* The terminal of a chat: see terminal.h. Editing and history are libedit's. */
#include "cli/terminal.h"

#include <editline/readline.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted, at_prompt;
static struct termios before;
static bool is_terminal;

/* Only calls that a handler may make. */
static void on_signal(int signal_number)
{
    static const char hint[] = "\nCtrl-C again, Ctrl-D or /quit ends the chat\n";
    if (signal_number != SIGINT || interrupted) {
        if (is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &before);
        _exit(128 + signal_number);
    }
    interrupted = 1;
    if (at_prompt && write(STDERR_FILENO, hint, sizeof hint - 1) < 0) _exit(1);
}

void cli_terminal_open(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !tcgetattr(STDIN_FILENO, &before);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    if (is_terminal) sigaction(SIGTERM, &action, NULL);
    if (is_terminal) using_history();
}

void cli_terminal_close(void)
{
    if (is_terminal) {
        clear_history();
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

bool cli_interrupted(void)
{
    return interrupted;
}

void cli_interrupt_clear(void)
{
    interrupted = 0;
}

static char *piped_line(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n && line[n - 1] == '\n') line[n - 1] = 0;
    return line;
}

char *cli_read_line(const char *prompt)
{
    if (!is_terminal) return piped_line();
    at_prompt = 1;
    char *line = readline(prompt);
    at_prompt = 0;
    if (line && *line) add_history(line);
    return line;
}
