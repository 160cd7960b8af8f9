/* A model's settings out of its config.json, by its family's constant. */
#ifndef TERN_FAMILIES_SPEC_H
#define TERN_FAMILIES_SPEC_H

#include <tern/model.h>

#include "families/family.h"

/* What the caller asks for beside config.json. */
typedef struct tern_spec_options {
    /* keys that Hugging Face's class does not read are refused, not ignored */
    bool strict;
    tern_attention_mask attention;
} tern_spec_options;

/* Finds the family and Hugging Face's class, reads every setting, checks ranges, and refuses or
 * ignores keys that no code consumed (tern_hf_finish). All refusals are collected: the sentence has
 * the first ones, tern_hf_config's list has them all. config is borrowed as long as *out lives. The
 * caller frees *out. */
tern_status tern_spec_read(tern_ctx *ctx, tern_hf_config *config, const tern_spec_options *options,
                           tern_spec **out);
void tern_spec_free(tern_spec *spec);

/* Refuses a key that is there as null: not for a caller to whom null means something. */
void tern_spec_not_null(tern_hf_config *config, const char *key);

/* The value of a flag of config.json that says whether a tensor is there (a family_bind's key). */
bool tern_spec_flag(const tern_spec *spec, const char *key, bool otherwise);

/* direction.c: whether a token sees those behind it, by "is_causal", by code that "auto_map" names,
 * and by the caller. */
void tern_spec_direction(tern_hf_config *config, tern_attention_mask asked, tern_spec *spec);

#endif
