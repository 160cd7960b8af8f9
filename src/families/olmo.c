/* OLMo: LayerNorm without parameters. Source: Groeneveld et al. 2024; Hugging Face OlmoForCausalLM. */
#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    (void)s;
    if (tern_hf_has(config, "clip_qkv")) tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"clip_qkv\" is given, and q, k and v are not clipped here");
    return TERN_OK;
}

const tern_family tern_family_olmo = {
    .name = "olmo",
    .arch = { "OlmoForCausalLM" },
    .model_type = { "olmo" },
    .prefix = { "model." },
    KEYS(LLAMA_DIMS, SET(EPS, 1e-5), SET(NORM, NORM_LAYER)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(HEAD, "lm_head.weight"), LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP),
    .adjust = adjust,
};
