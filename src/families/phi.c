/* Phi-1 to Phi-2: attention and MLP in parallel behind one norm, part of each head rotated. Source:
 * Hugging Face PhiForCausalLM. */
#include "families/common.h"

const tern_family tern_family_phi = {
    .name = "phi",
    .arch = { "PhiForCausalLM" },
    .model_type = { "phi" },
    .prefix = { "model." },
    KEYS(LLAMA_DIMS, SET(ACT, ACT_GELU_TANH), KEY_OR(EPS, "layer_norm_eps", 1e-5), SET(NORM, NORM_LAYER), SET(GATED, 0),
         SET(PARALLEL, 1), SET(ROTARY_FRACTION, 0.5)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(OUT_NORM, "final_layernorm.weight"),
          BIND(OUT_NORM_B, "final_layernorm.bias"), BIND(HEAD, "lm_head.weight"), BIND(HEAD_B, "lm_head.bias"),
          BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"), BIND(ATTN_NORM_B, "layers.{l}.input_layernorm.bias"),
          BIND(Q, "layers.{l}.self_attn.q_proj.weight"), BIND(Q_B, "layers.{l}.self_attn.q_proj.bias"),
          BIND(K, "layers.{l}.self_attn.k_proj.weight"), BIND(K_B, "layers.{l}.self_attn.k_proj.bias"),
          BIND(V, "layers.{l}.self_attn.v_proj.weight"), BIND(V_B, "layers.{l}.self_attn.v_proj.bias"),
          BIND(O, "layers.{l}.self_attn.dense.weight"), BIND(O_B, "layers.{l}.self_attn.dense.bias"),
          BIND_IF(Q_NORM, "layers.{l}.self_attn.q_layernorm.weight", "qk_layernorm", false),
          BIND_IF(Q_NORM_B, "layers.{l}.self_attn.q_layernorm.bias", "qk_layernorm", false),
          BIND_IF(K_NORM, "layers.{l}.self_attn.k_layernorm.weight", "qk_layernorm", false),
          BIND_IF(K_NORM_B, "layers.{l}.self_attn.k_layernorm.bias", "qk_layernorm", false),
          BIND(UP, "layers.{l}.mlp.fc1.weight"), BIND(UP_B, "layers.{l}.mlp.fc1.bias"),
          BIND(DOWN, "layers.{l}.mlp.fc2.weight"), BIND(DOWN_B, "layers.{l}.mlp.fc2.bias")),
};
