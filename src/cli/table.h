/* The table of the program: every command and every flag, once. Parsing, --help, the manual page
 * and the completions are made from it. */
#ifndef TERN_CLI_TABLE_H
#define TERN_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a flag's argument is, and so how it is checked and completed. */
typedef enum cli_kind {
    CLI_SWITCH,     /* takes no argument                                              */
    CLI_INTEGER,    /* a whole number within least..most                              */
    CLI_LIST,       /* one or more of them, separated by commas                       */
    CLI_SEED,       /* a whole number of 64 bits without a sign                       */
    CLI_NUMBER,     /* a finite number within least..most                             */
    CLI_WORD,       /* one of choices                                                 */
    CLI_TEXT,       /* anything, "" too                                               */
    CLI_IDS,        /* one or more whole numbers, separated by blanks or commas       */
    CLI_FILE,       /* the name of a file; "-" is standard input where it is read     */
    CLI_DIR         /* the name of a directory                                        */
} cli_kind;

/* One name for each flag of each meaning: the index of its row, and of its value. */
typedef enum cli_flag_id {
    FLAG_MODEL, FLAG_THREADS, FLAG_ISA, FLAG_COMPUTE, FLAG_KV, FLAG_CONTEXT, FLAG_ATTENTION,
    FLAG_STRICT, FLAG_QUIET,
    FLAG_JSON, FLAG_IDS,
    FLAG_PROMPT, FLAG_FILE, FLAG_TOKENS, FLAG_TEMPERATURE, FLAG_TOP_K, FLAG_TOP_P, FLAG_MIN_P,
    FLAG_PENALTY, FLAG_SEED, FLAG_STOP, FLAG_IGNORE_EOS,
    FLAG_CHAT, FLAG_SYSTEM,
    FLAG_ALL,
    FLAG_NO_SPECIAL, FLAG_PARSE_SPECIAL, FLAG_TRUNCATE, FLAG_PAD, FLAG_SKIP_SPECIAL,
    FLAG_POOLING, FLAG_NORMALIZE, FLAG_PROMPT_NAME, FLAG_TYPE_IDS, FLAG_HIDDEN, FLAG_NPY,
    FLAG_TRUNCATE_DIM, FLAG_RAW, FLAG_CHECK,
    FLAG_TEMPLATE, FLAG_NOW, FLAG_GENERATION_PROMPT,
    FLAG_BENCH_PROMPT, FLAG_BENCH_TOKENS, FLAG_BENCH_BATCH, FLAG_BENCH_THREADS, FLAG_BENCH_REPEAT,
    FLAG_SHAPE, FLAG_STORED, FLAG_SVG, FLAG_KERNELS, FLAG_OPS,
    FLAG_OP_CONFIG, FLAG_OP_OPTIONS,
    FLAG_HELP,
    N_FLAGS
} cli_flag_id;

typedef struct cli_flag {
    const char *name;           /* "top-k", without the dashes */
    char letter;                /* 'n'; 0: it has no short form */
    cli_kind kind;
    const char *argument;       /* "N", as --help shows it; null: a switch */
    double least, most;         /* of a number */
    bool above;                 /* the number must be greater than least, not equal to it */
    /* may be given more than once, and each counts; else the last one counts */
    bool repeats;
    const char *choices;          /* "f32|bf16": of a CLI_WORD */
    /* what holds without the flag, as --help shows it; null: nothing to say */
    const char *fallback;
    const char *help;           /* a few words, without a full stop */
} cli_flag;

struct cli_args;
typedef int cli_run_fn(const struct cli_args *args);    /* returns the exit status */

enum { CLI_MAX_OPERANDS = 3 };

typedef struct cli_command {
    const char *name, *summary;
    const char *about;              /* a paragraph: input, output, what to know */
    const char *usage;              /* what comes after "tern NAME" */
    cli_run_fn *run;
    /* the arguments that are no flags, all of them required */
    const char *operands[CLI_MAX_OPERANDS];
    const cli_flag_id *flags;       /* its own, ended by N_FLAGS */
    const cli_flag_id *common;      /* those of COMMON that it takes, ended by N_FLAGS */
    const char *example;            /* a command line, without "tern " */
} cli_command;

extern const cli_flag cli_flags[N_FLAGS];
extern const cli_command cli_commands[];    /* ended by a null name */

/* Two flags of a command of which one does nothing: flag without other (needs), or flag beside
 * other. */
typedef struct cli_clash {
    const char *command;
    cli_flag_id flag, other;
    bool needs;
    const char *why;                /* ends the sentence */
} cli_clash;

extern const cli_clash cli_clashes[];    /* ended by a null command */

/* Where a command says that it takes a flag. */
bool cli_takes(const cli_command *command, cli_flag_id id);

/* The i-th word of "a|b|c" in out [size]; false past the last. */
bool cli_word_at(const char *choices, size_t i, char *out, size_t size);

#endif
