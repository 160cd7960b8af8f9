/* Qwen3-MoE: Qwen3 with experts. Source: Yang et al. 2025; Hugging Face Qwen3MoeForCausalLM. */
#include "families/common.h"

/* The window is every layer's or none's. */
static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    (void)ctx;
    bool on = tern_spec_flag(s, "use_sliding_window", false) && tern_get(s, S_WINDOW) > 0;
    tern_qwen_dense(config, s);
    for (int64_t l = 0; l < tern_get(s, S_LAYERS); l++) {
        if (tern_hf_has(config, "layer_types") && s->windowed[l] != on)
            tern_hf_refuse(config, TERN_ERR_FORMAT, "\"layer_types\" and \"use_sliding_window\" differ in layer %lld, "
                           "and the class of this model has one mask for all", (long long)l);
        s->windowed[l] = on;
    }
    return TERN_OK;
}

const tern_family tern_family_qwen3_moe = {
    .name = "qwen3_moe",
    .arch = { "Qwen3MoeForCausalLM" },
    .model_type = { "qwen3_moe" },
    .prefix = { "model." },
    .no_effect = { "router_aux_loss_coef", "output_router_logits", "max_window_layers" /* of versions before 5 */ },
    KEYS(LLAMA_DIMS, KEY_OR(EPS, "rms_norm_eps", 1e-6), KEY(WINDOW, "sliding_window"),
         KEY(EXPERTS, "num_local_experts"), KEY_OR(EXPERTS, "num_experts", 128),
         KEY_OR(EXPERTS_USED, "num_experts_per_tok", 8), KEY_OR(EXPERT_FFN, "moe_intermediate_size", 768),
         KEY_OR(ROUTE_NORM, "norm_topk_prob", 0), KEY_OR(SPARSE_STEP, "decoder_sparse_step", 1)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", false), LLAMA_QK_NORM(AS_IS),
          LLAMA_MLP, BIND(ROUTER, "layers.{l}.mlp.gate.weight"),
          BIND(EX_GATE, "layers.{l}.mlp.experts.{e}.gate_proj.weight"),
          BIND(EX_UP, "layers.{l}.mlp.experts.{e}.up_proj.weight"),
          BIND(EX_DOWN, "layers.{l}.mlp.experts.{e}.down_proj.weight")),
    .adjust = adjust,
};
