/* Layers and ends out of bound slots: settings become a tern_config a layer, slots become its
 * weights. */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "base/memory.h"
#include "model/internal.h"

static bool given(tern_tensor t)
{
    return t.data != NULL;
}

/* The activation's name in a tern_config; UNKNOWN where there is none for the pair. */
static tern_activation_type activation_of(int64_t act, bool gated)
{
    switch (act) {
    case ACT_GELU_TANH: return gated ? TERN_ACT_GATED_GELU_TANH : TERN_ACT_GELU;
    case ACT_GELU_ERF: return gated ? TERN_ACT_GATED_GELU : TERN_ACT_GELU_ERF;
    case ACT_SILU: return gated ? TERN_ACT_GATED_SILU : TERN_ACT_SILU;
    case ACT_RELU: return gated ? TERN_ACT_GATED_RELU : TERN_ACT_RELU;
    case ACT_RELU_SQUARED: return gated ? TERN_ACT_UNKNOWN : TERN_ACT_RELU_SQUARED;
    case ACT_QUICK_GELU: return gated ? TERN_ACT_UNKNOWN : TERN_ACT_QUICK_GELU;
    default: return TERN_ACT_UNKNOWN;
    }
}

static tern_config config_of(const tern_model *m, int64_t layer)
{
    const tern_spec *s = m->spec;
    tern_config c = tern_config_default();
    int64_t position = tern_get(s, S_POSITION);
    c.layer_id = layer;
    c.hidden_size = tern_get(s, S_DIM);
    c.intermediate_size = tern_get(s, S_FFN);
    c.heads = tern_get(s, S_HEADS);
    c.num_kv = tern_get(s, S_KV_HEADS);
    c.num_hidden_layers = tern_get(s, S_LAYERS);
    c.layer_norm_eps = s->value[S_EPS];
    c.dtype = TERN_DTYPE_FP32;
    c.pre_layer_norm = tern_get(s, S_NORM_POSITION) != NORM_POST;
    c.norm_type = tern_get(s, S_NORM) == NORM_RMS ? TERN_NORM_RMS : TERN_NORM_LAYER;
    c.triangular_masking = tern_get(s, S_CAUSAL);
    c.local_attention = s->windowed[layer];
    if (c.local_attention) c.window_size = tern_get(s, S_WINDOW);
    bool rotates = (position == POS_ROPE_HALF || position == POS_ROPE_PAIR) && s->rope_of[layer] != ROPE_NONE;
    c.rotary_dim = rotates ? tern_get(s, S_ROTARY_DIM) : -1;
    c.rotate_half = position == POS_ROPE_HALF;
    c.rotate_every_two = !c.rotate_half;
    c.mlp_after_attn = !tern_get(s, S_PARALLEL);
    /* experts bring their own */
    c.mlp_act_func_type = s->sparse[layer] ? TERN_ACT_GATED_SILU
                                           : activation_of(tern_get(s, S_ACT), tern_get(s, S_GATED));
    c.scale_attn_by_inverse_layer_idx = s->scale_by_layer;
    c.transposed_mode = true;
    c.compute = m->compute;
    c.kv_dtype = m->kv;
    c.head_dim = tern_get(s, S_HEAD_DIM);
    c.value_dim = tern_get(s, S_VALUE_DIM);
    /* 0: the config's own scale, which counts the layer itself */
    c.attn_scale = s->value[S_ATTN_SCALE] / (s->scale_by_layer ? (double)(layer + 1) : 1);
    c.attn_softcap = s->value[S_ATTN_SOFTCAP];
    return c;
}

/* Rows [first, first + n) of a matrix or a vector; nothing of nothing. */
static tern_tensor rows(tern_tensor t, int64_t first, int64_t n)
{
    if (!given(t)) return t;
    t.data = (char *)t.data + (size_t)(first * t.stride[0]) * tern_dtype_bytes(t.dtype);
    t.shape[0] = n;
    return t;
}

static tern_layer_weights weights_of(const tern_model *m, const tern_model_layer *l)
{
    const tern_tensor *w = l->slot;
    int64_t ffn = tern_get(m->spec, S_FFN);
    bool apart = given(w[W_Q]), stacked = given(w[W_GATE_UP]), post = tern_get(m->spec, S_NORM_POSITION) == NORM_POST;
    /* In a post-norm layer attention's norm stands between the two halves, and the MLP's at the
     * end. */
    tern_slot ends = post ? W_MLP_NORM : W_ATTN_NORM, between = post ? W_ATTN_NORM : W_MLP_NORM;
    tern_slot ends_b = post ? W_MLP_NORM_B : W_ATTN_NORM_B, between_b = post ? W_ATTN_NORM_B : W_MLP_NORM_B;
    return (tern_layer_weights){
        .norm_w = w[ends], .norm_b = w[ends_b], .attn_qkvw = apart ? w[W_Q] : w[W_QKV],
        .attn_qkvb = apart ? w[W_Q_B] : w[W_QKV_B], .attn_kw = w[W_K], .attn_kb = w[W_K_B], .attn_vw = w[W_V],
        .attn_vb = w[W_V_B], .attn_ow = w[W_O], .attn_ob = w[W_O_B], .attn_nw = w[between], .attn_nb = w[between_b],
        .gate_w = stacked ? rows(w[W_GATE_UP], 0, ffn) : w[W_GATE],
        .gate_b = stacked ? rows(w[W_GATE_UP_B], 0, ffn) : w[W_GATE_B],
        .inter_w = stacked ? rows(w[W_GATE_UP], ffn, ffn) : w[W_UP],
        .inter_b = stacked ? rows(w[W_GATE_UP_B], ffn, ffn) : w[W_UP_B], .output_w = w[W_DOWN], .output_b = w[W_DOWN_B],
        .q_norm_w = w[W_Q_NORM], .q_norm_b = w[W_Q_NORM_B], .k_norm_w = w[W_K_NORM], .k_norm_b = w[W_K_NORM_B],
        .post_attn_w = w[W_POST_ATTN], .post_attn_b = w[W_POST_ATTN_B], .post_mlp_w = w[W_POST_MLP],
        .post_mlp_b = w[W_POST_MLP_B], .sink = w[W_SINK],
    };
}

float tern_alibi_slope(int64_t n, int64_t head)
{
    int64_t p = 1;
    while (2 * p <= n) p *= 2;
    return (float)(head < p ? exp2(-8 * (double)(head + 1) / (double)p)
                            : exp2(-8 * (double)(2 * (head - p) + 1) / (double)(2 * p)));
}

static tern_status make_slopes(tern_model *m, tern_tensor *out)
{
    int64_t n = tern_get(m->spec, S_HEADS);
    float *slope = tern_model_own(m, (size_t)n * sizeof *slope, "slopes");
    if (!slope) return TERN_ERR_MEMORY;
    for (int64_t h = 0; h < n; h++) slope[h] = tern_alibi_slope(n, h);
    *out = tern_tensor_of(slope, TERN_F32, 1, &n);
    return TERN_OK;
}

/* The weights of a norm that has none. */
static tern_status make_ones(tern_model *m, tern_tensor *out)
{
    int64_t dim = tern_get(m->spec, S_DIM);
    float *one = tern_model_own(m, (size_t)dim * sizeof *one, "a norm");
    if (!one) return TERN_ERR_MEMORY;
    for (int64_t i = 0; i < dim; i++) one[i] = 1;
    *out = tern_tensor_of(one, TERN_F32, 1, &dim);
    return TERN_OK;
}

static float bf16(float f)
{
    return tern_f32_from_bf16(tern_bf16_from_f32(f));
}

/* Falcon's alibi: slope, position and product are rounded to bf16, and the sum with the scores is
 * scaled. Source: Hugging Face build_alibi_tensor. */
static tern_status make_rounded_alibi(tern_model *m)
{
    int64_t n = tern_get(m->spec, S_HEADS), keys = tern_get(m->spec, S_MAX_POS), shape[2] = { n, keys };
    float *alibi = tern_model_own(m, (size_t)(n * keys) * sizeof *alibi, "alibi"),
        scale = 1 / sqrtf((float)tern_get(m->spec, S_HEAD_DIM));
    if (!alibi) return TERN_ERR_MEMORY;
    for (int64_t h = 0; h < n; h++)
        for (int64_t j = 0; j < keys; j++)
            alibi[h * keys + j] = bf16(bf16(tern_alibi_slope(tern_get(m->spec, S_HEADS), h)) * bf16((float)j)) * scale;
    m->alibi = tern_tensor_of(alibi, TERN_F32, 2, shape);
    return TERN_OK;
}

static tern_status check_layer(const tern_model *m, const tern_model_layer *l, int64_t layer)
{
    const tern_tensor *w = l->slot;
    const char *lacks = NULL;
    if (!given(w[W_KV_A]) && !given(w[W_QKV]) && !(given(w[W_Q]) && given(w[W_K]) && given(w[W_V])))
        lacks = "a projection of q, k and v";
    else if (!given(w[W_O])) lacks = "an output projection of attention";
    else if (!m->spec->sparse[layer] && !(given(w[W_DOWN]) && (given(w[W_UP]) || given(w[W_GATE_UP]))))
        lacks = "an MLP";
    if (!lacks) return TERN_OK;
    return tern_fail(m->ctx, TERN_ERR_FORMAT, "%s: layer %lld has no tensors for %s", m->dir, (long long)layer, lacks);
}

static tern_expert expert_of(tern_tensor gate, tern_tensor up, tern_tensor down)
{
    return (tern_expert){ .gate = gate, .up = up, .down = down };
}

/* The i-th matrix of a stack [n, rows, cols]. */
static tern_tensor plane(tern_tensor t, int64_t i)
{
    tern_tensor p = tern_tensor_of((char *)t.data + (size_t)(i * t.stride[0]) * tern_dtype_bytes(t.dtype), t.dtype, 2,
                                   t.shape + 1);
    return p;
}

/* Experts stored one by one, or all of them in one stack with gate above up. */
static tern_status create_experts(tern_model *m, tern_model_layer *l)
{
    const tern_spec *s = m->spec;
    const tern_tensor *w = l->slot;
    int64_t n = tern_get(s, S_EXPERTS),
        ffn = tern_get(s, S_EXPERT_FFN) ? tern_get(s, S_EXPERT_FFN) : tern_get(s, S_FFN);
    tern_expert *expert = tern_model_own(m, (size_t)n * sizeof *expert, "experts");
    if (!expert) return TERN_ERR_MEMORY;
    for (int64_t e = 0; e < n; e++) {
        if (given(w[W_EX_GATE_UP_ALL]) && given(w[W_EX_DOWN_ALL])) {
            tern_tensor both = plane(w[W_EX_GATE_UP_ALL], e);
            const float *both_b = w[W_EX_GATE_UP_ALL_B].data, *down_b = w[W_EX_DOWN_ALL_B].data;
            expert[e] = expert_of(rows(both, 0, ffn), rows(both, ffn, ffn), plane(w[W_EX_DOWN_ALL], e));
            if (both_b) expert[e].gate_b = both_b + 2 * e * ffn;
            if (both_b) expert[e].up_b = both_b + (2 * e + 1) * ffn;
            if (down_b) expert[e].down_b = down_b + e * tern_get(s, S_DIM);
        } else {
            if (!l->expert[W_EX_GATE] || !l->expert[W_EX_UP] || !l->expert[W_EX_DOWN])
                return tern_fail(m->ctx, TERN_ERR_FORMAT, "%s: no tensors for experts", m->dir);
            expert[e] = expert_of(l->expert[W_EX_GATE][e], l->expert[W_EX_UP][e], l->expert[W_EX_DOWN][e]);
        }
    }
    return tern_experts_create(m->ctx, &(tern_experts_options){
        .n_expert = n, .k = tern_get(s, S_EXPERTS_USED), .n_group = tern_get(s, S_ROUTE_GROUPS),
        .n_group_used = tern_get(s, S_ROUTE_GROUPS_USED), .score = (tern_route_score) tern_get(s, S_ROUTE_SCORE),
        .normalize = tern_get(s, S_ROUTE_NORM), .group_pairs = tern_get(s, S_ROUTE_GROUP_PAIRS), .scale = (float)
        s->value[S_ROUTE_SCALE], .limit = (float) s->value[S_GLU_LIMIT], .act = (tern_act) tern_get(s, S_ACT),
        .compute = m->compute, .router = w[W_ROUTER], .router_b = w[W_ROUTER_B].data,
        .choice_bias = w[W_ROUTER_CHOICE_B].data, .expert = expert,
        .shared = expert_of(w[W_SHARED_GATE], w[W_SHARED_UP], w[W_SHARED_DOWN]),
        .shared_score = w[W_SHARED_SCORE] }, &l->experts);
}

static tern_latent latent_of(const tern_model *m, const tern_model_layer *l)
{
    const tern_spec *s = m->spec;
    const tern_tensor *w = l->slot;
    int64_t rope = tern_get(s, S_ROPE_HEAD_DIM);
    return (tern_latent){ .n_head = tern_get(s, S_HEADS), .nope_dim = tern_get(s, S_HEAD_DIM) - rope, .rope_dim = rope,
                          .value_dim = tern_get(s, S_VALUE_DIM),
                          .kv_rank = tern_get(s, S_KV_RANK), .q_a = w[W_Q_A], .q_a_norm = w[W_Q_A_NORM], .q_b = w[W_Q],
                          .kv_a = w[W_KV_A], .kv_a_norm = w[W_KV_A_NORM],
                          .kv_b = w[W_KV_B], .q_a_b = w[W_Q_A_B].data, .kv_a_b = w[W_KV_A_B].data,
                          .compute = m->compute };
}

/* The activation that config.json names may be one of ACT2FN that no layer computes here. */
static tern_status check_activation(const tern_model *m, const tern_config *c)
{
    if (c->mlp_act_func_type != TERN_ACT_UNKNOWN) return TERN_OK;
    return tern_fail(m->ctx, TERN_ERR_UNSUPPORTED, "%s: config.json names an activation that %s; there %s", m->dir,
                     tern_get(m->spec, S_GATED) ? "cannot gate an MLP here" : "no MLP has here",
                     tern_get(m->spec, S_GATED) ? "are GELU, its tanh form, SiLU and ReLU"
                                                : "are GELU, its tanh form, SiLU, ReLU, its square and quick_gelu");
}

static tern_status create_layers(tern_model *m)
{
    tern_status st = TERN_OK;
    const tern_spec *s = m->spec;
    tern_tensor slope = { 0 }, ones = { 0 };
    if (!tern_get(s, S_NORM_WEIGHTS)) TERN_TRY(make_ones(m, &ones));
    if (tern_get(s, S_POSITION) == POS_ALIBI) TERN_TRY(make_slopes(m, &slope));
    if (tern_get(s, S_POSITION) == POS_ALIBI_BF16) TERN_TRY(make_rounded_alibi(m));
    for (int64_t i = 0; i < tern_get(s, S_LAYERS); i++) {
        tern_model_layer *l = &m->layers[i];
        TERN_TRY(check_layer(m, l, i));
        tern_config config = config_of(m, i);
        TERN_TRY(check_activation(m, &config));
        tern_layer_weights w = weights_of(m, l);
        w.slope = slope;
        if (!tern_get(s, S_NORM_WEIGHTS)) w.norm_w = w.attn_nw = ones;
        if (s->sparse[i]) TERN_TRY(create_experts(m, l));
        l->latent = latent_of(m, l);
        tern_layer_extras extras = { .qkv_interleaved = tern_get(s, S_INTERLEAVED),
                                     .no_input_norm = tern_get(s, S_NORM_POSITION) == NORM_BRANCH,
                                     .residual_scale = s->value[S_RESIDUAL_SCALE], .clip_qkv = s->value[S_CLIP_QKV],
                                     .residual_normed = tern_get(s, S_RESIDUAL_NORMED) };
        tern_block_parts parts = { .experts = l->experts, .latent = l->latent.kv_a.data ? &l->latent : NULL };
        TERN_TRY(tern_block_create(m->ctx, &config, &w, &extras, &parts, NULL, &l->layer));
    }
done:
    return st;
}

/* The first rows of a table that is padded beyond the vocabulary. */
static tern_tensor vocabulary_of(const tern_model *m, tern_tensor t)
{
    return rows(t, 0, tern_get(m->spec, S_VOCAB));
}

static tern_status create_ends(tern_model *m)
{
    tern_status st = TERN_OK;
    const tern_tensor *w = m->slot;
    const tern_spec *s = m->spec;
    tern_norm_kind norm = tern_get(s, S_NORM) == NORM_RMS ? NORM_RMS : NORM_LAYER;
    m->embedding = (tern_embedding){
        .token = w[W_EMBED], .position = w[W_POS], .type = w[W_TYPE], .norm_w = w[W_EMBED_NORM],
        .norm_b = w[W_EMBED_NORM_B], .project = w[W_EMBED_PROJECT], .norm = norm, .scale = s->value[S_EMBED_SCALE],
        .eps = s->value[S_EPS], .position_offset = tern_get(s, S_POS_OFFSET), .compute = m->compute };
    tern_tensor out_norm = w[W_OUT_NORM];
    if (!tern_get(s, S_NORM_WEIGHTS) && tern_slot_applies(s, W_OUT_NORM, -1)) TERN_TRY(make_ones(m, &out_norm));
    m->head = (tern_head){
        .norm_w = out_norm, .norm_b = w[W_OUT_NORM_B], .project = w[W_OUT_PROJECT], .transform_w = w[W_TRANSFORM],
        .transform_b = w[W_TRANSFORM_B], .transform_norm_w = w[W_TRANSFORM_NORM],
        .transform_norm_b = w[W_TRANSFORM_NORM_B], .transform_act = (tern_act)
        tern_get(s, tern_get(s, S_TRANSFORM_ACT) < 0 ? S_ACT : S_TRANSFORM_ACT), .weight = vocabulary_of(m, w[W_HEAD]),
        .bias = vocabulary_of(m, w[W_HEAD_B]), .norm = norm, .eps = s->value[S_EPS], .scale = s->value[S_LOGIT_SCALE],
        .softcap = s->value[S_OUT_SOFTCAP], .compute = m->compute };
    if (tern_get(s, S_TIED) && tern_get(s, S_LM_HEAD)) {
        tern_tensor tied;
        TERN_TRY(tern_model_shape_tensor(m, "the tied head", w[W_EMBED], AS_IS, USE_MATRIX, &tied));
        m->head.weight = vocabulary_of(m, tied);
        m->matmul_params += (double)tern_tensor_count(&m->head.weight);
        m->read_bytes += (double)tern_tensor_count(&m->head.weight) * (double)tern_dtype_bytes(tied.dtype);
    }
done:
    return st;
}

tern_status tern_model_assemble(tern_model *m)
{
    tern_status st = TERN_OK;
    TERN_TRY(create_layers(m));
    TERN_TRY(create_ends(m));
done:
    return st;
}
