/* BLOOM: alibi, a norm of the embedding; q, k and v lie together per head. Source: BigScience 2022;
 * Hugging Face BloomForCausalLM. */
#include "families/spec.h"

const tern_family tern_family_bloom = {
    .name = "bloom", .arch = { "BloomForCausalLM" }, .model_type = { "bloom" }, .prefix = { "transformer." },
    .no_effect = { "pretraining_tp", "slow_but_exact", "n_inner", "offset_alibi", "seq_length", "skip_bias_add*",
                   "unk_token_id", "attention_softmax_in_fp32", "masked_softmax_fusion", "bias_dropout_fusion" },
    KEYS(KEY(DIM, "hidden_size"), KEY(DIM, "n_embed"), KEY(LAYERS, "n_layer"), KEY(LAYERS, "num_hidden_layers"),
         KEY(HEADS, "n_head"), KEY(HEADS, "num_attention_heads"), KEY_AS(KV_HEADS, NULL, HEADS),
         KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, NULL, DIM, 4), KEY(VOCAB, "vocab_size"),
         KEY_OR(EPS, "layer_norm_epsilon", 1e-5), KEY_OR(TIED, "tie_word_embeddings", 1),
         KEY_OR(RESIDUAL_NORMED, "apply_residual_connection_post_layernorm", 0), SET(ACT, ACT_GELU_TANH),
         SET(NORM, NORM_LAYER), SET(GATED, 0), SET(POSITION, POS_ALIBI), SET(INTERLEAVED, 1)),
    BINDS(BIND(EMBED, "word_embeddings.weight"), BIND(EMBED_NORM, "word_embeddings_layernorm.weight"),
          BIND(EMBED_NORM_B, "word_embeddings_layernorm.bias"), BIND(OUT_NORM, "ln_f.weight"),
          BIND(OUT_NORM_B, "ln_f.bias"), BIND(HEAD, "lm_head.weight"), BIND(ATTN_NORM, "h.{l}.input_layernorm.weight"),
          BIND(ATTN_NORM_B, "h.{l}.input_layernorm.bias"), BIND(MLP_NORM, "h.{l}.post_attention_layernorm.weight"),
          BIND(MLP_NORM_B, "h.{l}.post_attention_layernorm.bias"),
          BIND(QKV, "h.{l}.self_attention.query_key_value.weight"),
          BIND(QKV_B, "h.{l}.self_attention.query_key_value.bias"), BIND(O, "h.{l}.self_attention.dense.weight"),
          BIND(O_B, "h.{l}.self_attention.dense.bias"), BIND(UP, "h.{l}.mlp.dense_h_to_4h.weight"),
          BIND(UP_B, "h.{l}.mlp.dense_h_to_4h.bias"), BIND(DOWN, "h.{l}.mlp.dense_4h_to_h.weight"),
          BIND(DOWN_B, "h.{l}.mlp.dense_4h_to_h.bias")),
};
