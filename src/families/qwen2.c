/* Qwen2 and Qwen2.5: Llama with biases of q, k and v. Source: Yang et al. 2024; Hugging Face
 * Qwen2ForCausalLM. */
#include "families/common.h"

tern_status tern_qwen_window(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    int64_t first = 28;
    tern_hf_int(config, "max_window_layers", 0, MOST_LAYERS, &first);
    bool on = tern_spec_flag(s, "use_sliding_window", false), listed = tern_hf_has(config, "layer_types");
    for (int64_t l = 0; l < tern_get(s, S_LAYERS); l++) {
        if (listed && s->windowed[l] && !on)
            tern_hf_refuse(config, TERN_ERR_FORMAT, "\"layer_types\" gives layer %lld a window, and "
                           "\"use_sliding_window\" is not true", (long long)l);
        s->windowed[l] = s->windowed[l] && on && (listed || l >= first);
    }
    return TERN_OK;
}

const tern_family tern_family_qwen2 = {
    .name = "qwen2",
    .arch = { "Qwen2ForCausalLM" },
    .model_type = { "qwen2" },
    .prefix = { "model." },
    .ignore = { "*layers.*.self_attn.rotary_emb.inv_freq" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6), KEY(WINDOW, "sliding_window")),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKV_BIAS(NULL, true), LLAMA_MLP),
    .adjust = tern_qwen_window,
};
