/* StableLM: LayerNorm, part of each head rotated, a gated MLP. Source: Hugging Face
 * StableLmForCausalLM. */
#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    (void)config;
    s->one_norm = tern_get(s, S_PARALLEL);
    return TERN_OK;
}

const tern_family tern_family_stablelm = {
    .name = "stablelm",
    .arch = { "StableLmForCausalLM", "StableLMEpochForCausalLM" },
    .model_type = { "stablelm", "stablelm_epoch" },
    .prefix = { "model." },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "layer_norm_eps", 1e-5), SET(NORM, NORM_LAYER),
         KEY_OR(PARALLEL, "use_parallel_residual", 0), SET(ROTARY_FRACTION, 0.25)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(OUT_NORM, "norm.weight"), BIND(OUT_NORM_B, "norm.bias"),
          BIND(HEAD, "lm_head.weight"), BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"),
          BIND(ATTN_NORM_B, "layers.{l}.input_layernorm.bias"),
          BIND(MLP_NORM, "layers.{l}.post_attention_layernorm.weight"),
          BIND(MLP_NORM_B, "layers.{l}.post_attention_layernorm.bias"), LLAMA_ATTENTION,
          LLAMA_QKV_BIAS("use_qkv_bias", false), LLAMA_MLP,
          BIND_IF(Q_NORM, "layers.{l}.self_attn.q_layernorm.norms.{h}.weight", "qk_layernorm", false),
          BIND_IF(K_NORM, "layers.{l}.self_attn.k_layernorm.norms.{h}.weight", "qk_layernorm", false)),
    .adjust = adjust,
};
