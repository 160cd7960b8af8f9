/* What the model commands share: the context, model, tokenizer and engine that the common flags ask
 * for, and the prompt. */
#ifndef TERN_CLI_SESSION_H
#define TERN_CLI_SESSION_H

#include <tern/engine.h>
#include <tern/model.h>
#include <tern/tokenizer.h>

#include "cli/args.h"
#include "cli/out.h"

typedef struct cli_session {
    tern_ctx *ctx;
    tern_model *model;
    tern_tokenizer *tokenizer;      /* null: the directory has none */
    tern_engine *engine;
} cli_session;

/* Each opens one thing more; a failure says its sentence and returns false. cli_close afterwards,
 * whatever came out. */
bool cli_open_ctx(const cli_args *args, cli_session *s);
/* of so many threads, whatever --threads says */
bool cli_open_ctx_of(const cli_args *args, int threads, cli_session *s);
bool cli_open_model(const cli_args *args, cli_session *s);
/* not required: without one, s->tokenizer is null */
bool cli_open_tokenizer(const cli_args *args, cli_session *s, bool required);
bool cli_open_engine(const cli_args *args, cli_session *s, int32_t max_requests);
void cli_close(cli_session *s);

/* Says where --context is more than the model was made for: for the commands that run it without an
 * engine. */
bool cli_check_context(const cli_args *args, const cli_session *s);

/* "-m" as given, or the demo model's directory in buffer; null with a sentence where that is not
 * found. */
const char *cli_model_dir(const cli_args *args, char *buffer, size_t size);

/* What --compute, --kv, --strict and --attention ask of a model. */
tern_model_options cli_model_options(const cli_args *args);

/* The sentence of the context's last failure: EXIT_FAILED. */
int cli_fail_ctx(const cli_session *s);

/* A whole stream or file ("-": standard input), byte for byte, with a NUL behind it; *text is freed
 * by free. */
bool cli_read(const char *path, char **text, size_t *n_bytes);

/* Says where more than one of --ids, --prompt and --file is given: a usage error then. */
bool cli_one_prompt(const cli_args *args);

/* The ids of --ids, or of --prompt or --file through the tokenizer, special tokens counting; of
 * none of them, the model's beginning-of-sequence token. *ids is freed by free. False: the sentence
 * is said. */
bool cli_prompt_ids(const cli_args *args, cli_session *s, int32_t **ids, size_t *n);

#endif
