/* What kind of character a character is, as the tokenizers library asks: each kind is what its
 * version of Unicode says. Looks into unicode_tables.c. */
#ifndef TERN_TEXT_UNICODE_H
#define TERN_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool unicode_is_space(uint32_t c);          /* White_Space */
bool unicode_is_word(uint32_t c);           /* \w of UTS #18: Alphabetic, M, Nd, Pc, Join_Control */
/* P, and ASCII that is neither letter, digit, blank nor control */
bool unicode_is_punctuation(uint32_t c);
bool unicode_is_numeric(uint32_t c);        /* N */
bool unicode_is_mark(uint32_t c);           /* M */
bool unicode_is_nonspacing(uint32_t c);     /* Mn */
bool unicode_is_control(uint32_t c);        /* Cc, Cf, Co */
bool unicode_is_chinese(uint32_t c);        /* BERT's blocks of CJK ideographs */
bool unicode_is_frozen(uint32_t c);         /* the normal forms do not know it */
uint32_t unicode_lower(uint32_t c);         /* the simple lower case */

/* The script's number; 0xffffffff for a character that belongs to any. Hiragana, Katakana and Han
 * are one. */
uint32_t unicode_script_of(uint32_t c);

#endif
