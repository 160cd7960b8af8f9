/* Llama 1 to 3.x. Source: Touvron et al. 2023; Hugging Face LlamaForCausalLM. */
#include "families/family.h"

const tern_family tern_family_llama = {
    .name = "llama",
    .arch = { "LlamaForCausalLM" },
    .prefix = { "model." },
    .model_type = { "llama" },
    .ignore = { "*layers.*.self_attn.rotary_emb.inv_freq" },
    .no_effect = { "pretraining_tp" },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"),
         KEY_AS(KV_HEADS, "num_key_value_heads", HEADS), KEY_OVER(HEAD_DIM, "head_dim", DIM, HEADS), KEY(FFN, "intermediate_size"),
         KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 2048), KEY_OR(EPS, "rms_norm_eps", 1e-6),
         KEY(ACT, "hidden_act"), KEY(TIED, "tie_word_embeddings")),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(OUT_NORM, "norm.weight"), BIND(HEAD, "lm_head.weight"),
          BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"), BIND(MLP_NORM, "layers.{l}.post_attention_layernorm.weight"),
          BIND(Q, "layers.{l}.self_attn.q_proj.weight"), BIND_IF(Q_B, "layers.{l}.self_attn.q_proj.bias", "attention_bias", false),
          BIND(K, "layers.{l}.self_attn.k_proj.weight"), BIND_IF(K_B, "layers.{l}.self_attn.k_proj.bias", "attention_bias", false),
          BIND(V, "layers.{l}.self_attn.v_proj.weight"), BIND_IF(V_B, "layers.{l}.self_attn.v_proj.bias", "attention_bias", false),
          BIND(O, "layers.{l}.self_attn.o_proj.weight"), BIND_IF(O_B, "layers.{l}.self_attn.o_proj.bias", "attention_bias", false),
          BIND(GATE, "layers.{l}.mlp.gate_proj.weight"), BIND_IF(GATE_B, "layers.{l}.mlp.gate_proj.bias", "mlp_bias", false),
          BIND(UP, "layers.{l}.mlp.up_proj.weight"), BIND_IF(UP_B, "layers.{l}.mlp.up_proj.bias", "mlp_bias", false),
          BIND(DOWN, "layers.{l}.mlp.down_proj.weight"), BIND_IF(DOWN_B, "layers.{l}.mlp.down_proj.bias", "mlp_bias", false)),
};
