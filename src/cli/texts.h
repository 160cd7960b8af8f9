/* Lines of text from standard input, each as a model takes it: embed, classify and rerank read
 * them. */
#ifndef TERN_CLI_TEXTS_H
#define TERN_CLI_TEXTS_H

#include <tern/embed.h>

#include "cli/session.h"

/* A line without its end; a NUL in it is a character like any other. */
typedef struct cli_line {
    const char *text;
    size_t n_bytes;
} cli_line;

typedef struct cli_texts {
    tern_embed_input *inputs;    /* [n]; ids null: it could not be encoded, which has been said */
    size_t n;
    char *text;                  /* what was read; null: the one input is of --ids */
    cli_line *lines;             /* [n], in text */
    bool failed;                 /* a line could not be encoded */
} cli_texts;

/* How lines become inputs. */
typedef struct cli_texts_how {
    const char *prefix;     /* goes before each text, or before the query; null: nothing */
    const char *query;      /* the first of a pair with each line; null: none */
    bool lower_case;        /* as tern_encode_options has it */
    int64_t max_tokens;     /* each text is cut to so many; 0: none is cut */
} cli_texts_how;

/* Every line of standard input, encoded with the special tokens that frame it, none out of the text
 * itself. No line at all is no failure, and a line that cannot be encoded fails alone. False: the
 * sentence is said. cli_texts_free afterwards. */
bool cli_texts_read(cli_session *s, const cli_texts_how *how, cli_texts *out);

/* What an embedder's checkpoint asks of texts, --prompt-name and --truncate. False: the sentence is
 * said, there is no such prompt. */
bool cli_texts_how_of(const cli_args *args, const tern_embedder *embedder, cli_texts_how *how);

/* The one input of --ids and --type-ids, the latter of a model that has types. */
bool cli_texts_of_ids(const cli_args *args, const cli_session *s, cli_texts *out);
void cli_texts_free(cli_texts *t);

/* Says the sentence of the context's last failure with the number of the line that it is about;
 * returns that sentence, which live until the next call. */
const char *cli_texts_complain(const cli_session *s, const cli_texts *t, size_t i);

/* Prints what stands in place of an answer: {"error": why}, or an empty line, so that lines in and
 * lines out stay side by side. */
void cli_texts_put_error(bool as_json, const char *why);

/* Whether a failure is one input's own, so that the others can be answered. */
bool cli_texts_is_own(tern_status status);

/* What an embedder makes of n inputs, out [n, width]; and where input i's goes: out null and the
 * reason where it has none. */
typedef tern_status cli_texts_run_fn(tern_embedder *embedder, const tern_embed_input *inputs,
                                     size_t n, float *out);
typedef void cli_texts_put_fn(void *user, size_t i, const float *out, const char *why);

/* Runs all inputs in batches and hands over each one's result, in order. One that fails is said and
 * handed over as such, and the others are answered all the same: EXIT_FAILED then. */
int cli_texts_each(cli_session *s, tern_embedder *embedder, const cli_texts *t,
                   cli_texts_run_fn *run, int64_t width, cli_texts_put_fn *put, void *user);

#endif
