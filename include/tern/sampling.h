/* How the next token is drawn from logits. */
#ifndef TERN_SAMPLING_H
#define TERN_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>
#include <tern/model.h>

/* Applied in this order: repetition penalty (over prompt and output), temperature, top-k, top-p,
 * min-p; ties go to the lowest id. The number behind a draw is Philox(seed, position): the same
 * request gives the same tokens in every batch. */
typedef struct tern_sampling {
    float temperature;           /* 0: greedy; else logits / temperature */
    int64_t top_k;               /* 0: off; keep the k largest */
    float top_p;                 /* 1: off; keep the smallest set whose probabilities reach top_p */
    /* 0: off; keep those of at least min_p times the largest probability */
    float min_p;
    /* 1: off; positive logits of tokens seen are divided by it, negative ones multiplied (Keskar et
     * al. 2019) */
    float repetition_penalty;
    uint64_t seed;
} tern_sampling;

/* Greedy: temperature 0, all else off. */
TERN_API tern_sampling tern_sampling_greedy(void);

/* What the model's generation_config.json asks for (do_sample false or absent: greedy). seed is
 * 0. */
TERN_API tern_sampling tern_sampling_default(const tern_model *model);

/* Draws one token from logits [vocab] for position; seen [n_seen] are the tokens before it.
 * TERN_ERR_ARGUMENT a field outside its range, by name | TERN_ERR_NUMERIC a NaN among the logits,
 * or no finite one. */
TERN_API tern_status tern_sample(tern_ctx *ctx, const tern_sampling *sampling, const float *logits,
                                 int64_t vocab, const int32_t *seen, size_t n_seen,
                                 int64_t position, int32_t *token);

#endif
