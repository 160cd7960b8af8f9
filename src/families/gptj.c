/* GPT-J: attention and MLP in parallel behind one norm, pairs rotated side by side. Source: Wang &
 * Komatsuzaki 2021; Hugging Face GPTJForCausalLM. */
#include "base/ctx.h"
#include "base/memory.h"
#include "families/spec.h"

/* Its class rotates rotary_dim channels by 10000 and reads no other key of a rope. */
static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    int64_t head_dim = tern_get(s, S_HEAD_DIM),
        rotated = tern_get(s, S_ROTARY_DIM) ? tern_get(s, S_ROTARY_DIM) : head_dim, max = tern_get(s, S_MAX_POS);
    s->rope = tern_alloc(ctx, 1, sizeof *s->rope, "a rope");
    if (!s->rope) return TERN_ERR_MEMORY;
    bool fits = rotated >= 2 && rotated % 2 == 0 && rotated <= head_dim;
    if (!fits)
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"rotary_dim\" is %lld of a head's %lld dimensions, and must be "
                       "even", (long long)rotated, (long long)head_dim);
    *s->rope = (tern_rope_plan){ .theta = 10000, .n_dims = fits ? rotated : 2, .factor = 1, .max_tokens = max,
                                 .original_tokens = max, .magnitude = 1 };
    return TERN_OK;
}

const tern_family tern_family_gptj = {
    .name = "gptj",
    .arch = { "GPTJForCausalLM" },
    .model_type = { "gptj" },
    .prefix = { "transformer." },
    .ignore = { "*h.*.attn.bias", "*h.*.attn.masked_bias", "*h.*.attn.embed_positions" },
    .no_effect = { "n_ctx", "rotary", "scale_attn_weights", "summary_*" },
    KEYS(KEY(DIM, "n_embd"), KEY(LAYERS, "n_layer"), KEY(HEADS, "n_head"), KEY_AS(KV_HEADS, NULL, HEADS),
         KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, "n_inner", DIM, 4), KEY(VOCAB, "vocab_size"),
         KEY_OR(MAX_POS, "n_positions", 2048), KEY_OR(ACT, "activation_function", ACT_GELU_TANH),
         KEY_OR(EPS, "layer_norm_epsilon", 1e-5), KEY(TIED, "tie_word_embeddings"),
         KEY_OR(ROTARY_DIM, "rotary_dim", 64), SET(NORM, NORM_LAYER), SET(GATED, 0), SET(PARALLEL, 1),
         SET(POSITION, POS_ROPE_PAIR)),
    BINDS(BIND(EMBED, "wte.weight"), BIND(OUT_NORM, "ln_f.weight"), BIND(OUT_NORM_B, "ln_f.bias"),
          BIND(HEAD, "lm_head.weight"), BIND(HEAD_B, "lm_head.bias"), BIND(ATTN_NORM, "h.{l}.ln_1.weight"),
          BIND(ATTN_NORM_B, "h.{l}.ln_1.bias"), BIND(Q, "h.{l}.attn.q_proj.weight"),
          BIND(K, "h.{l}.attn.k_proj.weight"), BIND(V, "h.{l}.attn.v_proj.weight"),
          BIND(O, "h.{l}.attn.out_proj.weight"), BIND(UP, "h.{l}.mlp.fc_in.weight"), BIND(UP_B, "h.{l}.mlp.fc_in.bias"),
          BIND(DOWN, "h.{l}.mlp.fc_out.weight"), BIND(DOWN_B, "h.{l}.mlp.fc_out.bias")),
    .adjust = adjust,
};
