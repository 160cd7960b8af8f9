/* Mixtral: Mistral with experts. Source: Jiang et al. 2024; Hugging Face MixtralForCausalLM. */
#include "families/common.h"

const tern_family tern_family_mixtral = {
    .name = "mixtral",
    .arch = { "MixtralForCausalLM" },
    .model_type = { "mixtral" },
    .prefix = { "model." },
    .ignore = { "*layers.*.self_attn.rotary_emb.inv_freq" },
    .no_effect = { "router_aux_loss_coef", "output_router_logits", "router_jitter_noise" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-5), KEY(WINDOW, "sliding_window"), SET(WINDOW_ALL, 1),
         KEY_OR(EXPERTS, "num_local_experts", 8), KEY_OR(EXPERTS_USED, "num_experts_per_tok", 2), SET(ROUTE_NORM, 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, BIND(ROUTER, "layers.{l}.block_sparse_moe.gate.weight"),
          BIND(ROUTER, "layers.{l}.mlp.gate.weight"),
          BIND(EX_GATE, "layers.{l}.block_sparse_moe.experts.{e}.w1.weight"),
          BIND(EX_UP, "layers.{l}.block_sparse_moe.experts.{e}.w3.weight"),
          BIND(EX_DOWN, "layers.{l}.block_sparse_moe.experts.{e}.w2.weight"),
          MAYBE(EX_GATE_UP_ALL, "layers.{l}.mlp.experts.gate_up_proj"),
          MAYBE(EX_DOWN_ALL, "layers.{l}.mlp.experts.down_proj")),
};
