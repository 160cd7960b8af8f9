/* What the engine takes from a tern_model: its runner, and its sampling defaults. */
#include "base/ctx.h"
#include "engine/runner.h"

static tern_status step_model(void *user, const tern_step *step)
{
    return tern_model_step(user, step);
}

tern_status tern_engine_create(tern_ctx *ctx, tern_model *model, const tern_engine_options *options, tern_engine **out)
{
    tern_model_info info = tern_model_get_info(model);
    const char *why = info.causal ? "has no head over the vocabulary" : "is an encoder";
    if (info.decoder && !info.causal)
        why = "looks both ways (\"is_causal\" of config.json, or the attention that was asked for)";
    if (!info.causal || !info.has_logits)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s does not generate text: it %s", info.architecture, why);
    tern_runner runner = { .ctx = ctx, .kv = tern_model_kv(model), .vocab = info.vocab, .max_tokens = info.max_tokens,
                           .step = step_model, .user = model };
    runner.page_bytes = tern_kv_bytes(&runner.kv, 1);
    runner.mapped_bytes = info.weight_bytes > info.copied_bytes ? info.weight_bytes - info.copied_bytes : 0;
    runner.row_bytes = sizeof(float) * (size_t)(4 * info.dim + 3 * info.ffn +
                                                2 * (info.n_head + 2 * info.n_kv_head) * info.head_dim);
    runner.rope_tokens = tern_model_rope_tokens(model, &runner.rope_restarts);
    runner.n_eos = tern_model_eos(model, &runner.eos);
    return tern_engine_create_on(&runner, options, out);
}

tern_sampling tern_sampling_default(const tern_model *model)
{
    const tern_hf_generation *d = tern_model_generation(model);
    tern_sampling s = tern_sampling_greedy();
    s.repetition_penalty = (float)d->repetition_penalty;
    if (!d->do_sample) return s;
    s.temperature = (float)d->temperature;
    s.top_k = d->top_k;
    s.top_p = (float)d->top_p;
    s.min_p = (float)d->min_p;
    return s;
}
