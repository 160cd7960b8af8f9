/* Gemma: norms by 1 + w, a scaled embedding, a gated GELU. Source: Gemma Team 2024; Hugging Face
 * GemmaForCausalLM. */
#include <math.h>
#include <string.h>

#include "families/common.h"

/* The makers wrote "gelu" and meant the tanh form, which transformers 5 and those of 4.39 to 4.5x
 * take for it; the latter let "hidden_activation" win where it is not null, and the others never
 * read that key. */
static void choose_activation(tern_hf_config *config, tern_spec *s)
{
    const char *act = "", *other = "";
    tern_hf_string(config, "hidden_act", &act);
    if (!strcmp(act, "gelu")) {
        act = "gelu_pytorch_tanh";
        s->value[S_ACT] = ACT_GELU_TANH;
    }
    if (tern_hf_string(config, "hidden_activation", &other) && strcmp(act, other))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"hidden_activation\" is \"%s\" and \"hidden_act\" means \"%s\"; "
                       "versions of transformers differ in which they take", other, act);
}

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    if (tern_spec_flag(s, "use_bidirectional_attention", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"use_bidirectional_attention\" is true, and this family runs causal only");
    choose_activation(config, s);
    s->value[S_EMBED_SCALE] = sqrt(s->value[S_DIM]);
    return TERN_OK;
}

const tern_family tern_family_gemma = {
    .name = "gemma",
    .arch = { "GemmaForCausalLM" },
    .model_type = { "gemma" },
    .prefix = { "model." },
    KEYS(KEY_OR(HEAD_DIM, "head_dim", 256), KEY_OR(TIED, "tie_word_embeddings", 1),
         KEY_OR(ACT, "hidden_act", ACT_GELU_TANH), LLAMA_SIZES, KEY_OR(EPS, "rms_norm_eps", 1e-6)),
    BINDS(BIND(EMBED, "embed_tokens.weight"), BIND_AS(OUT_NORM, "norm.weight", ADD_ONE), BIND(HEAD, "lm_head.weight"),
          BIND_AS(ATTN_NORM, "layers.{l}.input_layernorm.weight", ADD_ONE),
          BIND_AS(MLP_NORM, "layers.{l}.post_attention_layernorm.weight", ADD_ONE), LLAMA_ATTENTION,
          LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP),
    .adjust = adjust,
};
