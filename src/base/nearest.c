/* Edit distance between two names: see nearest.h. Three rows of the usual table (Damerau 1964,
 * neighbouring swaps only). */
#include "base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { MOST = 63, MOST_EDITS = 2 };    /* beyond them it is another word */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

size_t tern_edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > MOST || m > MOST) return n > m ? n : m;
    size_t rows[3][MOST + 1], *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(above[j - 1] + !same(a[i - 1], b[j - 1]), 1 + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[m];
}

/* Whether both have the same digits in the same order: "qwen4" is no misspelling of "qwen3". */
static bool same_digits(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && !isdigit((unsigned char)*a)) a++;
        while (*b && !isdigit((unsigned char)*b)) b++;
        if (*a != *b) return false;
        if (!*a) return true;
    }
}

void tern_nearest_offer(tern_nearest *near, const char *name)
{
    size_t reach = least(strlen(near->word) / 3, MOST_EDITS);
    if (!same_digits(near->word, name)) return;
    size_t distance = tern_edit_distance(near->word, name);
    if (distance > (reach ? reach : 1) || (near->best && distance >= near->distance)) return;
    near->best = name;
    near->distance = distance;
}
