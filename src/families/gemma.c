/* Gemma: norms by 1 + w, a scaled embedding, a gated GELU. Source: Gemma Team 2024; Hugging Face GemmaForCausalLM. */
#include <math.h>

#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    if (tern_spec_flag(s, "use_bidirectional_attention", false)) tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"use_bidirectional_attention\" is true, and this family runs causal only");
    s->value[S_EMBED_SCALE] = sqrt(s->value[S_DIM]);
    return TERN_OK;
}

const tern_family tern_family_gemma = {
    .name = "gemma",
    .arch = { "GemmaForCausalLM" },
    .model_type = { "gemma" },
    .prefix = { "model." },
    KEYS(KEY_OR(HEAD_DIM, "head_dim", 256), KEY_OR(TIED, "tie_word_embeddings", 1), KEY(ACT, "hidden_activation"), LLAMA_DIMS,
         SET(ACT, ACT_GELU_TANH), KEY_OR(EPS, "rms_norm_eps", 1e-6)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND_AS(OUT_NORM, "norm.weight", ADD_ONE), BIND(HEAD, "lm_head.weight"),
          BIND_AS(ATTN_NORM, "layers.{l}.input_layernorm.weight", ADD_ONE), BIND_AS(MLP_NORM, "layers.{l}.post_attention_layernorm.weight", ADD_ONE),
          LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP),
    .adjust = adjust,
};
