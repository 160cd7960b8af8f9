/* Mistral: Llama with a sliding window. Source: Jiang et al. 2023; Hugging Face
 * MistralForCausalLM. */
#include "families/common.h"

const tern_family tern_family_mistral = {
    .name = "mistral",
    .arch = { "MistralForCausalLM" },
    .model_type = { "mistral" },
    .prefix = { "model." },
    .ignore = { "*layers.*.self_attn.rotary_emb.inv_freq" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6), KEY(WINDOW, "sliding_window"), SET(WINDOW_ALL, 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_MLP),
};
