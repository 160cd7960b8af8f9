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

/* Every line of standard input, encoded with the special tokens that frame it, none out of the text itself. prefix goes before each; query (null:
 * none) is the first of a pair with each line. No line at all is no failure. False: the sentence is said. cli_texts_free afterwards. */
bool cli_texts_read(cli_session *s, const char *prefix, const char *query, cli_texts *out);

/* The one input of --ids and --type-ids. */
bool cli_texts_of_ids(const cli_args *args, cli_texts *out);
void cli_texts_free(cli_texts *t);

#endif
