/* Completions for bash, zsh and fish, out of the table: see help.h. main.c calls it; the build
 * writes files with it. */
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

/* fn for every flag of a command, own ones first. */
static void each_flag(const cli_command *command, void (*fn)(const cli_command *command, const cli_flag *flag))
{
    for (const cli_flag_id *id = command->flags; *id != N_FLAGS; id++) fn(command, &cli_flags[*id]);
    for (const cli_flag_id *id = command->common; *id != N_FLAGS; id++) fn(command, &cli_flags[*id]);
}

static void put_choices(const char *choices)
{
    for (; *choices; choices++) putchar(*choices == '|' ? ' ' : *choices);
}

/* Text inside single quotes of a shell; also keeps zsh's own marks [ ] : from counting. */
static void put_quoted(const char *text, const char *marks)
{
    for (; *text; text++) {
        if (*text == '\'') fputs("'\\''", stdout);
        else if (strchr(marks, *text)) printf("\\%c", *text);
        else putchar(*text);
    }
}

/* ---- bash ---- */

static void bash_name(const cli_command *command, const cli_flag *flag)
{
    (void)command;
    printf(" --%s", flag->name);
}

static void bash_value(const cli_command *command, const cli_flag *flag)
{
    if (!flag->argument) return;
    printf("        %s:--%s", command->name, flag->name);
    if (flag->letter) printf("|%s:-%c", command->name, flag->letter);
    printf(") ");
    if (flag->choices) {
        printf("COMPREPLY=($(compgen -W '");
        put_choices(flag->choices);
        printf("' -- \"$word\")) ;;\n");
    } else if (flag->kind == CLI_DIR || flag->kind == CLI_FILE) {
        printf("COMPREPLY=($(compgen -%c -- \"$word\")) ;;\n", flag->kind == CLI_DIR ? 'd' : 'f');
    } else {
        printf("COMPREPLY=() ;;\n");
    }
}

static void bash(void)
{
    printf("# bash completion for tern, written by: tern --completion bash\n_tern() {\n    local "
           "word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} flags=\n    if "
           "[ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W '");
    for (const cli_command *c = cli_commands; c->name; c++) printf("%s ", c->name);
    printf("--help --version' -- \"$word\"))\n        return\n    fi\n    case $command:$before in\n");
    for (const cli_command *c = cli_commands; c->name; c++) each_flag(c, bash_value);
    printf("        *)\n            case $command in\n");
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf("                %s) flags='", c->name);
        each_flag(c, bash_name);
        printf("' ;;\n");
    }
    printf("            esac\n            case $word in\n                -*) COMPREPLY=($(compgen -W \"$flags\" -- "
           "\"$word\")) ;;\n                *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n            esac ;;\n    "
           "esac\n}\ncomplete -o filenames -F _tern tern\n");
}

/* ---- zsh ---- */

static void zsh_flag(const cli_command *command, const cli_flag *flag)
{
    (void)command;
    printf("            '%s--%s%s[", flag->repeats ? "*" : "", flag->name, flag->argument ? "=" : "");
    put_quoted(flag->help, "[]:");
    putchar(']');
    if (flag->argument) {
        putchar(':');
        put_quoted(flag->argument, "[]:");
        putchar(':');
        if (flag->choices) {
            putchar('(');
            put_choices(flag->choices);
            putchar(')');
        } else if (flag->kind == CLI_DIR) {
            fputs("_files -/", stdout);
        } else if (flag->kind == CLI_FILE) {
            fputs("_files", stdout);
        }
    }
    printf("' \\\n");
}

static void zsh(void)
{
    printf("#compdef tern\n# zsh completion for tern, written by: tern --completion zsh\n_tern() {\n    local -a "
           "commands\n    commands=(\n");
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf("        '%s:", c->name);
        put_quoted(c->summary, ":");
        printf("'\n");
    }
    printf("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n    "
           "local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n");
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf("        %s) _arguments \\\n", c->name);
        each_flag(c, zsh_flag);
        printf("            '*:file:_files' ;;\n");
    }
    printf("    esac\n}\n_tern \"$@\"\n");
}

/* ---- fish ---- */

static void fish_flag(const cli_command *command, const cli_flag *flag)
{
    printf("complete -c tern -n '__fish_seen_subcommand_from %s' -l %s", command->name, flag->name);
    if (flag->letter) printf(" -s %c", flag->letter);
    if (flag->choices) {
        printf(" -x -a '");
        put_choices(flag->choices);
        putchar('\'');
    } else if (flag->argument) {
        const char *how = " -x";
        if (flag->kind == CLI_DIR) how = " -x -a '(__fish_complete_directories)'";
        else if (flag->kind == CLI_FILE) how = " -r -F";
        fputs(how, stdout);
    }
    printf(" -d '");
    put_quoted(flag->help, "\\");
    printf("'\n");
}

static void fish(void)
{
    printf("# fish completion for tern, written by: tern --completion fish\n");
    for (const cli_command *c = cli_commands; c->name; c++) {
        printf("complete -c tern -n __fish_use_subcommand -f -a %s -d '", c->name);
        put_quoted(c->summary, "\\");
        printf("'\n");
    }
    for (const cli_command *c = cli_commands; c->name; c++) each_flag(c, fish_flag);
}

bool cli_completion(const char *shell)
{
    if (!strcmp(shell, "bash")) bash();
    else if (!strcmp(shell, "zsh")) zsh();
    else if (!strcmp(shell, "fish")) fish();
    else return false;
    return true;
}
