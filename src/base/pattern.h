/* Names of tensors, keys and files by patterns. Called wherever a table has one row for many
 * names. */
#ifndef TERN_BASE_PATTERN_H
#define TERN_BASE_PATTERN_H

#include <stdbool.h>

/* Whether text matches pattern, in which "*" stands for any run of characters, the empty one too:
 * "*.attn.masked_bias". Nothing else is special. */
bool tern_name_matches(const char *pattern, const char *text);

#endif
