/* Gemma 3's language model: Gemma 2 with norms of q and k instead of caps, and a rope of its own
 * for layers with a window.
 * Source: Gemma Team 2025; Hugging Face Gemma3ForCausalLM. */
#include <math.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "families/common.h"

static tern_status read_ropes(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    s->rope = tern_alloc(ctx, 1, sizeof *s->rope, "a rope");
    s->rope_local = tern_alloc(ctx, 1, sizeof *s->rope_local, "a rope");
    if (!s->rope || !s->rope_local) return TERN_ERR_MEMORY;
    tern_rope_source source = { .group = "full_attention", .whole = true, .theta = 1000000,
                                .head_dim = tern_get(s, S_HEAD_DIM), .max_tokens = tern_get(s, S_MAX_POS) };
    tern_rope_read(config, &source, s->rope);
    source.group = "sliding_attention";
    source.theta_key = "rope_local_base_freq";
    source.unscaled = true;
    source.theta = 10000;
    tern_rope_read(config, &source, s->rope_local);
    return TERN_OK;
}

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    double scalar = 256;
    tern_spec_not_null(config, "query_pre_attn_scalar");
    tern_hf_number(config, "query_pre_attn_scalar", 1e-6, 1e9, &scalar);
    if (tern_spec_flag(s, "use_bidirectional_attention", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"use_bidirectional_attention\" is true, and this family runs causal only");
    s->value[S_ATTN_SCALE] = 1 / sqrt(scalar);
    s->value[S_EMBED_SCALE] = sqrt(s->value[S_DIM]);
    tern_status st = read_ropes(ctx, config, s);
    for (int64_t l = 0; l < tern_get(s, S_LAYERS); l++) s->rope_of[l] = s->windowed[l] ? ROPE_LOCAL : ROPE_GLOBAL;
    return st;
}

const tern_family tern_family_gemma3 = {
    .name = "gemma3",
    .arch = { "Gemma3ForCausalLM", "Gemma3TextModel", "Gemma3TextForSequenceClassification" },
    .model_type = { "gemma3_text" },
    .prefix = { "model." },
    .no_effect = { "cache_implementation", "attn_logit_softcapping" /* its attention never looks */,
                   "_sliding_window_pattern" /* written, and set anew when read */ },
    KEYS(KEY_OR(HEAD_DIM, "head_dim", 256), KEY_OR(TIED, "tie_word_embeddings", 1),
         KEY_OR(ACT, "hidden_activation", ACT_GELU_TANH), LLAMA_SIZES, KEY_OR(EPS, "rms_norm_eps", 1e-6),
         KEY_OR(WINDOW, "sliding_window", 4096), KEY_OR(WINDOW_EVERY, "sliding_window_pattern", 6),
         KEY(OUT_SOFTCAP, "final_logit_softcapping")),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND_AS(OUT_NORM, "norm.weight", ADD_ONE), BIND(HEAD, "lm_head.weight"),
          BIND_AS(ATTN_NORM, "layers.{l}.input_layernorm.weight", ADD_ONE),
          BIND_AS(POST_ATTN, "layers.{l}.post_attention_layernorm.weight", ADD_ONE),
          BIND_AS(MLP_NORM, "layers.{l}.pre_feedforward_layernorm.weight", ADD_ONE),
          BIND_AS(POST_MLP, "layers.{l}.post_feedforward_layernorm.weight", ADD_ONE), LLAMA_ATTENTION,
          LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_QK_NORM(ADD_ONE), LLAMA_MLP),
    .adjust = adjust,
};
