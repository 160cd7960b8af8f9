/* What a chat template asks of a tokenizer's files: the special tokens by name. */
#ifndef TERN_TEXT_SPECIAL_H
#define TERN_TEXT_SPECIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <tern/context.h>

/* {"bos_token": "<s>", ...} as AutoTokenizer hands them to a template: the roles, and further keys
 * "..._token". whole: those too that tokenizer_config.json and special_tokens_map.json do not give,
 * but the tokenizer's class, its padding or a vocabulary's file does. *out: a new reference. */
tern_status tokenizer_special_tokens(tern_ctx *ctx, const char *dir, bool whole, json_t **out);

#endif
