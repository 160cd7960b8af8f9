/* What the mathematics of a model takes, in multiply-adds and in bytes: see bench.h. The rows and
 * the roofline are divided by it. */
#include <math.h>

#include "cli/bench/bench.h"

enum { STEP_TOKENS = 512 };    /* of the engine: the weights are read once for so many tokens of prompts */

static double head_flops(const tern_model_info *m)
{
    return m->has_logits ? 2.0 * (double)m->dim * (double)m->vocab : 0;
}

/* Of a token in the last layer, behind attention: made only for tokens whose logits are wanted.
 * Layers are taken for alike. */
static double last_flops(const tern_model_info *m)
{
    double layer = (m->flops_per_token - head_flops(m)) / (double)(m->n_layer > 0 ? m->n_layer : 1);
    return m->has_logits ? fmax(0, layer - 2.0 * (double)m->dim * (double)(m->n_head + 2 * m->n_kv_head) *
                                (double)m->head_dim) : 0;
}

/* Scores and context of one token over n others. */
static double attention_flops(const tern_model_info *m, double n)
{
    return 4.0 * (double)m->n_layer * (double)m->n_head * (double)m->head_dim * n;
}

/* Weights that a step of n tokens reads. Each token goes to its own experts: those of all tokens
 * together are what even routing gives on average. */
static double weights_read(const tern_model_info *m, double n)
{
    double read = (double)m->read_bytes_per_token;
    if (m->n_expert <= 0) return read;
    double used = (double)m->n_expert_used / (double)m->n_expert;
    return read + (double)m->expert_bytes * (1 - pow(1 - used, n) - used);
}

bench_work bench_prompt_work(const tern_model_info *m, int64_t n_token, int64_t batch)
{
    double n = (double)n_token, all = n * (double)batch, steps = ceil(all / STEP_TOKENS),
        before = n > STEP_TOKENS ? (n / STEP_TOKENS - 1) * n / 2 : 0;
    double flops = (m->flops_per_token - head_flops(m)) * n + head_flops(m) + attention_flops(m, n * (n + 1) / 2);
    if (n > 1) flops -= last_flops(m) * (fmin(n, STEP_TOKENS) - 1);
    double bytes = steps * weights_read(m, all / steps) + (double)batch * (n + before) * (double)m->kv_bytes_per_token;
    return (bench_work){ flops / n, bytes / all };
}

bench_work bench_decode_work(const tern_model_info *m, int64_t context, int64_t batch)
{
    double flops = m->flops_per_token + attention_flops(m, (double)context);
    return (bench_work){ flops, weights_read(m, (double)batch) / (double)batch +
                         (double)context * (double)m->kv_bytes_per_token };
}

bench_work bench_sentence_work(const tern_model_info *m, int64_t n_token, int64_t batch)
{
    double n = (double)n_token;
    return (bench_work){ (m->flops_per_token - head_flops(m)) * n + attention_flops(m, n * n),
                         weights_read(m, n * (double)batch) / (double)batch };
}

static double share(double rate, double work, double limit)
{
    return limit > 0 ? rate * work / limit : 0;
}

double bench_prompt_peak_share(const bench_result *r)
{
    return share(r->prompt_per_s.median, r->prompt.flops, r->peak.rate.median);
}

double bench_decode_peak_share(const bench_result *r)
{
    return share(r->decode_per_s.median, r->decode.flops, r->peak.rate.median);
}

double bench_decode_bandwidth_share(const bench_result *r)
{
    return share(r->decode_per_s.median, r->decode.bytes, r->bandwidth.rate.median);
}
