/* generation_config.json: which tokens end a text, and how its author means it to be sampled.
 * Called by the model module. */
#ifndef TERN_FORMATS_GENERATION_CONFIG_H
#define TERN_FORMATS_GENERATION_CONFIG_H

#include "formats/hf_config.h"

enum { TERN_MAX_EOS = 64 };

/* What the file says; where it is silent, the neutral value. */
typedef struct tern_hf_generation {
    int64_t eos[TERN_MAX_EOS];
    size_t n_eos;
    int64_t bos, pad;               /* -1: none */
    bool do_sample;                 /* false: greedy */
    double temperature;             /* 1  */
    /* 0: off; transformers' own 50 where the file samples and is silent */
    int64_t top_k;
    double top_p, min_p;            /* 1, 0 */
    double repetition_penalty;      /* 1  */
    int64_t max_new_tokens;         /* 0: not given */
    /* prompt and output together, where max_new_tokens is not given; 0: not given */
    int64_t max_length;
    /* keys of the file that are not followed, one a line: "\"num_beams\" 4\nmy_key"; "": none */
    char ignored[820];
} tern_hf_generation;

/* Reads dir/generation_config.json if it is there, else the same keys of config (may be null),
 * config.json as read, as transformers does; token ids that the file does not give come from config
 * in either case. An id outside [0, vocab) is dropped with a warning (a pad of -1 without one).
 * Values of another kind or out of range are refused, all in one sentence. A key that would change
 * the text and is not followed is named with its value in one line of the log, and keys that
 * transformers does not have in another. */
tern_status tern_hf_generation_read(tern_ctx *ctx, const char *dir, tern_hf_config *config,
                                    int64_t vocab, tern_hf_generation *out);

#endif
