/* The nearest known name to an unknown word, for "did you mean": config keys, ops, options, flags.
 *
 *     tern_nearest near = { .word = key };
 *     for (each name) tern_nearest_offer(&near, name);
 *     near.best          null where nothing comes close */
#ifndef TERN_BASE_NEAREST_H
#define TERN_BASE_NEAREST_H

#include <stddef.h>

typedef struct tern_nearest {
    const char *word;     /* borrowed */
    const char *best;     /* borrowed from the offers */
    size_t distance;
} tern_nearest;

/* Keeps name where it is nearer than the best so far, has the same digits, and is at most 1 edit
 * away, of words of 6 letters and more 2. Ties go to the earlier offer. */
void tern_nearest_offer(tern_nearest *near, const char *name);

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b; case counts
 * nothing. Beyond 63 characters, no words are near: the larger length. */
size_t tern_edit_distance(const char *a, const char *b);

#endif
