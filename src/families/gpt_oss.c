/* gpt-oss: attention sinks, a window in every other layer, limited experts stored in stacks.
 * Source: OpenAI 2025; Hugging Face GptOssForCausalLM. */
#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    double alpha = 1.702;
    (void)ctx;
    const json_t *rope = tern_hf_value(config,
                                       tern_hf_has(config, "rope_parameters") ? "rope_parameters" : "rope_scaling");
    if (!json_object_size(rope))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"rope_parameters\" and \"rope_scaling\" are missing; the "
                       "class's default for them (yarn, factor 32) is not supported");
    tern_hf_number(config, "swiglu_alpha", 1.702, 1.702, &alpha);    /* the gate's sigmoid is QuickGELU's */
    s->value[S_ACT] = ACT_QUICK_GELU;
    return TERN_OK;
}

const tern_family tern_family_gpt_oss = {
    .name = "gpt_oss",
    .arch = { "GptOssForCausalLM" },
    .model_type = { "gpt_oss" },
    .prefix = { "model." },
    .no_effect = { "router_aux_loss_coef", "output_router_logits", "experts_per_token", "initial_context_length",
                   "hidden_act" /* its experts have their own */ },
    KEYS(KEY_OR(HEAD_DIM, "head_dim", 64), LLAMA_SIZES, KEY_OR(EPS, "rms_norm_eps", 1e-5),
         KEY_OR(WINDOW, "sliding_window", 128), SET(WINDOW_EVERY, 2), KEY_OR(EXPERTS, "num_local_experts", 128),
         KEY_OR(EXPERTS_USED, "num_experts_per_tok", 4), SET(ROUTE_SCORE, ROUTE_SOFTMAX_CHOSEN),
         KEY_OR(GLU_LIMIT, "swiglu_limit", 7)),
    BINDS(LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION, LLAMA_QKVO_BIAS("attention_bias", true),
          BIND(SINK, "layers.{l}.self_attn.sinks"), BIND(ROUTER, "layers.{l}.mlp.router.weight"),
          BIND(ROUTER_B, "layers.{l}.mlp.router.bias"),
          BIND_AS(EX_GATE_UP_ALL, "layers.{l}.mlp.experts.gate_up_proj", UNPAIR),
          BIND_AS(EX_GATE_UP_ALL_B, "layers.{l}.mlp.experts.gate_up_proj_bias", UNPAIR),
          BIND_AS(EX_DOWN_ALL, "layers.{l}.mlp.experts.down_proj", TRANSPOSE),
          BIND(EX_DOWN_ALL_B, "layers.{l}.mlp.experts.down_proj_bias")),
    .adjust = adjust,
};
