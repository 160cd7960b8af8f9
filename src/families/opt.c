/* OPT: learned positions from 2 on, pre-norm or post-norm, embeddings that may be narrower than the
 * model. Source: Zhang et al. 2022; Hugging Face OPTForCausalLM. */
#include "families/spec.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    if (!tern_spec_flag(s, "do_layer_norm_before", true)) s->value[S_NORM_POSITION] = NORM_POST;
    if (!tern_spec_flag(s, "layer_norm_elementwise_affine", true)) s->value[S_NORM_WEIGHTS] = 0;
    if (tern_spec_flag(s, "_remove_final_layer_norm", false)) s->no_out_norm = true;
    if (!tern_get(s, S_LM_HEAD) && tern_get(s, S_EMBED_DIM) && tern_get(s, S_EMBED_DIM) != tern_get(s, S_DIM))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"word_embed_proj_dim\" differs from \"hidden_size\" without a language model's head");
    return TERN_OK;
}

const tern_family tern_family_opt = {
    .name = "opt",
    .arch = { "OPTForCausalLM" },
    .model_type = { "opt" },
    .prefix = { "model.decoder.", "decoder." },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"),
         KEY_AS(KV_HEADS, NULL, HEADS), KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY(FFN, "ffn_dim"),
         KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 2048),
         KEY(EMBED_DIM, "word_embed_proj_dim"), KEY_OR(ACT, "activation_function", ACT_RELU),
         KEY_OR(TIED, "tie_word_embeddings", 1), SET(EPS, 1e-5), SET(NORM, NORM_LAYER), SET(GATED, 0),
         SET(POSITION, POS_LEARNED), SET(POS_OFFSET, 2), SET(POS_ROWS_MORE, 2)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND(POS, "embed_positions.weight"),
          BIND(EMBED_PROJECT, "project_in.weight"),
          BIND_IF(OUT_NORM, "final_layer_norm.weight", "layer_norm_elementwise_affine", true),
          BIND_IF(OUT_NORM_B, "final_layer_norm.bias", "layer_norm_elementwise_affine", true),
          BIND(OUT_PROJECT, "project_out.weight"), BIND(HEAD, "lm_head.weight"),
          BIND_IF(ATTN_NORM, "layers.{l}.self_attn_layer_norm.weight", "layer_norm_elementwise_affine", true),
          BIND_IF(ATTN_NORM_B, "layers.{l}.self_attn_layer_norm.bias", "layer_norm_elementwise_affine", true),
          BIND_IF(MLP_NORM, "layers.{l}.final_layer_norm.weight", "layer_norm_elementwise_affine", true),
          BIND_IF(MLP_NORM_B, "layers.{l}.final_layer_norm.bias", "layer_norm_elementwise_affine", true),
          BIND(Q, "layers.{l}.self_attn.q_proj.weight"), BIND_IF(Q_B, "layers.{l}.self_attn.q_proj.bias", "enable_bias",
                                                                 true), BIND(K, "layers.{l}.self_attn.k_proj.weight"),
          BIND_IF(K_B, "layers.{l}.self_attn.k_proj.bias", "enable_bias", true),
          BIND(V, "layers.{l}.self_attn.v_proj.weight"), BIND_IF(V_B, "layers.{l}.self_attn.v_proj.bias", "enable_bias",
                                                                 true), BIND(O, "layers.{l}.self_attn.out_proj.weight"),
          BIND_IF(O_B, "layers.{l}.self_attn.out_proj.bias", "enable_bias", true), BIND(UP, "layers.{l}.fc1.weight"),
          BIND_IF(UP_B, "layers.{l}.fc1.bias", "enable_bias", true), BIND(DOWN, "layers.{l}.fc2.weight"),
          BIND_IF(DOWN_B, "layers.{l}.fc2.bias", "enable_bias", true)),
    .adjust = adjust,
};
