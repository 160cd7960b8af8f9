/* --help, out of the table: see help.h. main.c calls it. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>
#include <tern/context.h>

enum { WIDTH = 100, INDENT = 30 };

/* Words of text in lines of WIDTH; the first begins at column at, the others at column indent. */
static void put_wrapped(const char *text, int at, int indent)
{
    for (bool first = true; *text; first = false) {
        int n = (int)strcspn(text, " ");
        if (!first && at + 1 + n > WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            putchar(' ');
            at++;
        }
        printf("%.*s", n, text);
        at += n;
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void put_flag(const cli_flag *flag)
{
    char left[128], right[512], choices[128] = "";
    char letter[8] = "    ";
    if (flag->letter) snprintf(letter, sizeof letter, "-%c, ", flag->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, flag->name, flag->argument ? " " : "",
             flag->argument ? flag->argument : "");
    for (size_t i = 0; flag->choices && i < strlen(flag->choices); i++) {
        char c = flag->choices[i];
        strncat(choices, c == '|' ? ", " : (char[2]){ c, 0 }, sizeof choices - strlen(choices) - 1);
    }
    snprintf(right, sizeof right, "%s%s%s%s%s%s", flag->help, *choices ? ": " : "", choices,
             flag->fallback ? " (default: " : "", flag->fallback ? flag->fallback : "", flag->fallback ? ")" : "");
    if (strlen(left) + 2 > INDENT) printf("%s\n%*s", left, INDENT, "");
    else printf("%-*s", INDENT, left);
    put_wrapped(right, INDENT, INDENT);
}

void cli_help_program(void)
{
    printf("tern %s: transformer models from the command line\n\nusage: tern COMMAND [FLAG]...\n\ncommands:\n",
           tern_version());
    for (const cli_command *c = cli_commands; c->name; c++) printf("  %-12s%s\n", c->name, c->summary);
    printf("\n\"tern COMMAND --help\" lists a command's flags. Other flags: --help, --version, --man, --completion "
           "bash|zsh|fish.\nResults go to stdout, all else to stderr. Exit status: 0, 1 where it failed, 2 where the "
           "command line is wrong.\n\n  tern generate -p 'Long ago, near the river,'\n");
}

void cli_help_command(const cli_command *command)
{
    printf("tern %s: %s\n\nusage: ", command->name, command->summary);
    printf("tern %s ", command->name);
    put_wrapped(command->usage, 13 + (int)strlen(command->name), 13 + (int)strlen(command->name));
    putchar('\n');
    put_wrapped(command->about, 0, 0);
    printf("\nflags:\n");
    for (const cli_flag_id *id = command->flags; *id != N_FLAGS; id++) put_flag(&cli_flags[*id]);
    printf("\ncommon flags:\n");
    for (const cli_flag_id *id = command->common; *id != N_FLAGS; id++) put_flag(&cli_flags[*id]);
    printf("\nexample:\n  tern %s\n", command->example);
}
