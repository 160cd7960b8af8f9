/* A model's settings out of its config.json, by its family's constant. */
#ifndef TERN_FAMILIES_SPEC_H
#define TERN_FAMILIES_SPEC_H

#include "families/family.h"

/* Finds the family, reads every setting, checks ranges, and (strict) refuses keys that nobody consumed. All refusals are gathered: the sentence has the
 * first ones, tern_hf_config's list has them all. config is borrowed as long as *out lives. The caller frees *out. */
tern_status tern_spec_read(tern_ctx *ctx, tern_hf_config *config, tern_spec **out);
void tern_spec_free(tern_spec *spec);

/* The value of a flag of config.json that says whether a tensor is there (a family_bind's key). */
bool tern_spec_flag(const tern_spec *spec, const char *key, bool otherwise);

#endif
