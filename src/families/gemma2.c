/* Gemma 2: norms before and after each branch, capped scores and logits, a window in every other
 * layer.
 * Source: Gemma Team 2024; Hugging Face Gemma2ForCausalLM. */
#include <math.h>

#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    double scalar = 256;
    tern_spec_not_null(config, "query_pre_attn_scalar");
    tern_hf_number(config, "query_pre_attn_scalar", 1e-6, 1e9, &scalar);
    if (tern_spec_flag(s, "use_bidirectional_attention", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"use_bidirectional_attention\" is true, and this family runs causal only");
    s->value[S_ATTN_SCALE] = 1 / sqrt(scalar);
    s->value[S_EMBED_SCALE] = sqrt(s->value[S_DIM]);
    return TERN_OK;
}

const tern_family tern_family_gemma2 = {
    .name = "gemma2",
    .arch = { "Gemma2ForCausalLM" },
    .model_type = { "gemma2" },
    .prefix = { "model." },
    .no_effect = { "cache_implementation" },
    KEYS(KEY_OR(HEAD_DIM, "head_dim", 256), KEY_OR(TIED, "tie_word_embeddings", 1),
         KEY_OR(ACT, "hidden_activation", ACT_GELU_TANH), LLAMA_SIZES, KEY_OR(EPS, "rms_norm_eps", 1e-6),
         KEY_OR(WINDOW, "sliding_window", 4096), SET(WINDOW_EVERY, 2), KEY(ATTN_SOFTCAP, "attn_logit_softcapping"),
         KEY(OUT_SOFTCAP, "final_logit_softcapping")),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND_AS(OUT_NORM, "norm.weight", ADD_ONE), BIND(HEAD, "lm_head.weight"),
          BIND_AS(ATTN_NORM, "layers.{l}.input_layernorm.weight", ADD_ONE),
          BIND_AS(POST_ATTN, "layers.{l}.post_attention_layernorm.weight", ADD_ONE),
          BIND_AS(MLP_NORM, "layers.{l}.pre_feedforward_layernorm.weight", ADD_ONE),
          BIND_AS(POST_MLP, "layers.{l}.post_feedforward_layernorm.weight", ADD_ONE), LLAMA_ATTENTION,
          LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP),
    .adjust = adjust,
};
