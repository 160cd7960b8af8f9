/* Lines of text from standard input, each as a model takes it: embed, classify and rerank read them. */
#ifndef TERN_CLI_TEXTS_H
#define TERN_CLI_TEXTS_H

#include <tern/embed.h>

#include "cli/session.h"

typedef struct cli_texts {
    tern_embed_input *inputs;    /* [n] */
    size_t n;
    char *text;                  /* what was read */
    const char **lines;          /* [n], NUL-terminated, in text */
} cli_texts;

/* How lines become inputs. */
typedef struct cli_texts_how {
    const char *prefix;     /* goes before each text, or before the query; null: nothing */
    const char *query;      /* the first of a pair with each line; null: none */
    bool lower_case;        /* as tern_encode_options has it */
    int64_t max_tokens;     /* each text is cut to so many; 0: none is cut */
} cli_texts_how;

/* Every line of standard input, encoded with the special tokens that frame it, none out of the text itself. No line at all is no failure. False: the
 * sentence is said. cli_texts_free afterwards. */
bool cli_texts_read(cli_session *s, const cli_texts_how *how, cli_texts *out);

/* What an embedder's checkpoint asks of texts, and --truncate. */
cli_texts_how cli_texts_how_of(const cli_args *args, const tern_embedder *embedder);

/* The one input of --ids and --type-ids. */
bool cli_texts_of_ids(const cli_args *args, cli_texts *out);
void cli_texts_free(cli_texts *t);

#endif
