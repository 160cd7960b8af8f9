/* How tokens are drawn, out of the flags over what the model's generation_config.json says.
 * generate and chat call it. */
#ifndef TERN_CLI_SAMPLING_H
#define TERN_CLI_SAMPLING_H

#include "cli/session.h"

/* Flags win over the model. Where tokens are drawn and no seed is given, one is. Where none is
 * drawn, flags that choose among them are told of, unless --temperature 0 says that nothing is
 * drawn. */
tern_sampling cli_sampling(const cli_args *args, const tern_model *model);

/* Says on stderr a seed that was not given, so that the text can be had again. */
void cli_say_seed(const cli_args *args, const tern_sampling *s);

/* How many tokens: -n; else the model's max_new_tokens, or fallback, and never more than the
 * context holds behind n_prompt tokens. */
int64_t cli_max_tokens(const cli_args *args, const cli_session *s, size_t n_prompt,
                       int64_t fallback);

const char *cli_finish_name(tern_finish finish);    /* "stop", "length", "cancelled" */

#endif
