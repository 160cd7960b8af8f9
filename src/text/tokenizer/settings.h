/* What tokenizer_config.json, special_tokens_map.json and added_tokens.json say on top of a
 * tokenizer.json, in the order in which AutoTokenizer of transformers 5.x applies it. Sources:
 * _from_pretrained of tokenization_utils_base.py and __init__ of tokenization_utils_tokenizers.py,
 * 5.24.0. */
#ifndef TERN_TEXT_SETTINGS_H
#define TERN_TEXT_SETTINGS_H

#include "text/tokenizer/classes.h"
#include "text/tokenizer/tok.h"

typedef struct settings {
    /* tokenizer_config.json with special_tokens_map.json merged into it */
    json_t *config;
    json_t *added;                        /* added_tokens.json; null: none */
    json_t *listed;                       /* "added_tokens" of tokenizer.json; null: none */
    json_t *padding;                      /* "padding" of tokenizer.json; null: none */
    const tokenizer_class *class;         /* null: tokenizer.json runs as it is written */
    /* added_tokens_decoder's tokens are looked for in the text as given, whatever their flags */
    bool raw_decoder;
    /* there is no tokenizer.json: add_bos_token and add_eos_token count */
    bool from_vocabulary;
} settings;

/* config (owned by the result) with special_tokens_map.json, either null: the map counts where
 * config has no added_tokens_decoder. Null: no memory. */
json_t *settings_merge(json_t *config, const json_t *special_map);

/* The list of special tokens without a role; null: none. */
const json_t *settings_extra(const settings *s);

/* The value of a role: the configuration's, else the class's, else the padding's pad token. A
 * string, an object with "content", or null. */
const json_t *settings_role(const settings *s, tern_role role);

/* The text of a role, null: none. */
const char *settings_role_text(const settings *s, tern_role role);

/* The named special tokens, {"bos_token": "<s>"}: those with a role, and those under names of their
 * own. A new reference; null: no memory. */
json_t *settings_named_tokens(const settings *s);

/* Adds the tokens that s names to tok, whose own are there. */
tern_status settings_add_tokens(tern_tokenizer *tok, const settings *s);

/* The post-processor that s's class sets once all tokens have ids; *out null: the one of json
 * stays. */
tern_status settings_post_processor(const tern_tokenizer *tok, const settings *s,
                                    const json_t *json, json_t **out);

/* Roles, the longest input, clean_up_tokenization_spaces and split_special_tokens. */
tern_status settings_finish(tern_tokenizer *tok, const settings *s);

/* A token as a configuration writes it: a text (special), or an object with "content" and flags.
 * False: neither. */
bool settings_token(const json_t *value, bool special, added_token *out);

void settings_free(settings *s);

#endif
