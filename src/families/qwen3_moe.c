/* Qwen3-MoE: Qwen3 with experts. Source: Yang et al. 2025; Hugging Face Qwen3MoeForCausalLM. */
#include "families/common.h"

const tern_family tern_family_qwen3_moe = {
    .name = "qwen3_moe",
    .arch = { "Qwen3MoeForCausalLM" },
    .model_type = { "qwen3_moe" },
    .prefix = { "model." },
    .no_effect = { "router_aux_loss_coef", "output_router_logits" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6), KEY(WINDOW, "sliding_window"), KEY(EXPERTS, "num_local_experts"), KEY_OR(EXPERTS, "num_experts", 128),
         KEY_OR(EXPERTS_USED, "num_experts_per_tok", 8), KEY_OR(EXPERT_FFN, "moe_intermediate_size", 768), KEY_OR(ROUTE_NORM, "norm_topk_prob", 0),
         KEY_OR(SPARSE_STEP, "decoder_sparse_step", 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_QK_NORM(AS_IS), LLAMA_MLP,
          BIND(ROUTER, "layers.{l}.mlp.gate.weight"), BIND(EX_GATE, "layers.{l}.mlp.experts.{e}.gate_proj.weight"),
          BIND(EX_UP, "layers.{l}.mlp.experts.{e}.up_proj.weight"), BIND(EX_DOWN, "layers.{l}.mlp.experts.{e}.down_proj.weight")),
    .adjust = tern_qwen_sparse,
};
