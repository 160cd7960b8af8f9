/* The program: finds the command, parses its arguments, runs it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tern/context.h>

#include "base/nearest.h"
#include "cli/args.h"
#include "cli/help.h"
#include "cli/out.h"

/* A file that is opened later must not land on a closed standard stream; a closed stdout stays one
 * that cannot be written. */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0) {
            int held = open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY);
            (void)held;
        }
}

static int unknown_word(const char *word)
{
    static const char *const flags[] = { "--help", "--version", "--completion", "--man" };
    tern_nearest near = { .word = word };
    for (size_t i = 0; *word == '-' && i < sizeof flags / sizeof *flags; i++) tern_nearest_offer(&near, flags[i]);
    for (const cli_command *c = cli_commands; *word != '-' && c->name; c++) {
        tern_nearest_offer(&near, c->name);
        if (!near.best && strlen(word) > 1 && !strncmp(c->name, word, strlen(word)))
            near = (tern_nearest){ word, c->name, 63 };
    }
    const char *what = *word == '-' ? "flag" : "command";
    if (near.best) return cli_usage("unknown %s \"%s\", the nearest is \"%s\"", what, word, near.best);
    return cli_usage("unknown %s \"%s\"; tern --help lists the commands", what, word);
}

/* tern --help and its like; -1 where the word is none of them. */
static int program_flag(int n, char **argv)
{
    const char *word = argv[0];
    bool help = !strcmp(word, "--help") || !strcmp(word, "-h"), version = !strcmp(word, "--version"),
        manual = !strcmp(word, "--man");
    if (!strcmp(word, "--completion")) {
        if (n == 2 && cli_completion(argv[1])) return EXIT_OK;
        return cli_usage("--completion \"%s\" is none of: bash, zsh, fish", n > 1 ? argv[1] : "");
    }
    if (!help && !version && !manual) return -1;
    if (n > 1) return cli_usage("%s takes no argument, and got \"%s\"", word, argv[1]);
    if (help) cli_help_program();
    if (version) printf("tern %s\n", tern_version());
    if (manual) cli_manual();
    return EXIT_OK;
}

static int run_command(const cli_command *command, int n, char **argv)
{
    cli_args args;
    int status = EXIT_USAGE;
    if (cli_args_parse(command, n, argv, &args)) {
        status = EXIT_OK;
        if (args.value[FLAG_HELP].set) cli_help_command(command);
        else status = command->run(&args);
    }
    cli_args_free(&args);
    return status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    hold_standard_streams();
    if (argc < 2) return cli_usage("which command? tern --help lists them");
    int status = program_flag(argc - 1, argv + 1);
    if (status >= 0) return cli_finish(status);
    for (const cli_command *c = cli_commands; c->name; c++)
        if (!strcmp(argv[1], c->name)) return cli_finish(run_command(c, argc - 2, argv + 2));
    return unknown_word(argv[1]);
}
