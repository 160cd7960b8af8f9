/* The frequencies of each kind of rope: see rope.h. */
#include "formats/rope.h"

#include <math.h>

#include "base/memory.h"

void tern_rope_free(tern_rope_plan *rope)
{
    tern_free(rope->short_factor);
    tern_free(rope->long_factor);
    *rope = (tern_rope_plan){ 0 };
}

bool tern_rope_depends_on_length(const tern_rope_plan *rope)
{
    return rope->type == TERN_ROPE_DYNAMIC || rope->type == TERN_ROPE_LONGROPE;
}

static double clamp(double x, double low, double high)
{
    if (x < low) return low;
    if (x > high) return high;
    return x;
}

/* The theta of "dynamic" for this length. */
static double grown_theta(const tern_rope_plan *r, int64_t length)
{
    double max = (double)r->max_tokens, n = length > r->max_tokens ? (double)length : max, dims = (double)r->n_dims;
    return r->theta * pow(r->factor * n / max - (r->factor - 1), dims / (dims - 2));
}

static double llama3(const tern_rope_plan *r, double f)
{
    double rotations = (double)r->original_tokens * f / (2 * M_PI);
    if (rotations < r->low_freq_factor) return f / r->factor;
    if (rotations > r->high_freq_factor) return f;
    double blend = (rotations - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
    return (1 - blend) * f / r->factor + blend * f;
}

/* The pair, as a real number, that makes this many rotations within the original length. */
static double pair_of_rotations(const tern_rope_plan *r, double rotations)
{
    return (double)r->n_dims * log((double)r->original_tokens / (rotations * 2 * M_PI)) / (2 * log(r->theta));
}

static double yarn(const tern_rope_plan *r, double f, int64_t j)
{
    double low = pair_of_rotations(r, r->beta_fast), high = pair_of_rotations(r, r->beta_slow);
    if (r->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = low < 0 ? 0 : low;
    high = high > (double)r->n_dims - 1 ? (double)r->n_dims - 1 : high;
    if (low == high) high += 0.001;
    double ramp = clamp(((double)j - low) / (high - low), 0, 1);
    return ramp * f / r->factor + (1 - ramp) * f;
}

static double scaled(const tern_rope_plan *r, double f, int64_t j, int64_t length)
{
    switch (r->type) {
    case TERN_ROPE_LINEAR: return f / r->factor;
    case TERN_ROPE_LLAMA3: return llama3(r, f);
    case TERN_ROPE_YARN: return yarn(r, f, j);
    case TERN_ROPE_LONGROPE: return f / (length > r->original_tokens ? r->long_factor : r->short_factor)[j];
    default: return f;
    }
}

void tern_rope_frequencies(const tern_rope_plan *r, int64_t length, float *frequencies)
{
    double theta = r->type == TERN_ROPE_DYNAMIC ? grown_theta(r, length) : r->theta;
    for (int64_t j = 0; j < r->n_dims / 2; j++) {
        double f = pow(theta, -2.0 * (double)j / (double)r->n_dims);
        frequencies[j] = (float)scaled(r, f, j, length);
    }
}
