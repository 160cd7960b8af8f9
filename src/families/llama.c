/* Llama 1 to 3.x. Source: Touvron et al. 2023; Hugging Face LlamaForCausalLM. */
#include "families/common.h"

const tern_family tern_family_llama = {
    .name = "llama",
    .arch = { "LlamaForCausalLM" },
    .model_type = { "llama" },
    .prefix = { "model." },
    .ignore = { "*layers.*.self_attn.rotary_emb.inv_freq" },
    .no_effect = { "pretraining_tp" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_MLP,
          BIND_IF(GATE_B, "layers.{l}.mlp.gate_proj.bias", "mlp_bias", false),
          BIND_IF(UP_B, "layers.{l}.mlp.up_proj.bias", "mlp_bias", false),
          BIND_IF(DOWN_B, "layers.{l}.mlp.down_proj.bias", "mlp_bias", false)),
};
