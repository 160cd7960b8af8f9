/* Megatron-LM's GPT by its own names, as DeepSpeed's MegatronLayerPolicy reads a layer: GPT-2 whose
 * q, k and v lie together per head (megatron_v2), or apart in the oldest checkpoints. Source:
 * Shoeybi et al. 2019; DeepSpeed module_inject/containers/megatron_gpt.py. */
#include "families/spec.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    (void)config;
    s->value[S_INTERLEAVED] = tern_spec_flag(s, "megatron_v2", true);
    return TERN_OK;
}

const tern_family tern_family_megatron_gpt = {
    .name = "megatron_gpt", .arch = { "MegatronGPTForCausalLM" }, .model_type = { "megatron_gpt" },
    .prefix = { "language_model.transformer.", "language_model.encoder.", "language_model.embedding.",
                "language_model." },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_layers"), KEY(HEADS, "num_attention_heads"),
         KEY_AS(KV_HEADS, NULL, HEADS), KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, "ffn_hidden_size", DIM, 4),
         KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 1024),
         KEY_OR(ACT, "activation_function", ACT_GELU_TANH), KEY_OR(EPS, "layernorm_epsilon", 1e-5),
         KEY_OR(TIED, "tie_word_embeddings", 1), SET(NORM, NORM_LAYER), SET(GATED, 0), SET(POSITION, POS_LEARNED)),
    BINDS(BIND(EMBED, "word_embeddings.weight"), BIND(POS, "position_embeddings.weight"),
          BIND(OUT_NORM, "final_layernorm.weight"), BIND(OUT_NORM_B, "final_layernorm.bias"),
          BIND(HEAD, "output_layer.weight"), BIND(ATTN_NORM, "layers.{l}.input_layernorm.weight"),
          BIND(ATTN_NORM_B, "layers.{l}.input_layernorm.bias"),
          BIND(MLP_NORM, "layers.{l}.post_attention_layernorm.weight"),
          BIND(MLP_NORM_B, "layers.{l}.post_attention_layernorm.bias"),
          BIND(QKV, "layers.{l}.self_attention.query_key_value.weight"),
          BIND(QKV, "layers.{l}.attention.query_key_value.weight"),
          BIND(QKV_B, "layers.{l}.self_attention.query_key_value.bias"),
          BIND(QKV_B, "layers.{l}.attention.query_key_value.bias"), BIND(O, "layers.{l}.self_attention.dense.weight"),
          BIND(O, "layers.{l}.attention.dense.weight"), BIND(O_B, "layers.{l}.self_attention.dense.bias"),
          BIND(O_B, "layers.{l}.attention.dense.bias"), BIND(UP, "layers.{l}.mlp.dense_h_to_4h.weight"),
          BIND(UP_B, "layers.{l}.mlp.dense_h_to_4h.bias"), BIND(DOWN, "layers.{l}.mlp.dense_4h_to_h.weight"),
          BIND(DOWN_B, "layers.{l}.mlp.dense_4h_to_h.bias")),
    .adjust = adjust,
};
