/* Kinds of characters as sorted ranges, written by tools/make_unicode_tables.py. unicode.c and
 * properties.c look things up in them. */
#ifndef TERN_TEXT_UNICODE_TABLES_H
#define TERN_TEXT_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

typedef struct unicode_range {
    uint32_t first, last;
} unicode_range;

typedef struct unicode_pair {
    uint32_t from, to;
} unicode_pair;

typedef struct unicode_later {
    uint32_t first, last;
    char name[4];
} unicode_later;

typedef struct unicode_script {
    uint32_t first, last;
    uint32_t script;
} unicode_script;

extern const unicode_range unicode_word[], unicode_punctuation[], unicode_numeric[], unicode_mark[],
    unicode_nonspacing[], unicode_control[], unicode_frozen[];
extern const size_t unicode_word_n, unicode_punctuation_n, unicode_numeric_n, unicode_mark_n,
    unicode_nonspacing_n, unicode_control_n, unicode_frozen_n;
extern const unicode_pair unicode_lower_later[];
extern const size_t unicode_lower_later_n;
extern const unicode_later unicode_later_categories[];
extern const size_t unicode_later_categories_n;
extern const unicode_script unicode_scripts[];
extern const size_t unicode_scripts_n;

#endif
