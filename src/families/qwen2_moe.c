/* Qwen1.5-MoE and Qwen2-MoE: experts beside one that takes every token. Source: Hugging Face
 * Qwen2MoeForCausalLM. */
#include "families/common.h"

void tern_qwen_dense(tern_hf_config *config, tern_spec *s)
{
    int64_t dense[MOST_LAYERS];
    size_t n = 0;
    tern_hf_ints(config, "mlp_only_layers", 0, tern_get(s, S_LAYERS) - 1, dense, MOST_LAYERS, &n);
    for (size_t i = 0; i < n; i++) s->sparse[dense[i]] = false;
}

/* Without layer_types the window is every other layer's of the first max_window_layers, unlike
 * Qwen2's. */
static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    int64_t most = 28;
    tern_qwen_dense(config, s);
    if (tern_hf_has(config, "layer_types")) return tern_qwen_window(ctx, config, s);
    tern_hf_int(config, "max_window_layers", 0, MOST_LAYERS, &most);
    bool on = tern_spec_flag(s, "use_sliding_window", false);
    for (int64_t l = 0; l < tern_get(s, S_LAYERS); l++) s->windowed[l] = s->windowed[l] && on && l % 2 == 0 && l < most;
    return TERN_OK;
}

const tern_family tern_family_qwen2_moe = {
    .name = "qwen2_moe",
    .arch = { "Qwen2MoeForCausalLM" },
    .model_type = { "qwen2_moe" },
    .prefix = { "model." },
    .no_effect = { "router_aux_loss_coef", "output_router_logits" },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6), KEY(WINDOW, "sliding_window"),
         KEY_OR(EXPERTS, "num_experts", 60), KEY_OR(EXPERTS_USED, "num_experts_per_tok", 4),
         KEY_OR(EXPERT_FFN, "moe_intermediate_size", 1408), KEY_OR(SHARED_FFN, "shared_expert_intermediate_size", 5632),
         KEY_OR(ROUTE_NORM, "norm_topk_prob", 0), KEY_OR(SPARSE_STEP, "decoder_sparse_step", 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKV_BIAS("qkv_bias", true), LLAMA_MLP,
          BIND(ROUTER, "layers.{l}.mlp.gate.weight"), BIND(EX_GATE, "layers.{l}.mlp.experts.{e}.gate_proj.weight"),
          BIND(EX_UP, "layers.{l}.mlp.experts.{e}.up_proj.weight"),
          BIND(EX_DOWN, "layers.{l}.mlp.experts.{e}.down_proj.weight"),
          BIND(SHARED_GATE, "layers.{l}.mlp.shared_expert.gate_proj.weight"),
          BIND(SHARED_UP, "layers.{l}.mlp.shared_expert.up_proj.weight"),
          BIND(SHARED_DOWN, "layers.{l}.mlp.shared_expert.down_proj.weight"),
          BIND(SHARED_SCORE, "layers.{l}.mlp.shared_expert_gate.weight")),
    .adjust = adjust,
};
