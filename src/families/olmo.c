/* OLMo: LayerNorm without parameters. Source: Groeneveld et al. 2024; Hugging Face
 * OlmoForCausalLM. */
#include "families/common.h"

const tern_family tern_family_olmo = {
    .name = "olmo",
    .arch = { "OlmoForCausalLM" },
    .model_type = { "olmo" },
    .prefix = { "model." },
    KEYS(LLAMA_DIMS, SET(EPS, 1e-5), SET(NORM, NORM_LAYER), SET(NORM_WEIGHTS, 0), KEY(CLIP_QKV, "clip_qkv")),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(HEAD, "lm_head.weight"), LLAMA_ATTENTION,
          LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP),
};
