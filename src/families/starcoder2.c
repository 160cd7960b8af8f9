/* StarCoder2. Source: Lozhkov et al. 2024; Hugging Face Starcoder2ForCausalLM. */
#include "families/common.h"

const tern_family tern_family_starcoder2 = {
    .name = "starcoder2",
    .arch = { "Starcoder2ForCausalLM" },
    .model_type = { "starcoder2" },
    .prefix = { "model." },
    KEYS(KEY_OR(TIED, "tie_word_embeddings", 1), LLAMA_DIMS, SET(ACT, ACT_GELU_TANH), KEY_OR(EPS, "norm_epsilon", 1e-5),
         SET(NORM, NORM_LAYER), SET(GATED, 0), KEY(WINDOW, "sliding_window"), SET(WINDOW_ALL, 1)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(OUT_NORM, "norm.weight"), BIND(OUT_NORM_B, "norm.bias"),
          BIND(HEAD, "lm_head.weight"), BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"),
          BIND(ATTN_NORM_B, "layers.{l}.input_layernorm.bias"),
          BIND(MLP_NORM, "layers.{l}.post_attention_layernorm.weight"),
          BIND(MLP_NORM_B, "layers.{l}.post_attention_layernorm.bias"), LLAMA_ATTENTION,
          LLAMA_QKVO_BIAS("use_bias", true), BIND(UP, "layers.{l}.mlp.c_fc.weight"),
          BIND_IF(UP_B, "layers.{l}.mlp.c_fc.bias", "use_bias", true), BIND(DOWN, "layers.{l}.mlp.c_proj.weight"),
          BIND_IF(DOWN_B, "layers.{l}.mlp.c_proj.bias", "use_bias", true)),
};
