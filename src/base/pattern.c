/* Matches names with patterns of "*"s: see pattern.h. */
#include "base/pattern.h"

#include <stddef.h>

/* The last "*" takes one character more whenever what follows it does not fit: no recursion, at
 * most |pattern| x |text| steps. */
bool tern_name_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            resume = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}
