/* Post-processors: where special tokens go around the one or two encoded sequences, and which type
 * each token has. */
#ifndef TERN_TEXT_POSTPROCESS_H
#define TERN_TEXT_POSTPROCESS_H

#include <tern/tokenizer.h>

#include "text/tokenizer/component.h"

extern const component_table postprocessor_table;

/* The sequences as encoded, and the result that is put together from them. */
typedef struct postprocessing {
    tern_ctx *ctx;
    tern_encoding *sequences;      /* [n], 1 or 2; info is filled if detail */
    /* [n] what the sequences were encoded from: offsets count in it */
    const char *const *inputs;
    size_t n;
    bool add_special, detail;
    tern_encoding *out;
    bool placed;                   /* a component has put the sequences into out */
} postprocessing;

/* Fills p->out (emptied first). */
tern_status postprocess(postprocessing *p, const components *list);

/* How many special tokens would be added to n sequences. */
size_t postprocess_added(const components *list, size_t n);

/* Appends to an encoding: one token with its text; a whole sequence. detail: info and text too. */
tern_status encoding_add(tern_ctx *ctx, tern_encoding *out, bool detail, int32_t id,
                         const tern_token_info *info, const char *text, size_t n_text);
tern_status encoding_append(tern_ctx *ctx, tern_encoding *out, bool detail,
                            const tern_encoding *sequence, int32_t type_id);

#endif
