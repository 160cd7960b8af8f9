/* Rows that many families share: Llama's keys and tensor names, which most decoders since have
 * kept. */
#ifndef TERN_FAMILIES_COMMON_H
#define TERN_FAMILIES_COMMON_H

#include "families/spec.h"

/* A head of DIM / HEADS channels where head_dim is absent or null. */
#define LLAMA_SIZES \
    KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"), \
    KEY_AS(KV_HEADS, "num_key_value_heads", HEADS), KEY_OVER(HEAD_DIM, "head_dim", DIM, HEADS), \
        KEY(FFN, "intermediate_size"), \
    KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 2048), \
        KEY(TIED, "tie_word_embeddings")

#define LLAMA_DIMS LLAMA_SIZES, KEY(ACT, "hidden_act")

#define LLAMA_ENDS                                                     \
    BIND(EMBED, "embed_tokens.weight"), BIND(OUT_NORM, "norm.weight"), \
        BIND(HEAD, "lm_head.weight")

#define LLAMA_NORMS                                       \
    BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"), \
        BIND(MLP_NORM, "layers.{l}.post_attention_layernorm.weight")

#define LLAMA_ATTENTION \
    BIND(Q, "layers.{l}.self_attn.q_proj.weight"), BIND(K, "layers.{l}.self_attn.k_proj.weight"), \
    BIND(V, "layers.{l}.self_attn.v_proj.weight"), BIND(O, "layers.{l}.self_attn.o_proj.weight")

/* Biases of q, k and v where a flag says so. */
#define LLAMA_QKV_BIAS(flag, without) \
    BIND_IF(Q_B, "layers.{l}.self_attn.q_proj.bias", flag, without), \
        BIND_IF(K_B, "layers.{l}.self_attn.k_proj.bias", flag, without), \
    BIND_IF(V_B, "layers.{l}.self_attn.v_proj.bias", flag, without)

#define LLAMA_QKVO_BIAS(flag, without) \
    LLAMA_QKV_BIAS(flag, without), BIND_IF(O_B, "layers.{l}.self_attn.o_proj.bias", flag, without)

#define LLAMA_MLP                                                                             \
    BIND(GATE, "layers.{l}.mlp.gate_proj.weight"), BIND(UP, "layers.{l}.mlp.up_proj.weight"), \
        BIND(DOWN, "layers.{l}.mlp.down_proj.weight")

#define LLAMA_QK_NORM(how)                                      \
    BIND_AS(Q_NORM, "layers.{l}.self_attn.q_norm.weight", how), \
        BIND_AS(K_NORM, "layers.{l}.self_attn.k_norm.weight", how)

/* BERT's layers, with older spellings of the norms' parameters. */
#define ENCODER_LAYERS \
    BIND(Q, "encoder.layer.{l}.attention.self.query.weight"), \
        BIND(Q_B, "encoder.layer.{l}.attention.self.query.bias"), \
    BIND(K, "encoder.layer.{l}.attention.self.key.weight"), \
        BIND(K_B, "encoder.layer.{l}.attention.self.key.bias"), \
    BIND(V, "encoder.layer.{l}.attention.self.value.weight"), \
        BIND(V_B, "encoder.layer.{l}.attention.self.value.bias"), \
    BIND(O, "encoder.layer.{l}.attention.output.dense.weight"), \
        BIND(O_B, "encoder.layer.{l}.attention.output.dense.bias"), \
    BIND(ATTN_NORM, "encoder.layer.{l}.attention.output.LayerNorm.weight"), \
        BIND(ATTN_NORM, "encoder.layer.{l}.attention.output.LayerNorm.gamma"), \
    BIND(ATTN_NORM_B, "encoder.layer.{l}.attention.output.LayerNorm.bias"), \
        BIND(ATTN_NORM_B, "encoder.layer.{l}.attention.output.LayerNorm.beta"), \
    BIND(UP, "encoder.layer.{l}.intermediate.dense.weight"), \
        BIND(UP_B, "encoder.layer.{l}.intermediate.dense.bias"), \
    BIND(DOWN, "encoder.layer.{l}.output.dense.weight"), \
        BIND(DOWN_B, "encoder.layer.{l}.output.dense.bias"), \
    BIND(MLP_NORM, "encoder.layer.{l}.output.LayerNorm.weight"), \
        BIND(MLP_NORM, "encoder.layer.{l}.output.LayerNorm.gamma"), \
    BIND(MLP_NORM_B, "encoder.layer.{l}.output.LayerNorm.bias"), \
        BIND(MLP_NORM_B, "encoder.layer.{l}.output.LayerNorm.beta")

/* Qwen's window: only where use_sliding_window says so, and only from layer max_window_layers on;
 * layer_types, where given, has decided already. */
tern_status tern_qwen_window(tern_ctx *ctx, tern_hf_config *config, tern_spec *spec);

/* Layers that a list of the config ("mlp_only_layers") keeps without experts. */
void tern_qwen_dense(tern_hf_config *config, tern_spec *spec);

#endif
