/* Tokenizers of checkpoints without tokenizer.json, written down as the tokenizer.json that says
 * the same. sentencepiece.c and load_files.c make the parts; tokenizer_load_json reads the whole,
 * so that there is one way to run a tokenizer. */
#ifndef TERN_TEXT_ASSEMBLE_H
#define TERN_TEXT_ASSEMBLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tern/context.h>

/* Every json_t here is a new reference, or null where there was no memory. */

/* A Replace of the pattern, kind "String" or "Regex": a normalizer, and a decoder. */
json_t *assemble_replace(const char *kind, const char *pattern, const char *content);

/* TemplateProcessing with first before and last behind each sequence; null or "" leaves it out. B
 * has type_b; joined: last stands before it, too. */
json_t *assemble_template(const char *first, int64_t first_id, const char *last, int64_t last_id,
                          int type_b, bool joined);

/* A boolean of the configuration, otherwise where it has none. */
bool assemble_flag(const json_t *config, const char *key, bool otherwise);

/* The text of a role in the configuration ("eos_token"), otherwise where it has none. */
const char *assemble_role(const json_t *config, const char *key, const char *otherwise);

#endif
