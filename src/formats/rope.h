/* Rotary positions as config.json describes them: which frequencies a head's pairs rotate with, and
 * how far their vectors are stretched.
 *
 *   angle of pair j at position p:  p * f_j,  f_j = theta^(-2j / n_dims)  for 0 <= j < n_dims / 2
 *   "default"
 *     linear    f_j / factor
 *   dynamic  theta grows with the length: theta * (factor * length / max - (factor - 1))^(n_dims /
 *            (n_dims - 2)), length >= max
 *   llama3  f_j / factor where a rotation takes more than original / low_freq_factor positions, f_j
 *           where it takes less than
 *               original / high_freq_factor, between them a blend that is linear in original * f_j
 *               / 2 pi
 *   yarn  between f_j / factor and f_j by a ramp over j, from the pair that makes beta_fast
 *         rotations within original positions to the one
 *               that makes beta_slow rotations; sines and cosines times 0.1 ln(factor) + 1 (or
 *               mscale's form of it)
 *     longrope  f_j / short_factor[j] up to original positions, f_j / long_factor[j] beyond; sines
 *               and cosines times
 *               sqrt(1 + ln(factor) / ln(original))
 * Sources: Su et al. 2021; Peng et al. 2023 (YaRN); Ding et al. 2024 (LongRoPE); Llama 3.1's
 * reference code; transformers, modeling_rope_utils, for the names of the keys and their
 * defaults. */
#ifndef TERN_FORMATS_ROPE_H
#define TERN_FORMATS_ROPE_H

#include "formats/hf_config.h"

typedef enum tern_rope_type {
    TERN_ROPE_DEFAULT, TERN_ROPE_LINEAR, TERN_ROPE_DYNAMIC, TERN_ROPE_YARN, TERN_ROPE_LLAMA3,
    TERN_ROPE_LONGROPE
} tern_rope_type;

typedef struct tern_rope_plan {
    tern_rope_type type;
    double theta;
    int64_t n_dims;                     /* of a head that rotate: even, at least 2          */
    double factor;
    int64_t max_tokens;                 /* "max_position_embeddings"                       */
    /* before the context was extended: llama3, yarn, longrope */
    int64_t original_tokens;
    double low_freq_factor, high_freq_factor;          /* llama3                           */
    double beta_fast, beta_slow;                       /* yarn                             */
    bool truncate;                                     /* yarn: the ramp ends at whole pairs */
    double magnitude;                   /* what sines and cosines are multiplied by        */
    double *short_factor, *long_factor; /* longrope, [n_dims / 2]: owned                   */
} tern_rope_plan;

/* What a family has beside the keys. Zero where not used. */
typedef struct tern_rope_source {
    /* "full_attention": which entry of rope_parameters, where those are given per type of layer */
    const char *group;
    /* another old key for theta; null: "rope_theta" or "rotary_emb_base" */
    const char *theta_key;
    bool unscaled;            /* old keys only: "rope_scaling" is not for this group       */
    bool whole;               /* all of a head rotates: another share is refused             */
    bool longrope_only;       /* Phi-3: no other type, which older files call "su", "yarn" */
    double theta;             /* where no key says it                                      */
    double partial;           /* share of a head that rotates where no key says it; 0: 1     */
    int64_t head_dim;         /* of the vectors that rotate                                  */
    int64_t max_tokens;       /* "max_position_embeddings"                                 */
} tern_rope_source;

/* Reads both spellings: rope_theta + rope_scaling {type or rope_type, ...} + partial_rotary_factor
 * (rotary_pct, rope_pct), and rope_parameters {rope_theta, rope_type, ...}, flat or per type of
 * layer. Faults go to config; *out then is a default rope. Release: tern_rope_free. */
void tern_rope_read(tern_hf_config *config, const tern_rope_source *source, tern_rope_plan *out);
void tern_rope_free(tern_rope_plan *rope);

/* Whether frequencies depend on the length: those of dynamic beyond max_tokens, those of longrope
 * beyond original_tokens. */
bool tern_rope_depends_on_length(const tern_rope_plan *rope);

/* The frequencies f_j [n_dims / 2] for a sequence of length tokens (0: short). Computed in double
 * and rounded once. */
void tern_rope_frequencies(const tern_rope_plan *rope, int64_t length, float *frequencies);

#endif
