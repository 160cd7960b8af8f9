/* GPT-NeoX and Pythia: attention and MLP in parallel behind two norms, or in sequence; q, k and v
 * lie together per head.
 * Source: Black et al. 2022; Hugging Face GPTNeoXForCausalLM. */
#include "families/spec.h"

const tern_family tern_family_gpt_neox = {
    .name = "gpt_neox", .arch = { "GPTNeoXForCausalLM" }, .model_type = { "gpt_neox" }, .prefix = { "gpt_neox." },
    .ignore = { "*layers.*.attention.bias", "*layers.*.attention.masked_bias",
                "*layers.*.attention.rotary_emb.inv_freq" },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"),
         KEY_AS(KV_HEADS, NULL, HEADS), KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY(FFN, "intermediate_size"),
         KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 2048),
         KEY_OR(ACT, "hidden_act", ACT_GELU_ERF), KEY_OR(EPS, "layer_norm_eps", 1e-5), KEY(TIED, "tie_word_embeddings"),
         KEY_OR(PARALLEL, "use_parallel_residual", 1), SET(NORM, NORM_LAYER), SET(GATED, 0), SET(INTERLEAVED, 1),
         SET(ROTARY_FRACTION, 0.25)),
    BINDS(BIND(EMBED, "embed_in.weight"), BIND(OUT_NORM, "final_layer_norm.weight"),
          BIND(OUT_NORM_B, "final_layer_norm.bias"), BIND(HEAD, "embed_out.weight"),
          BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"), BIND(ATTN_NORM_B, "layers.{l}.input_layernorm.bias"),
          BIND(MLP_NORM, "layers.{l}.post_attention_layernorm.weight"),
          BIND(MLP_NORM_B, "layers.{l}.post_attention_layernorm.bias"),
          BIND(QKV, "layers.{l}.attention.query_key_value.weight"),
          BIND_IF(QKV_B, "layers.{l}.attention.query_key_value.bias", "attention_bias", true),
          BIND(O, "layers.{l}.attention.dense.weight"),
          BIND_IF(O_B, "layers.{l}.attention.dense.bias", "attention_bias", true),
          BIND(UP, "layers.{l}.mlp.dense_h_to_4h.weight"), BIND(UP_B, "layers.{l}.mlp.dense_h_to_4h.bias"),
          BIND(DOWN, "layers.{l}.mlp.dense_4h_to_h.weight"), BIND(DOWN_B, "layers.{l}.mlp.dense_4h_to_h.bias")),
};
