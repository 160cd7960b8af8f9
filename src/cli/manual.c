/* The manual page tern(1) in mdoc, out of the table: see help.h. main.c calls it; the build writes
 * build/tern.1 with it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tern/context.h>

#include "cli/help.h"

enum { WIDTH = 78 };

/* n bytes of text with what mdoc would take for its own escaped: a backslash, a dash, a period or
 * quote at a line's start. */
static void put_bytes(const char *text, size_t n)
{
    if (n && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
    for (; n--; text++) {
        if (*text == '\\') fputs("\\e", stdout);
        else if (*text == '-') fputs("\\-", stdout);
        else putchar(*text);
    }
}

static void put_text(const char *text)
{
    put_bytes(text, strlen(text));
}

/* A paragraph as mdoc wants it: each sentence begins a line, and no line is long. *at is the
 * column, 0 at the beginning of a line. */
static void put_wrapped(const char *text, size_t *at)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (*at && *at + 1 + n > WIDTH) {
            putchar('\n');
            *at = 0;
        } else if (*at) {
            putchar(' ');
        }
        put_bytes(text, n);
        *at += n + 1;
        if (text[n - 1] == '.' && text[n]) {
            putchar('\n');
            *at = 0;
        }
        text += n + (text[n] == ' ');
    }
}

static void TERN_PRINTF(3, 4) append(char *text, size_t size, const char *format, ...)
{
    va_list args;
    size_t n = strlen(text);
    va_start(args, format);
    vsnprintf(text + n, size - n, format, args);
    va_end(args);
}

static void put_flag(const cli_flag *flag)
{
    fputs(".It ", stdout);
    if (flag->letter) printf("Fl %c , ", flag->letter);
    fputs("Fl \\-", stdout);
    put_text(flag->name);
    if (flag->argument) {
        fputs(" Ar ", stdout);
        put_text(flag->argument);
    }
    putchar('\n');
    char shown[1024], word[64];
    snprintf(shown, sizeof shown, "%s", flag->help);
    for (size_t i = 0; flag->choices && cli_word_at(flag->choices, i, word, sizeof word); i++)
        append(shown, sizeof shown, i ? ", %s" : ": %s", word);
    if (flag->fallback) append(shown, sizeof shown, " (default: %s)", flag->fallback);
    append(shown, sizeof shown, "%s", ".\n");
    put_wrapped(shown, &(size_t){ 0 });
}

static void put_command(const cli_command *command)
{
    printf(".Ss tern %s\n", command->name);
    put_wrapped(command->about, &(size_t){ 0 });
    printf("\n.Pp\n.Bd -literal -offset indent -compact\ntern %s ", command->name);
    put_text(command->usage);
    printf("\n\n");
    put_text("tern ");
    put_text(command->example);
    printf("\n.Ed\n.Bl -tag -width Ds\n");
    for (const cli_flag_id *id = command->flags; *id != N_FLAGS; id++) put_flag(&cli_flags[*id]);
    printf(".El\n");
    bool first = true;
    for (const cli_flag_id *id = command->common; *id != N_FLAGS; id++) {
        printf("%s", first ? "Common flags:\n" : " ,\n");
        printf(".Fl \\-");
        put_text(cli_flags[*id].name);
        first = false;
    }
    printf(" .\n");
}

void cli_manual(void)
{
    printf(".\\\" Written by tern --man out of the table of its commands.\n"
           ".Dd November 21, 2026\n.Dt TERN 1\n.Os\n.Sh NAME\n.Nm tern\n.Nd transformer models from the command line\n"
           ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar flag ...\n.Nm\n.Fl \\-help | Fl \\-version\n"
           ".Sh DESCRIPTION\n"
           ".Nm\nopens a checkpoint directory as Hugging Face tools write it,\nand runs the model on the CPU.\n"
           "Results go to standard output, all else to standard error.\n"
           "Flags are written\n.Fl \\-flag Ar value\nor\n.Fl \\-flag Ns = Ns Ar value .\n"
           ".Sh COMMANDS\n");
    for (const cli_command *c = cli_commands; c->name; c++) put_command(c);
    printf(".Sh COMMON FLAGS\n.Bl -tag -width Ds\n");
    for (int id = FLAG_MODEL; id <= FLAG_CONTEXT; id++) put_flag(&cli_flags[id]);
    put_flag(&cli_flags[FLAG_HELP]);
    printf(".El\n"
           ".Sh ENVIRONMENT\n.Bl -tag -width TERN_DEMO_MODEL\n"
           ".It Ev TERN_THREADS\nWhat\n.Fl \\-threads\nis without the flag.\n"
           ".It Ev TERN_ISA\nWhat\n.Fl \\-isa\nis without the flag.\n"
           ".It Ev TERN_DEMO_MODEL\nThe directory of the model that runs without\n.Fl m .\n.El\n"
           ".Sh EXIT STATUS\n.Bl -tag -width Ds\n"
           ".It 0\nThe command did all that it promises.\n"
           ".It 1\nIt failed, with one sentence on standard error.\n"
           ".It 2\nThe command line is wrong.\n.El\n"
           ".Sh STANDARDS\nJSON is written after RFC 8259.\n");
}
