/* Chat messages through a chat template. render, generate --chat and chat call it. */
#ifndef TERN_CLI_MESSAGES_H
#define TERN_CLI_MESSAGES_H

#include <tern/template.h>

#include "cli/session.h"

/* The template of --template, which needs no model, or else the model's own. False: the sentence is
 * said. The caller frees *out. */
bool cli_open_template(const cli_args *args, cli_session *s, tern_template **out);

/* Sets "add_generation_prompt" in JSON text: a list of messages, or an object with them. *text is
 * replaced, and freed by free as before. */
bool cli_add_generation_prompt(cli_session *s, char **text, size_t *n_bytes);

/* Renders and encodes; special tokens count where the template wrote them, never where a message
 * did. *ids is freed by free. */
bool cli_template_ids(cli_session *s, tern_template *t, const char *messages, size_t n_bytes,
                      int32_t **ids, size_t *n);

#endif
