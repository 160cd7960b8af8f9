/* SmolLM3: Llama with layers whose q and k are not rotated. Source: Hugging Face
 * SmolLM3ForCausalLM. */
#include "families/common.h"

/* "no_rope_layers" has a 1 for a layer that is rotated; else every no_rope_layer_interval-th layer
 * is not. Those that are not have the window. */
static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    int64_t rotated[MOST_LAYERS], every = 4, layers = tern_get(s, S_LAYERS);
    size_t n = 0;
    bool on = tern_spec_flag(s, "use_sliding_window", false), types = tern_hf_has(config, "layer_types");
    (void)ctx;
    tern_hf_int(config, "no_rope_layer_interval", 1, MOST_LAYERS, &every);
    bool listed = tern_hf_ints(config, "no_rope_layers", 0, 1, rotated, MOST_LAYERS, &n);
    if (listed && (int64_t)n != layers)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "\"no_rope_layers\" has %zu entries for %lld layers", n,
                       (long long)layers);
    for (int64_t l = 0; l < layers; l++) {
        bool rotate = listed && l < (int64_t)n ? rotated[l] == 1 : (l + 1) % every != 0;
        s->rope_of[l] = rotate ? ROPE_GLOBAL : ROPE_NONE;
        if (types && s->windowed[l] && !on)
            tern_hf_refuse(config, TERN_ERR_FORMAT, "\"layer_types\" gives layer %lld a window, and "
                           "\"use_sliding_window\" is not true", (long long)l);
        s->windowed[l] = s->windowed[l] && on && (types || !rotate);
    }
    return TERN_OK;
}

const tern_family tern_family_smollm3 = {
    .name = "smollm3",
    .arch = { "SmolLM3ForCausalLM" },
    .model_type = { "smollm3" },
    .prefix = { "model." },
    .no_effect = { "pretraining_tp" },
    KEYS(KEY_OR(TIED, "tie_word_embeddings", 1), LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6),
         KEY(WINDOW, "sliding_window")),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP,
          BIND_IF(GATE_B, "layers.{l}.mlp.gate_proj.bias", "mlp_bias", false),
          BIND_IF(UP_B, "layers.{l}.mlp.up_proj.bias", "mlp_bias", false),
          BIND_IF(DOWN_B, "layers.{l}.mlp.down_proj.bias", "mlp_bias", false)),
    .adjust = adjust,
};
