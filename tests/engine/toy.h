/* A model small enough to be checked by eye: logits are a hash of every token of the sequence so
 * far, read back from the cache.
 *
 * A page of its cache has a (token, position) pair for each slot. A step writes its rows' pairs,
 * then reads the sequence from its beginning through the page list; a pair that is not where it
 * should be fails the step. So a page that was shared wrongly, freed too early or taken twice is
 * seen at once, and toy_logits gives the same numbers from a list of tokens alone. */
#ifndef TESTS_ENGINE_TOY_H
#define TESTS_ENGINE_TOY_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ctx.h"
#include "engine/runner.h"

/* a sequence that ends in TOY_NAN has NaN among its logits */
enum { TOY_VOCAB = 40, TOY_EOS = 3, TOY_NAN = 39 };

typedef struct toy_slot {
    /* rotation: what a rope that depends on the length did with it */
    int32_t token, position, rotation;
} toy_slot;

typedef struct toy {
    int32_t most_rows, most_seqs;    /* what the engine promised; 0: not checked */
    /* its rope depends on the length beyond so many tokens; 0: it does not */
    int32_t rope_tokens;
    bool rope_restarts;
    int64_t n_step, n_row;
    int fail_at;                     /* the step that fails, counted from 1; 0: none */
    int32_t last_tok[4096];          /* tokens of each sequence of the last step */
    int32_t last_past[4096], last_n_seq;
    const char *broken;              /* a promise that a step found broken */
} toy;

static inline uint64_t toy_mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static inline void toy_row(uint64_t h, int32_t last_token, float *logits)
{
    for (uint64_t v = 0; v < TOY_VOCAB; v++)
        logits[v] = (float)(toy_mix(h, v + 1) >> 40) * 0x1p-21f - 4;
    logits[TOY_NAN] = -INFINITY;    /* comes in prompts only */
    if (last_token == TOY_NAN) logits[7] = NAN;
}

/* What the rope does with a token of a sequence of this length: one thing beyond rope_tokens if all
 * tokens are rotated alike, else one each length. */
static inline int32_t toy_rotation(const toy *t, int32_t length)
{
    if (!t->rope_tokens || length <= t->rope_tokens) return 0;
    return t->rope_restarts ? 1 : length;
}

static inline uint64_t toy_token(uint64_t h, int32_t token, int32_t rotation)
{
    return toy_mix(toy_mix(h, (uint64_t)token + 1), (uint64_t)rotation);
}

/* The logits behind n tokens, n_prompt of them the prompt, by the definition: the prompt is rotated
 * by its own full length, a later token by the length that it makes; where the rope restarts, all
 * by the whole length. */
static inline void toy_logits(const toy *t, const int32_t *token, int32_t n, int32_t n_prompt,
                              float *logits)
{
    uint64_t h = 0;
    int32_t whole = n > n_prompt ? n : n_prompt;
    for (int32_t i = 0; i < n; i++) {
        int32_t so_far = i < n_prompt ? n_prompt : i + 1;
        h = toy_token(h, token[i], toy_rotation(t, t->rope_restarts ? whole : so_far));
    }
    toy_row(h, token[n - 1], logits);
}

static inline toy_slot *toy_at(const tern_step *s, int32_t seq, int32_t position)
{
    int32_t page = s->batch->page[seq][position / TERN_KV_PAGE];
    return page < 0 || page >= s->kv->n_page ? NULL : (toy_slot *)s->kv->data + (int64_t)page *
                                                      TERN_KV_PAGE + position % TERN_KV_PAGE;
}

static inline tern_status toy_break(toy *t, const char *message)
{
    t->broken = message;
    return TERN_ERR_STATE;
}

static inline tern_status toy_step(void *user, const tern_step *s)
{
    toy *t = user;
    const tern_ragged *b = s->batch;
    int32_t out = 0, row = 0;
    if (++t->n_step == t->fail_at) return TERN_ERR_MEMORY;
    if (t->most_rows && b->n_row > t->most_rows) return toy_break(t, "more rows than the budget");
    if (t->most_seqs && b->n_seq > t->most_seqs)
        return toy_break(t, "more sequences than requests may run");
    t->n_row += b->n_row;
    t->last_n_seq = b->n_seq;
    for (int32_t q = 0; q < b->n_seq; q++) {
        if (b->row[q] != row || b->n_tok[q] < 1)
            return toy_break(t, "sequences do not lie end to end");
        if (q < 4096) {
            t->last_tok[q] = b->n_tok[q];
            t->last_past[q] = b->past[q];
        }
        row += b->n_tok[q];
        for (int32_t i = 0; i < b->n_tok[q]; i++) {
            toy_slot *slot = toy_at(s, q, b->past[q] + i);
            if (!slot) return toy_break(t, "a page outside the pool");
            *slot = (toy_slot){ s->id[b->row[q] + i], b->past[q] + i,
                                toy_rotation(t, s->length[q]) };
        }
    }
    if (row != b->n_row) return toy_break(t, "rows that belong to no sequence");
    for (int32_t q = 0; q < b->n_seq; q++) {
        uint64_t h = 0;
        for (int32_t p = 0; p < b->past[q] + b->n_tok[q]; p++) {
            toy_slot *slot = toy_at(s, q, p);
            if (!slot || slot->position != p)
                return toy_break(t, "a token of the sequence is not in the cache");
            h = toy_token(h, slot->token, slot->rotation);
            if (out < s->n_out && s->out_row[out] == b->row[q] + p - b->past[q])
                toy_row(h, slot->token, s->logits + (int64_t)out++ * TOY_VOCAB);
        }
    }
    return out == s->n_out ? TERN_OK
                           : toy_break(t, "wanted rows are not ascending rows of the batch");
}

static const int32_t toy_eos[] = { TOY_EOS };

static inline tern_runner toy_runner(tern_ctx *ctx, toy *t)
{
    return (tern_runner){ .ctx = ctx, .kv = { .dtype = TERN_F32, .n_layer = 1, .n_kv_head = 1,
                                              .key_dim = 1, .value_dim = 1 },
                          .page_bytes = TERN_KV_PAGE * sizeof(toy_slot), .vocab = TOY_VOCAB,
                          .eos = toy_eos, .n_eos = 1,
                          .rope_tokens = t->rope_tokens, .rope_restarts = t->rope_restarts,
                          .step = toy_step, .user = t };
}

static inline tern_ctx *toy_ctx(void)
{
    tern_ctx *ctx;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx), TERN_OK);
    return ctx;
}

/* A group's set-up and tear-down: a context as its state. */
static inline int toy_setup(void **state)
{
    *state = toy_ctx();
    return 0;
}

static inline int toy_teardown(void **state)
{
    tern_ctx_free(*state);
    return 0;
}

/* Numbers for random tests, the same on every machine (Steele, Lea, Flood 2014: SplitMix64). */
typedef struct dice {
    uint64_t state;
} dice;

static inline uint64_t dice_next(dice *d)
{
    uint64_t z = d->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline int32_t dice_below(dice *d, int32_t n)
{
    return (int32_t)(dice_next(d) % (uint64_t)n);
}

#endif
