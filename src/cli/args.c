/* Reads the command line as GNU programs do: --flag value, --flag=value, -n 5, -n5; "--" ends the
 * flags. main.c calls it; it looks everything up in the table. */
#include "cli/args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/nearest.h"
#include "base/show.h"
#include "cli/out.h"

bool cli_parse_integer(const char *text, int64_t *out)
{
    char *end;
    const char *digits = text + (*text == '-');
    if (!*digits || digits[strspn(digits, "0123456789")]) return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && !*end;
}

bool cli_parse_number(const char *text, double *out)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return false;
    errno = 0;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

static bool parse_seed(const char *text, uint64_t *out)
{
    if (!*text || text[strspn(text, "0123456789")]) return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return !errno;
}

bool cli_parse_ids(const char *text, size_t n_bytes, int32_t **ids, size_t *n, const char **bad)
{
    const char *end = text + n_bytes;
    size_t capacity = 0;
    *ids = NULL;
    *n = 0;
    for (const char *p = text; p < end;) {
        if (memchr(" \t\r\n,", *p, 5)) {
            p++;
            continue;
        }
        int64_t id = 0;
        *bad = p;
        while (p < end && *p >= '0' && *p <= '9' && id <= INT32_MAX) id = id * 10 + (*p++ - '0');
        if (p == *bad || id > INT32_MAX || (p < end && !memchr(" \t\r\n,", *p, 5))) goto wrong;
        if (*n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            int32_t *more = realloc(*ids, capacity * sizeof *more);
            if (!more) goto wrong;
            *ids = more;
        }
        (*ids)[(*n)++] = (int32_t)id;
    }
    return true;
wrong:
    free(*ids);
    *ids = NULL;
    *n = 0;
    return false;
}

/* ---- One flag's argument ---- */

static bool refuse(const cli_flag *flag, const char *text, const char *wanted)
{
    cli_usage("--%s \"%s\" is not %s", flag->name, text, wanted);
    return false;
}

static bool out_of_range(const cli_flag *flag, const char *text)
{
    const char *is = flag->kind == CLI_INTEGER ? "a whole number" : "a number";
    if (flag->above)
        cli_usage("--%s \"%s\" is not %s above %.10g and at most %.10g", flag->name, text, is, flag->least, flag->most);
    else cli_usage("--%s \"%s\" is not %s from %.10g to %.10g", flag->name, text, is, flag->least, flag->most);
    return false;
}

static bool in_range(const cli_flag *flag, double x)
{
    return (flag->above ? x > flag->least : x >= flag->least) && x <= flag->most;
}

static bool check_word(const cli_flag *flag, const char *text)
{
    char word[64], list[256] = "";
    for (size_t i = 0; cli_word_at(flag->choices, i, word, sizeof word); i++) {
        if (!strcmp(word, text)) return true;
        if (i) strncat(list, ", ", sizeof list - strlen(list) - 1);
        strncat(list, word, sizeof list - strlen(list) - 1);
    }
    cli_usage("--%s \"%s\" is none of: %s", flag->name, text, list);
    return false;
}

static bool check_ids(const cli_flag *flag, const char *text)
{
    int32_t *ids;
    size_t n;
    const char *bad;
    bool ok = cli_parse_ids(text, strlen(text), &ids, &n, &bad);
    free(ids);
    return (ok && n) || refuse(flag, text, "a list of token ids, such as 1,2,3");
}

/* "1,8,32", each in the flag's range. */
static bool take_list(const cli_flag *flag, const char *text, cli_value *value)
{
    const char *p = text;
    for (;;) {
        char word[32];
        size_t n = strcspn(p, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        if (value->n_list == CLI_MOST_LIST) return refuse(flag, text, "a list of at most 16 numbers");
        int64_t *to = &value->list[value->n_list++];
        if (n >= sizeof word || !cli_parse_integer(word, to) || !in_range(flag, (double)*to)) {
            cli_usage("--%s \"%s\" is not a list, such as 1,8, of whole numbers from %.10g to %.10g", flag->name, text,
                      flag->least, flag->most);
            return false;
        }
        if (!p[n]) return true;
        p += n + 1;
    }
}

static bool take_value(cli_args *args, cli_flag_id id, const char *text)
{
    const cli_flag *flag = &cli_flags[id];
    cli_value *value = &args->value[id];
    *value = (cli_value){ .set = true, .text = text };
    switch (flag->kind) {
    case CLI_INTEGER:
        if (!cli_parse_integer(text, &value->integer)) return out_of_range(flag, text);
        return in_range(flag, (double)value->integer) || out_of_range(flag, text);
    case CLI_LIST:
        return take_list(flag, text, value);
    case CLI_NUMBER:
        if (!cli_parse_number(text, &value->number)) return out_of_range(flag, text);
        return in_range(flag, value->number) || out_of_range(flag, text);
    case CLI_SEED:
        return parse_seed(text, &value->seed) || refuse(flag, text, "a whole number from 0 to 18446744073709551615");
    case CLI_WORD:
        return check_word(flag, text);
    case CLI_IDS:
        return check_ids(flag, text);
    case CLI_FILE:
    case CLI_DIR:
        return *text || refuse(flag, text, "a name");
    case CLI_TEXT:
        if (id == FLAG_STOP) args->stop[args->n_stop++] = text;
        return id != FLAG_STOP || *text || refuse(flag, text, "a text to stop at");
    case CLI_SWITCH:
        break;
    }
    return true;
}

/* ---- The arguments, one after the other ---- */

typedef struct cursor {
    int n, at;
    char **argv;
} cursor;

/* The argument of a flag: what is joined to it, or the next word. */
static bool take_argument(cli_args *args, cli_flag_id id, const char *joined, cursor *c)
{
    const cli_flag *flag = &cli_flags[id];
    if (!flag->argument) {
        args->value[id].set = true;
        if (!joined) return true;
        cli_usage("--%s takes no argument, and got \"%s\"", flag->name, joined);
        return false;
    }
    if (!joined && c->at < c->n) joined = c->argv[c->at++];
    if (joined) return take_value(args, id, joined);
    cli_usage("--%s needs an argument: %s", flag->name, flag->argument);
    return false;
}

/* A beginning counts as near, too: --temp for --temperature. */
static void offer_flags(const cli_flag_id *id, tern_nearest *near)
{
    for (; *id != N_FLAGS; id++) {
        const char *name = cli_flags[*id].name;
        tern_nearest_offer(near, name);
        if (!near->best && strlen(near->word) > 2 && !strncmp(name, near->word, strlen(near->word)))
            *near = (tern_nearest){ near->word, name, 63 };
    }
}

static bool unknown_flag(const cli_command *command, const char *word, size_t n_name)
{
    char name[64];
    tern_show(name, sizeof name, "%.*s", (int)n_name, word);
    tern_nearest near = { .word = name };
    offer_flags(command->flags, &near);
    offer_flags(command->common, &near);
    if (near.best) cli_usage("unknown flag --%s for \"tern %s\", the nearest is --%s", name, command->name, near.best);
    else cli_usage("unknown flag --%s for \"tern %s\", whose --help lists the flags", name, command->name);
    return false;
}

static bool take_long(cli_args *args, const char *word, cursor *c)
{
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    for (int id = 0; id < N_FLAGS; id++) {
        const char *name = cli_flags[id].name;
        if (cli_takes(args->command, (cli_flag_id)id) && strlen(name) == n && !memcmp(name, word, n))
            return take_argument(args, (cli_flag_id)id, equals ? equals + 1 : NULL, c);
    }
    return unknown_flag(args->command, word, n);
}

static bool take_short(cli_args *args, const char *letters, cursor *c)
{
    for (int id = 0; id < N_FLAGS; id++)
        if (cli_flags[id].letter == *letters && cli_takes(args->command, (cli_flag_id)id)) {
            if (cli_flags[id].argument) return take_argument(args, (cli_flag_id)id, letters[1] ? letters + 1 : NULL, c);
            args->value[id].set = true;
            return !letters[1] || take_short(args, letters + 1, c);
        }
    size_t n = 1;
    while (((unsigned char)letters[n] & 0xC0) == 0x80) n++;    /* the whole letter */
    cli_usage("unknown flag -%.*s for \"tern %s\", whose --help lists the flags", (int)n, letters, args->command->name);
    return false;
}

/* What was probably meant by a word that stands alone; null: unknown. */
static const char *hint_for(const cli_command *command, const char *word)
{
    static const char en_dash[] = "\xE2\x80\x93", em_dash[] = "\xE2\x80\x94", minus[] = "\xE2\x88\x92";
    struct stat info;
    if (!strncmp(word, en_dash, 3) || !strncmp(word, em_dash, 3) || !strncmp(word, minus, 3))
        return "it begins with a dash of typography, and flags begin with \"-\"";
    if (cli_takes(command, FLAG_MODEL) && !stat(word, &info) && S_ISDIR(info.st_mode))
        return "it is a directory, and a model's is named by -m";
    return NULL;
}

static bool take_operand(cli_args *args, int *n, const char *word)
{
    if (*n < CLI_MAX_OPERANDS && args->command->operands[*n]) {
        args->operand[(*n)++] = word;
        return true;
    }
    const char *hint = hint_for(args->command, word), *name = args->command->name;
    if (hint) cli_usage("\"tern %s\" does not take the argument \"%s\": %s", name, word, hint);
    else cli_usage("\"tern %s\" does not take the argument \"%s\": tern %s %s", name, word, name, args->command->usage);
    return false;
}

/* A flag that would do nothing beside the others, or without one of them, is a usage error. */
static bool fit_together(const cli_args *args)
{
    for (const cli_clash *c = cli_clashes; c->command; c++) {
        if (strcmp(c->command, args->command->name) || !args->value[c->flag].set ||
            args->value[c->other].set == c->needs)
            continue;
        cli_usage("--%s does nothing %s --%s: %s", cli_flags[c->flag].name, c->needs ? "without" : "beside",
                  cli_flags[c->other].name, c->why);
        return false;
    }
    return true;
}

bool cli_args_parse(const cli_command *command, int n, char **argv, cli_args *args)
{
    cursor c = { .n = n, .argv = argv };
    int n_operand = 0;
    bool only_operands = false;
    *args = (cli_args){ .command = command, .stop = calloc((size_t)n + 1, sizeof *args->stop) };
    if (!args->stop) {
        cli_fail("no memory for the command line");
        return false;
    }
    while (c.at < c.n && !args->value[FLAG_HELP].set) {
        const char *word = c.argv[c.at++];
        bool ok = true;
        if (only_operands || word[0] != '-' || !word[1]) ok = take_operand(args, &n_operand, word);
        else if (!strcmp(word, "--")) only_operands = true;
        else if (word[1] == '-') ok = take_long(args, word + 2, &c);
        else ok = take_short(args, word + 1, &c);
        if (!ok) return false;
    }
    if (args->value[FLAG_HELP].set) return true;
    if (!fit_together(args)) return false;
    if (n_operand == CLI_MAX_OPERANDS || !command->operands[n_operand]) return true;
    cli_usage("\"tern %s\" needs %s: tern %s %s", command->name, command->operands[n_operand], command->name,
              command->usage);
    return false;
}

void cli_args_free(cli_args *args)
{
    free(args->stop);
    args->stop = NULL;
}
