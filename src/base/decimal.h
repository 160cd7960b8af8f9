/* Numbers as text, faster than printf: what writes vectors by the thousand asks for it. */
#ifndef TERN_BASE_DECIMAL_H
#define TERN_BASE_DECIMAL_H

#include <stddef.h>

enum { TERN_DECIMAL_BYTES = 32 };    /* space for any number, its end included */

/* What printf's %.9g makes of value, to the letter, into text [TERN_DECIMAL_BYTES]; returns its
 * length. Nine digits tell any two floats apart. */
size_t tern_decimal(char *text, float value);

#endif
