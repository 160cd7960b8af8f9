/* GPT-2: learned positions, fused projections stored [in, out]. Source: Radford et al. 2019;
 * Hugging Face GPT2LMHeadModel. */
#include "families/spec.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    if (tern_spec_flag(s, "scale_attn_by_inverse_layer_idx", false)) s->scale_by_layer = true;
    if (!tern_spec_flag(s, "scale_attn_weights", true)) s->value[S_ATTN_SCALE] = 1;
    if (tern_spec_flag(s, "add_cross_attention", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"add_cross_attention\" is true, and there is no encoder to attend to");
    return TERN_OK;
}

const tern_family tern_family_gpt2 = {
    .name = "gpt2",
    .arch = { "GPT2LMHeadModel" },
    .model_type = { "gpt2" },
    .prefix = { "transformer." },
    .ignore = { "*h.*.attn.bias", "*h.*.attn.masked_bias" },
    .no_effect = { "n_ctx", "reorder_and_upcast_attn", "summary_*" },
    KEYS(KEY(DIM, "n_embd"), KEY(LAYERS, "n_layer"), KEY(HEADS, "n_head"), KEY_AS(KV_HEADS, NULL, HEADS),
         KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, "n_inner", DIM, 4), KEY(VOCAB, "vocab_size"),
         KEY_OR(MAX_POS, "n_positions", 1024), KEY_OR(ACT, "activation_function", ACT_GELU_TANH),
         KEY_OR(EPS, "layer_norm_epsilon", 1e-5), KEY_OR(TIED, "tie_word_embeddings", 1), SET(NORM, NORM_LAYER),
         SET(GATED, 0), SET(POSITION, POS_LEARNED)),
    BINDS(BIND(EMBED, "wte.weight"), BIND(POS, "wpe.weight"), BIND(OUT_NORM, "ln_f.weight"),
          BIND(OUT_NORM_B, "ln_f.bias"), BIND(HEAD, "lm_head.weight"), BIND(ATTN_NORM, "h.{l}.ln_1.weight"),
          BIND(ATTN_NORM_B, "h.{l}.ln_1.bias"), BIND(MLP_NORM, "h.{l}.ln_2.weight"),
          BIND(MLP_NORM_B, "h.{l}.ln_2.bias"), BIND_AS(QKV, "h.{l}.attn.c_attn.weight", TRANSPOSE),
          BIND(QKV_B, "h.{l}.attn.c_attn.bias"), BIND_AS(O, "h.{l}.attn.c_proj.weight", TRANSPOSE),
          BIND(O_B, "h.{l}.attn.c_proj.bias"), BIND_AS(UP, "h.{l}.mlp.c_fc.weight", TRANSPOSE),
          BIND(UP_B, "h.{l}.mlp.c_fc.bias"), BIND_AS(DOWN, "h.{l}.mlp.c_proj.weight", TRANSPOSE),
          BIND(DOWN_B, "h.{l}.mlp.c_proj.bias")),
    .adjust = adjust,
};
