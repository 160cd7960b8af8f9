/* The shape that each slot's tensor must have, by the model's settings: what binding checks and
 * what random weights are drawn by. */
#include "model/internal.h"

static const char *const names[N_SLOTS] = {
#define X(name) [W_##name] = #name,
    TERN_SLOTS(X)
#undef X
};

const char *tern_slot_name(tern_slot slot)
{
    return names[slot];
}

bool tern_slot_applies(const tern_spec *s, tern_slot slot, int64_t layer)
{
    bool sparse = layer >= 0 && s->sparse[layer];
    switch (slot) {
    case W_OUT_NORM: case W_OUT_NORM_B: return !s->no_out_norm && tern_get(s, S_NORM_POSITION) != NORM_POST;
    case W_MLP_NORM: case W_MLP_NORM_B: return !s->one_norm;
    case W_HEAD: return tern_get(s, S_LM_HEAD) && !tern_get(s, S_TIED);
    case W_HEAD_B: case W_TRANSFORM: case W_TRANSFORM_B: case W_TRANSFORM_NORM: case W_TRANSFORM_NORM_B:
        return tern_get(s, S_LM_HEAD);
    case W_CLASSIFY: case W_CLASSIFY_B: case W_CLASSIFY_DENSE: case W_CLASSIFY_DENSE_B:
        return tern_get(s, S_LABELS) > 0;
    case W_GATE: case W_GATE_B: return tern_get(s, S_GATED) && !sparse;
    case W_UP: case W_UP_B: case W_GATE_UP: case W_GATE_UP_B: case W_DOWN: case W_DOWN_B: return !sparse;
    case W_ROUTER: case W_ROUTER_B: case W_ROUTER_CHOICE_B: case W_EX_GATE: case W_EX_UP: case W_EX_DOWN: return sparse;
    case W_EX_GATE_UP_ALL: case W_EX_GATE_UP_ALL_B: case W_EX_DOWN_ALL: case W_EX_DOWN_ALL_B: return sparse;
    case W_SHARED_GATE: case W_SHARED_UP: case W_SHARED_DOWN: case W_SHARED_SCORE:
        return sparse && tern_get(s, S_SHARED_FFN) > 0;
    case W_POS: return tern_get(s, S_POSITION) == POS_LEARNED;
    case W_TYPE: return tern_get(s, S_TYPES) > 0;
    case W_EMBED_PROJECT: case W_OUT_PROJECT:
        return tern_get(s, S_EMBED_DIM) && tern_get(s, S_EMBED_DIM) != tern_get(s, S_DIM);
    case W_Q_A: case W_Q_A_NORM: case W_Q_A_B: return tern_get(s, S_Q_RANK) > 0;
    case W_KV_A: case W_KV_A_B: case W_KV_A_NORM: case W_KV_B: return tern_get(s, S_KV_RANK) > 0;
    default: return true;
    }
}

static tern_slot_shape one(int64_t a)
{
    return (tern_slot_shape){ .n_shape = 1, .rank = { 1 }, .shape = { { a } } };
}

static tern_slot_shape two(int64_t a, int64_t b)
{
    return (tern_slot_shape){ .n_shape = 1, .rank = { 2 }, .shape = { { a, b } } };
}

static tern_slot_shape three(int64_t a, int64_t b, int64_t c)
{
    return (tern_slot_shape){ .n_shape = 1, .rank = { 3 }, .shape = { { a, b, c } } };
}

/* A norm of q or k: one for each head alike, one for all heads as a row, or each head its own. */
static tern_slot_shape head_norm(int64_t n_head, int64_t head_dim)
{
    return (tern_slot_shape){ .n_shape = 3, .rank = { 1, 1, 2 },
                              .shape = { { head_dim }, { n_head * head_dim }, { n_head, head_dim } } };
}

tern_slot_shape tern_slot_shape_of(const tern_spec *s, tern_slot slot)
{
    int64_t dim = tern_get(s, S_DIM), ffn = tern_get(s, S_FFN), vocab = tern_get(s, S_VOCAB),
        types = tern_get(s, S_TYPES);
    int64_t embed = tern_get(s, S_EMBED_DIM) ? tern_get(s, S_EMBED_DIM) : dim, head_dim = tern_get(s, S_HEAD_DIM);
    int64_t value_dim = tern_get(s, S_VALUE_DIM) ? tern_get(s, S_VALUE_DIM) : head_dim;
    int64_t n_head = tern_get(s, S_HEADS), n_kv = tern_get(s, S_KV_HEADS), experts = tern_get(s, S_EXPERTS);
    int64_t q = n_head * head_dim, k = n_kv * head_dim, v = n_kv * value_dim, o = n_head * value_dim;
    int64_t expert_ffn = tern_get(s, S_EXPERT_FFN) ? tern_get(s, S_EXPERT_FFN) : ffn,
        shared = tern_get(s, S_SHARED_FFN);
    int64_t q_rank = tern_get(s, S_Q_RANK), kv_rank = tern_get(s, S_KV_RANK), rope = tern_get(s, S_ROPE_HEAD_DIM);
    switch (slot) {
    case W_EMBED: return two(vocab, embed);
    case W_POS: return two(tern_get(s, S_MAX_POS) + tern_get(s, S_POS_ROWS_MORE), dim);
    case W_TYPE: return two(types, dim);
        case W_EMBED_PROJECT: return two(dim, embed);
    case W_OUT_PROJECT: return two(embed, dim);
    case W_HEAD: return two(vocab, embed);
    case W_HEAD_B: return one(vocab);
    case W_TRANSFORM: case W_POOL: case W_CLASSIFY_DENSE: return two(dim, dim);
    case W_CLASSIFY: return two(tern_get(s, S_LABELS), dim);
    case W_CLASSIFY_B: return one(tern_get(s, S_LABELS));
    case W_QKV: return two(q + k + v, dim);
    case W_QKV_B: return one(q + k + v);
    case W_Q: return two(q, q_rank ? q_rank : dim);
    case W_Q_B: return one(q);
    case W_K: return two(k, dim);
    case W_K_B: return one(k);
    case W_V: return two(v, dim);
    case W_V_B: return one(v);
    case W_O: return two(dim, o);
    case W_Q_NORM: case W_Q_NORM_B: return head_norm(n_head, head_dim);
    case W_K_NORM: case W_K_NORM_B: return head_norm(n_kv, head_dim);
    case W_SINK: return one(n_head);
    case W_GATE: case W_UP: return two(ffn, dim);
    case W_GATE_B: case W_UP_B: return one(ffn);
    case W_GATE_UP: return two(2 * ffn, dim);
    case W_GATE_UP_B: return one(2 * ffn);
    case W_DOWN: return two(dim, ffn);
    case W_Q_A: return two(q_rank, dim);
    case W_Q_A_NORM: case W_Q_A_B: return one(q_rank);
    case W_KV_A: return two(kv_rank + rope, dim);
    case W_KV_A_B: return one(kv_rank + rope);
    case W_KV_A_NORM: return one(kv_rank);
    case W_KV_B: return two(n_head * (head_dim - rope + value_dim), kv_rank);
    case W_ROUTER: return two(experts, dim);
    case W_ROUTER_B: case W_ROUTER_CHOICE_B: return one(experts);
    case W_EX_GATE: case W_EX_UP: return two(expert_ffn, dim);
    case W_EX_DOWN: return two(dim, expert_ffn);
    case W_EX_GATE_UP_ALL: return three(experts, 2 * expert_ffn, dim);
    case W_EX_GATE_UP_ALL_B: return two(experts, 2 * expert_ffn);
    case W_EX_DOWN_ALL: return three(experts, dim, expert_ffn);
    case W_EX_DOWN_ALL_B: return two(experts, dim);
    case W_SHARED_GATE: case W_SHARED_UP: return two(shared, dim);
    case W_SHARED_DOWN: return two(dim, shared);
    case W_SHARED_SCORE: return two(1, dim);
    default: return one(dim);    /* norms and biases of the residual stream */
    }
}
