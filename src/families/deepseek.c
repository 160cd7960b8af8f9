/* DeepSeek-V2 and V3: latent attention, and experts beside shared ones. V3 scores by sigmoid, with
 * a bias for the choice.
 * Source: DeepSeek-AI 2024; Hugging Face DeepseekV2ForCausalLM, DeepseekV3ForCausalLM. */
#include <math.h>
#include <string.h>

#include "families/common.h"

/* Sizes of heads, the shared experts' width, and the scale that yarn's mscale_all_dim asks for. */
static void read_shared(tern_hf_config *config, tern_spec *s)
{
    int64_t plain = 128, shared = 0;
    double all_dim = 0, factor = 1;
    tern_hf_int(config, "qk_nope_head_dim", 1, 1 << 16, &plain);
    tern_hf_int(config, "n_shared_experts", 0, 1 << 16, &shared);
    s->value[S_HEAD_DIM] = (double)plain + s->value[S_ROPE_HEAD_DIM];
    s->value[S_SHARED_FFN] = s->value[S_EXPERT_FFN] * (double)shared;
    if (s->value[S_KV_HEADS] != s->value[S_HEADS])
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"num_key_value_heads\" is %lld for %lld heads; latent attention "
                       "has a key and a value for each head", (long long)tern_get(s, S_KV_HEADS),
                       (long long)tern_get(s, S_HEADS));
    s->value[S_KV_HEADS] = s->value[S_HEADS];
    static const char *const keys[2][4] = {
        { "rope_parameters.mscale_all_dim", "rope_parameters.factor", "rope_parameters.rope_type",
          "rope_parameters.type" },
        { "rope_scaling.mscale_all_dim", "rope_scaling.factor", "rope_scaling.rope_type", "rope_scaling.type" },
    };
    const char *type = "default";
    for (size_t i = 0; i < 2; i++) {
        tern_hf_number(config, keys[i][0], 0, 1e6, &all_dim);
        tern_hf_number(config, keys[i][1], 0, 1e9, &factor);
        for (size_t k = 2; k < 4; k++) tern_hf_string(config, keys[i][k], &type);
    }
    double mscale = strcmp(type, "default") && all_dim > 0 && factor > 1 ? 0.1 * all_dim * log(factor) + 1 : 1;
    s->value[S_ATTN_SCALE] = mscale * mscale / sqrt(s->value[S_HEAD_DIM]);
}

static tern_status adjust_v2(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    static const char *const methods[] = { "greedy", "group_limited_greedy" };
    int method = 0;
    (void)ctx;
    read_shared(config, s);
    if (tern_spec_flag(s, "mlp_bias", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"mlp_bias\" is true, and this family's MLPs run without biases");
    tern_spec_not_null(config, "topk_method");
    tern_hf_choice(config, "topk_method", methods, 2, &method);
    if (method == 0) s->value[S_ROUTE_GROUPS] = 1;
    for (size_t i = 0; method == 1 && i < 2; i++)
        if (!tern_hf_has(config, i ? "topk_group" : "n_group"))
            tern_hf_refuse(config, TERN_ERR_FORMAT, "\"%s\" is missing, and \"topk_method\" chooses among groups",
                           i ? "topk_group" : "n_group");
    return TERN_OK;
}

static tern_status adjust_v3(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    static const char *const methods[] = { "noaux_tc" }, *const scores[] = { "sigmoid" };
    int only = 0;
    (void)ctx;
    read_shared(config, s);
    tern_hf_choice(config, "topk_method", methods, 1, &only);
    tern_hf_choice(config, "scoring_func", scores, 1, &only);
    if (!tern_spec_flag(s, "rope_interleave", true)) s->value[S_POSITION] = POS_ROPE_HALF;
    return TERN_OK;
}

#define DEEPSEEK_KEYS \
    KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"), \
        KEY_AS(KV_HEADS, "num_key_value_heads", HEADS), \
    KEY(FFN, "intermediate_size"), KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 4096), \
        KEY(ACT, "hidden_act"), \
    KEY(TIED, "tie_word_embeddings"), KEY_OR(EPS, "rms_norm_eps", 1e-6), \
        KEY_OR(ROPE_HEAD_DIM, "qk_rope_head_dim", 64), KEY_OR(VALUE_DIM, "v_head_dim", 128), \
    KEY_OR(KV_RANK, "kv_lora_rank", 512), KEY(Q_RANK, "q_lora_rank"), \
        KEY_OR(EXPERT_FFN, "moe_intermediate_size", 1407), KEY(EXPERTS, "n_routed_experts"), \
    KEY(EXPERTS_USED, "num_experts_per_tok"), KEY_OR(ROUTE_SCALE, "routed_scaling_factor", 1), \
        KEY_OR(ROUTE_GROUPS, "n_group", 1), \
    KEY_OR(ROUTE_GROUPS_USED, "topk_group", 1), KEY(DENSE_FIRST, "first_k_dense_replace"), \
        KEY_OR(SPARSE_STEP, "moe_layer_freq", 1), SET(HEAD_DIM, 1), \
    SET(POSITION, POS_ROPE_PAIR)

#define DEEPSEEK_BINDS \
    LLAMA_ENDS, LLAMA_NORMS, MAYBE(Q, "layers.{l}.self_attn.q_proj.weight"), \
        MAYBE(Q, "layers.{l}.self_attn.q_b_proj.weight"), \
    BIND(Q_A, "layers.{l}.self_attn.q_a_proj.weight"), BIND(Q_A_NORM, "layers.{l}.self_attn.q_a_layernorm.weight"), \
    BIND_IF(Q_A_B, "layers.{l}.self_attn.q_a_proj.bias", "attention_bias", false), \
        BIND(KV_A, "layers.{l}.self_attn.kv_a_proj_with_mqa.weight"), \
    BIND_IF(KV_A_B, "layers.{l}.self_attn.kv_a_proj_with_mqa.bias", "attention_bias", false), \
        BIND(KV_A_NORM, "layers.{l}.self_attn.kv_a_layernorm.weight"), \
    BIND(KV_B, "layers.{l}.self_attn.kv_b_proj.weight"), BIND(O, "layers.{l}.self_attn.o_proj.weight"), \
    BIND_IF(O_B, "layers.{l}.self_attn.o_proj.bias", "attention_bias", false), LLAMA_MLP, \
    BIND(ROUTER, "layers.{l}.mlp.gate.weight"), BIND(EX_GATE, "layers.{l}.mlp.experts.{e}.gate_proj.weight"), \
    BIND(EX_UP, "layers.{l}.mlp.experts.{e}.up_proj.weight"), \
        BIND(EX_DOWN, "layers.{l}.mlp.experts.{e}.down_proj.weight"), \
    BIND(SHARED_GATE, "layers.{l}.mlp.shared_experts.gate_proj.weight"), \
        BIND(SHARED_UP, "layers.{l}.mlp.shared_experts.up_proj.weight"), \
    BIND(SHARED_DOWN, "layers.{l}.mlp.shared_experts.down_proj.weight")

#define DEEPSEEK_NO_EFFECT \
    "pretraining_tp", "output_router_logits", "aux_loss_alpha", "seq_aux", "head_dim", "qk_head_dim", "ep_size"

const tern_family tern_family_deepseek_v2 = {
    .name = "deepseek_v2",
    .arch = { "DeepseekV2ForCausalLM" },
    .model_type = { "deepseek_v2" },
    .prefix = { "model." },
    .ignore = { "*.self_attn.rotary_emb.inv_freq" },
    .no_effect = { DEEPSEEK_NO_EFFECT, "scoring_func", "norm_topk_prob" /* its router does not divide */ },
    KEYS(DEEPSEEK_KEYS),
    BINDS(DEEPSEEK_BINDS),
    .adjust = adjust_v2,
};

const tern_family tern_family_deepseek_v3 = {
    .name = "deepseek_v3",
    .arch = { "DeepseekV3ForCausalLM" },
    .model_type = { "deepseek_v3" },
    .prefix = { "model." },
    /* layer 61: the multi-token prediction module of the published model */
    .ignore = { "*.self_attn.rotary_emb.inv_freq", "model.layers.61.*" },
    .no_effect = { DEEPSEEK_NO_EFFECT, "num_mtp_layers", "num_nextn_predict_layers" },
    KEYS(DEEPSEEK_KEYS, KEY_OR(ROUTE_NORM, "norm_topk_prob", 1), SET(ROUTE_SCORE, ROUTE_SIGMOID),
         SET(ROUTE_GROUP_PAIRS, 1)),
    BINDS(DEEPSEEK_BINDS, BIND(ROUTER_CHOICE_B, "layers.{l}.mlp.gate.e_score_correction_bias")),
    .adjust = adjust_v3,
};
