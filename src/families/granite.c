/* Granite: Llama with four multipliers. Source: Hugging Face GraniteForCausalLM. */
#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    double scaling = 1;
    tern_spec_not_null(config, "logits_scaling");
    tern_hf_number(config, "logits_scaling", 1e-9, 1e9, &scaling);
    s->value[S_LOGIT_SCALE] = 1 / scaling;
    return TERN_OK;
}

const tern_family tern_family_granite = {
    .name = "granite",
    .arch = { "GraniteForCausalLM" },
    .model_type = { "granite" },
    .prefix = { "model." },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6), KEY_OR(ATTN_SCALE, "attention_multiplier", 1),
         KEY_OR(EMBED_SCALE, "embedding_multiplier", 1), KEY_OR(RESIDUAL_SCALE, "residual_multiplier", 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP,
          BIND_IF(GATE_B, "layers.{l}.mlp.gate_proj.bias", "mlp_bias", false),
          BIND_IF(UP_B, "layers.{l}.mlp.up_proj.bias", "mlp_bias", false),
          BIND_IF(DOWN_B, "layers.{l}.mlp.down_proj.bias", "mlp_bias", false)),
    .adjust = adjust,
};
