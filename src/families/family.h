/* A model family is one constant: where config.json says what, how tensors are called, and how its
 * block is wired.
 *
 *   setting  one number, flag or choice that describes a model; read from a key of config.json, or
 *            fixed by the family
 *     bind      the name of the tensor that fills one slot of the model
 *
 * Adding a family is adding a file with such a constant; families.c lists them. What a constant
 * cannot say, `adjust` may: a short function over the settings. src/model reads the constants;
 * nothing else does. */
#ifndef TERN_FAMILIES_FAMILY_H
#define TERN_FAMILIES_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "formats/hf_config.h"
#include "formats/rope.h"

/* Every setting: X(name, kind, default). Kinds: int, number, flag, and choice by name. A default of
 * NEEDED must be given by the family's constant or by the config; fallbacks to other settings stand
 * in the family's rows. */
#define NEEDED (-9e99)
#define TERN_SETTINGS(X) \
    X(DIM, INT, NEEDED)              /* hidden size */ \
    X(LAYERS, INT, NEEDED) \
    X(HEADS, INT, NEEDED) \
    X(KV_HEADS, INT, NEEDED) \
    X(HEAD_DIM, INT, NEEDED) \
    X(VALUE_DIM, INT, 0)             /* 0: as HEAD_DIM */ \
    X(FFN, INT, NEEDED) \
    X(VOCAB, INT, NEEDED) \
    X(MAX_POS, INT, 0)               /* 0: no limit */ \
    X(TYPES, INT, 0)                 /* token types of encoders */ \
    /* added to a position before the table is read (OPT, RoBERTa) */ \
    X(POS_OFFSET, INT, 0) \
    X(POS_ROWS_MORE, INT, 0)         /* rows of the position table beyond MAX_POS (OPT: 2) */ \
    /* a token that stands at no position and advances none (RoBERTa) */ \
    X(POS_PAD, INT, -1) \
    X(LABELS, INT, 0)                /* of a sequence-classification head */ \
    X(EMBED_DIM, INT, 0)             /* width of the embedding where it is projected; 0: DIM */ \
    X(WINDOW, INT, 0)                /* 0: none */ \
    /* every layer has the window, and layer_types cannot say otherwise */ \
    X(WINDOW_ALL, FLAG, 0) \
    /* n: every n-th layer is full, the others have the window; 0: all have it */ \
    X(WINDOW_EVERY, INT, 0) \
    /* 0: by the config's share of a head, else ROTARY_FRACTION */ \
    X(ROTARY_DIM, INT, 0) \
    /* without a row for it or ROTARY_DIM all of a head rotates */ \
    X(ROTARY_FRACTION, NUMBER, 1) \
    X(LONGROPE_ONLY, FLAG, 0)        /* ropes of other types are refused (Phi-3) */ \
    X(EPS, NUMBER, 1e-5) \
    X(ATTN_SCALE, NUMBER, 0)         /* 0: 1 / sqrt(HEAD_DIM) */ \
    X(ATTN_SOFTCAP, NUMBER, 0) \
    X(OUT_SOFTCAP, NUMBER, 0) \
    X(EMBED_SCALE, NUMBER, 1) \
    X(RESIDUAL_SCALE, NUMBER, 0)     /* 0: 1 */ \
    X(RESIDUAL_NORMED, FLAG, 0)      /* residuals are taken behind the norms */ \
    X(LOGIT_SCALE, NUMBER, 1) \
    X(CLIP_QKV, NUMBER, 0)           /* 0: none; q, k and v are clamped to +-it */ \
    X(NORM_WEIGHTS, FLAG, 1)         /* 0: norms have no parameters */ \
    X(NORM, CHOICE, NORM_RMS)        /* NORM_RMS, NORM_LAYER */ \
    /* NORM_PRE, NORM_POST, NORM_BRANCH (norms of the branches only) */ \
    X(NORM_POSITION, CHOICE, NORM_PRE) \
    X(ACT, CHOICE, ACT_SILU)         /* of the MLP, by Hugging Face's names in config.json */ \
    X(GATED, FLAG, 1) \
    X(PARALLEL, FLAG, 0)             /* attention and MLP in parallel */ \
    X(POSITION, CHOICE, POS_ROPE_HALF)  /* how positions enter */ \
    X(INTERLEAVED, FLAG, 0)          /* the fused qkv lies per KV head */ \
    X(CAUSAL, FLAG, 1) \
    /* logits over the vocabulary; 0: hidden states or classes only */ \
    X(LM_HEAD, FLAG, 1) \
    X(TRANSFORM_ACT, CHOICE, -1)     /* of a masked-LM head's first layer; -1: as ACT */ \
    X(CLASSIFY_ACT, CHOICE, ACT_TANH) /* of a classification head's first layer */ \
    X(TIED, FLAG, 0)                 /* the head is the embedding */ \
    X(EXPERTS, INT, 0) \
    X(EXPERTS_USED, INT, 0) \
    X(EXPERT_FFN, INT, 0) \
    X(SHARED_FFN, INT, 0)            /* 0: no shared expert */ \
    X(GLU_LIMIT, NUMBER, 0)          /* > 0: an expert's gate and value are limited (gpt-oss) */ \
    X(ROUTE_NORM, FLAG, 0)           /* the chosen scores are divided by their sum */ \
    X(ROUTE_SCORE, CHOICE, ROUTE_SOFTMAX) \
    X(ROUTE_SCALE, NUMBER, 1) \
    X(ROUTE_GROUPS, INT, 1) \
    X(ROUTE_GROUPS_USED, INT, 1) \
    X(ROUTE_GROUP_PAIRS, FLAG, 0)    /* a group is worth its two best experts, not its best */ \
    X(DENSE_FIRST, INT, 0)           /* the first n layers have an MLP */ \
    X(SPARSE_STEP, INT, 1)           /* experts in every n-th layer */ \
    X(Q_RANK, INT, 0)                /* multi-head latent attention: ranks of q and of k, v */ \
    X(KV_RANK, INT, 0) \
    /* channels of a head that are rotated, behind those that are not */ \
    X(ROPE_HEAD_DIM, INT, 0)

typedef enum tern_setting {
#define X(name, kind, fallback) S_##name,
    TERN_SETTINGS(X)
#undef X
    N_SETTINGS
} tern_setting;

enum { NORM_PRE, NORM_POST, NORM_BRANCH };
typedef enum tern_layer_rope { ROPE_GLOBAL, ROPE_LOCAL, ROPE_NONE } tern_layer_rope;
/* the last: Falcon's, rounded to bf16 and scaled like the scores */
enum { POS_NONE, POS_ROPE_HALF, POS_ROPE_PAIR, POS_LEARNED, POS_ALIBI, POS_ALIBI_BF16 };

/* One row: a setting is the value of key; where the key is absent it is `set` (key null: always),
 * or the setting `as` divided by `over`'s value (or multiplied by times). Rows of one setting are
 * tried in order. */
typedef struct tern_family_key {
    tern_setting setting;
    const char *key;
    /* the fallback; left at 0 with no `has` flag: the setting's own default */
    double set;
    bool has;
    int as, over;                /* settings + 1; 0: none */
    double times;                /* 0: 1 */
} tern_family_key;

/* A slot of the model that a tensor fills. Slots of experts are counted by {e}. */
#define TERN_SLOTS(X)                                                                            \
    X(EMBED) X(POS) X(TYPE) X(EMBED_NORM) X(EMBED_NORM_B) X(EMBED_PROJECT)                       \
    X(OUT_NORM) X(OUT_NORM_B) X(OUT_PROJECT) X(HEAD) X(HEAD_B)                                   \
    X(TRANSFORM) X(TRANSFORM_B) X(TRANSFORM_NORM) X(TRANSFORM_NORM_B)                            \
    X(POOL) X(POOL_B) X(CLASSIFY) X(CLASSIFY_B) X(CLASSIFY_DENSE) X(CLASSIFY_DENSE_B)            \
    X(ATTN_NORM) X(ATTN_NORM_B) X(QKV) X(QKV_B) X(Q) X(Q_B) X(K) X(K_B) X(V) X(V_B) X(O) X(O_B)  \
    X(Q_NORM) X(Q_NORM_B) X(K_NORM) X(K_NORM_B) X(SINK) X(POST_ATTN) X(POST_ATTN_B)              \
    X(MLP_NORM) X(MLP_NORM_B) X(GATE) X(GATE_B) X(UP) X(UP_B) X(GATE_UP) X(GATE_UP_B) X(DOWN)    \
    X(DOWN_B)                                                                                    \
    X(POST_MLP) X(POST_MLP_B)                                                                    \
    X(Q_A) X(Q_A_NORM) X(Q_A_B) X(KV_A) X(KV_A_B) X(KV_A_NORM) X(KV_B)                           \
    X(ROUTER) X(ROUTER_B) X(ROUTER_CHOICE_B) X(EX_GATE) X(EX_UP) X(EX_DOWN) X(EX_GATE_UP_ALL)    \
    X(EX_GATE_UP_ALL_B)                                                                          \
    X(EX_DOWN_ALL) X(EX_DOWN_ALL_B) X(SHARED_GATE) X(SHARED_UP) X(SHARED_DOWN) X(SHARED_SCORE)

typedef enum tern_slot {
#define X(name) W_##name,
    TERN_SLOTS(X)
#undef X
    N_SLOTS
} tern_slot;

/* How a stored tensor becomes the slot's: folded once, while it is bound. */
typedef enum tern_how {
    AS_IS,
    TRANSPOSE,       /* [in, out] becomes [out, in]; of a stack, each plane */
    ADD_ONE,
    /* the last axis holds gate, up, gate, up, ...: all gates, then all ups; a matrix or plane is
     * transposed too */
    UNPAIR,
} tern_how;

/* A tensor's name: {l} the layer, {e} the expert, {h} the head (one row of the slot each). Rows of
 * one slot are alternatives. With a key, the tensor is there exactly where that flag of config.json
 * is true; optional: the model may lack it, and its slot stays empty. What a tied head, a layer
 * without experts, an MLP without gate and so on have no use for is not looked for at all. */
typedef struct tern_family_bind {
    tern_slot slot;
    const char *name;
    tern_how how;
    bool optional;
    const char *key;
    bool otherwise;              /* the flag's value where the key is absent */
} tern_family_bind;

typedef struct tern_spec tern_spec;

typedef struct tern_family {
    const char *name;                  /* "llama" */
    /* architectures of config.json that it serves; with XForCausalLM, XModel and
     * XForSequenceClassification too */
    const char *arch[8];
    const char *model_type[4];         /* model_type values, where architectures is absent */
    const char *prefix[4];             /* of every tensor's name, any of them; "" is always tried */
    /* tensors that a checkpoint may carry and the model does not read; '*' stands for anything */
    const char *ignore[8];
    /* keys of this family's config without effect on inference */
    const char *no_effect[32];
    const tern_family_key *keys;
    size_t n_key;
    const tern_family_bind *binds;
    size_t n_bind;
    /* What the rows cannot say: reads further keys, changes settings and per-layer choices, refuses
     * combinations. May be null. */
    tern_status (*adjust)(tern_ctx *ctx, tern_hf_config *config, tern_spec *spec);
} tern_family;

/* A model's settings, read and checked. */
enum { MOST_LAYERS = 4096 };
struct tern_spec {
    const tern_family *family;
    tern_hf_config *config;            /* borrowed */
    const char *architecture;          /* as config.json has it; lives as long as the config */
    double value[N_SETTINGS];
    bool scale_by_layer;               /* scores are divided by layer + 1 too (GPT-2's option) */
    bool no_out_norm;                  /* there is no norm behind the last layer */
    /* made to be causal, whatever CAUSAL says of this checkpoint */
    bool decoder;
    bool one_norm;                     /* a parallel block's MLP takes attention's norm */
    bool *windowed;                    /* [LAYERS] which layers have the window */
    bool *sparse;                      /* [LAYERS] which layers have experts */
    /* [LAYERS] which rope rotates a layer's q and k: a tern_layer_rope */
    uint8_t *rope_of;
    tern_rope_plan *rope, *rope_local; /* owned; null: not rotary; null: all layers by the first */
};

static inline int64_t tern_get(const tern_spec *s, tern_setting i)
{
    return (int64_t)s->value[i];
}

#define KEY(s, name) { .setting = S_##s, .key = name }
#define KEY_OR(s, name, v) { .setting = S_##s, .key = name, .set = (v), .has = true }
#define KEY_AS(s, name, other) { .setting = S_##s, .key = name, .as = S_##other + 1 }
#define KEY_OVER(s, name, other, divisor) \
    { .setting = S_##s, .key = name, .as = S_##other + 1, .over = S_##divisor + 1 }
#define KEY_TIMES(s, name, other, factor) \
    { .setting = S_##s, .key = name, .as = S_##other + 1, .times = (factor) }
#define SET(s, v) { .setting = S_##s, .set = (v), .has = true }
#define BIND(s, n) { .slot = W_##s, .name = n }
#define BIND_AS(s, n, h) { .slot = W_##s, .name = n, .how = h }
#define BIND_IF(s, n, flag, without) { .slot = W_##s, .name = n, .key = flag, .otherwise = without }
#define MAYBE(s, n) { .slot = W_##s, .name = n, .optional = true }
#define KEYS(...)                                     \
    .keys = (const tern_family_key[]){ __VA_ARGS__ }, \
        .n_key = sizeof((tern_family_key[]){ __VA_ARGS__ }) / sizeof(tern_family_key)
#define BINDS(...)                                      \
    .binds = (const tern_family_bind[]){ __VA_ARGS__ }, \
        .n_bind = sizeof((tern_family_bind[]){ __VA_ARGS__ }) / sizeof(tern_family_bind)

/* The class weights of a decoder with a sequence-classification head, whatever its family: a layer
 * without bias on the last token. */
extern const tern_family_bind tern_family_decoder_classes;

/* The family that serves an architecture (in any case of letters where the model_type is the
 * family's) or, architecture null, a model_type; null: none. The i-th family, null past the
 * last. */
const tern_family *tern_family_find(const char *architecture, const char *model_type);
const tern_family *tern_family_at(size_t i);

#endif
