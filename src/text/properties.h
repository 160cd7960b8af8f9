/* Unicode properties by Oniguruma's names, as items of a PCRE2 class. Called by
 * pattern_translate.c.
 *
 * Characters that Oniguruma has and an older PCRE2 has not are added to the items, from
 * unicode_tables.c. */
#ifndef TERN_TEXT_PROPERTIES_H
#define TERN_TEXT_PROPERTIES_H

#include "text/tokenizer/bytes.h"

/* Appends the items of \p{name} (without blanks, '_' and '-'). A name unknown to both is left for
 * PCRE2 to refuse. */
void property_items(bytes *items, const char *name);

#endif
