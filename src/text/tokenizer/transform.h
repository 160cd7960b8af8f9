/* Rewriting a text character by character, with the bookkeeping of where each came from that the
 * tokenizers library does: its normalizers say for each character of the result how many characters
 * of the input it stands for.
 *
 *     change  0    stands for the next character of the input
 *     change +1    is added: comes from where the one before it came from
 *     change -n    stands for the next character and the n behind it
 */
#ifndef TERN_TEXT_TRANSFORM_H
#define TERN_TEXT_TRANSFORM_H

#include "text/tokenizer/aligned.h"

typedef struct transform {
    tern_ctx *ctx;
    const aligned *in;
    aligned *out;
    size_t at;             /* the next byte of in */
    char last[4];          /* not written yet, so that its change may still be adjusted */
    size_t n_last;
    int64_t change;
} transform;

tern_status transform_put(transform *t, uint32_t c, int64_t change);
/* the change of the last character; nothing if there is none */
void transform_adjust(transform *t, int64_t by);
tern_status transform_end(transform *t);

#endif
