/* Falcon in its three wirings: 7B (one KV head, one norm, parallel), 40B and later (KV groups, two
 * norms or one, parallel), RW (alibi, in sequence). Alibi enters as in Hugging Face's sdpa
 * attention; its eager attention in transformers 5 adds alibi twice and is not what checkpoints
 * were trained with.
 * Source: Almazrouei et al. 2023; Hugging Face FalconForCausalLM. */
#include "families/spec.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    int64_t norms = 2, kv = tern_get(s, S_HEADS);
    bool grouped = tern_spec_flag(s, "new_decoder_architecture", false),
        parallel = tern_spec_flag(s, "parallel_attn", true);
    bool one_kv = tern_spec_flag(s, "multi_query", true);
    tern_hf_int(config, "num_ln_in_parallel_attn", 1, 2, &norms);
    const char *const counts[] = { "num_kv_heads", "n_head_kv" };
    for (size_t i = 0; i < 2; i++)
        if (tern_hf_has(config, counts[i])) tern_hf_int(config, counts[i], 1, tern_get(s, S_HEADS), &kv);
    if (grouped) s->value[S_KV_HEADS] = (double)kv;
    else if (one_kv) s->value[S_KV_HEADS] = (double)1;
    else s->value[S_KV_HEADS] = (double)(tern_get(s, S_HEADS));
    s->value[S_PARALLEL] = grouped || parallel;
    if (tern_spec_flag(s, "alibi", false)) {
        static const char *const unused[] = { "rope_parameters", "rope_theta", "rope_scaling" };
        for (size_t i = 0; i < sizeof unused / sizeof *unused; i++) tern_hf_value(config, unused[i]);
        s->value[S_POSITION] = POS_ALIBI_BF16;
    }
    s->one_norm = tern_get(s, S_PARALLEL) && !(grouped && norms == 2);
    if (grouped && !parallel)
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"parallel_attn\" is false with \"new_decoder_architecture\"");
    return TERN_OK;
}

const tern_family tern_family_falcon = {
    .name = "falcon",
    .arch = { "FalconForCausalLM", "RWForCausalLM" },
    .model_type = { "falcon", "RefinedWeb", "RefinedWebModel" },
    .prefix = { "transformer." },
    .ignore = { "*.rotary_emb.inv_freq" },
    .no_effect = { "apply_residual_connection_post_layernorm", "ff_factor" },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(LAYERS, "n_layer"),
         KEY(HEADS, "num_attention_heads"), KEY(HEADS, "n_head"), KEY_AS(KV_HEADS, NULL, HEADS),
         KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, "ffn_hidden_size", DIM, 4), KEY(VOCAB, "vocab_size"),
         KEY_OR(MAX_POS, "max_position_embeddings", 2048), KEY_OR(ACT, "activation", ACT_GELU_ERF),
         KEY_OR(EPS, "layer_norm_epsilon", 1e-5), KEY_OR(TIED, "tie_word_embeddings", 1), SET(NORM, NORM_LAYER),
         SET(GATED, 0), SET(INTERLEAVED, 1)),
    BINDS(BIND(EMBED, "word_embeddings.weight"), BIND(OUT_NORM, "ln_f.weight"), BIND(OUT_NORM_B, "ln_f.bias"),
          BIND(HEAD, "lm_head.weight"), BIND(ATTN_NORM, "h.{l}.input_layernorm.weight"),
          BIND(ATTN_NORM, "h.{l}.ln_attn.weight"), BIND(ATTN_NORM_B, "h.{l}.input_layernorm.bias"),
          BIND(ATTN_NORM_B, "h.{l}.ln_attn.bias"), BIND(MLP_NORM, "h.{l}.post_attention_layernorm.weight"),
          BIND(MLP_NORM, "h.{l}.ln_mlp.weight"), BIND(MLP_NORM_B, "h.{l}.post_attention_layernorm.bias"),
          BIND(MLP_NORM_B, "h.{l}.ln_mlp.bias"), BIND(QKV, "h.{l}.self_attention.query_key_value.weight"),
          BIND_IF(QKV_B, "h.{l}.self_attention.query_key_value.bias", "bias", false),
          BIND(O, "h.{l}.self_attention.dense.weight"), BIND_IF(O_B, "h.{l}.self_attention.dense.bias", "bias", false),
          BIND(UP, "h.{l}.mlp.dense_h_to_4h.weight"), BIND_IF(UP_B, "h.{l}.mlp.dense_h_to_4h.bias", "bias", false),
          BIND(DOWN, "h.{l}.mlp.dense_4h_to_h.weight"), BIND_IF(DOWN_B, "h.{l}.mlp.dense_4h_to_h.bias", "bias", false)),
    .adjust = adjust,
};
