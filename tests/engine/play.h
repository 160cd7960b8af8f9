/* Requests that write down what happens to them, for tests with the toy model. */
#ifndef TESTS_ENGINE_PLAY_H
#define TESTS_ENGINE_PLAY_H

#include <stdio.h>

#include "engine/toy.h"

enum { PLAY_MOST = 1200 };

typedef struct play {
    tern_request request;
    const toy *model;
    uint64_t request_id;
    int32_t id[PLAY_MOST];           /* the prompt, then what a request alone must draw */
    int32_t n_prompt, n_expected;
    tern_finish expected;
    int32_t drawn[PLAY_MOST];
    int32_t n_drawn, n_rows, n_events;
    /* cancel_after: tokens after which the callback says stop; 0: never */
    int64_t n_cached, cancel_after;
    tern_finish finish;
    char error[256];
    const char *wrong;               /* the first promise that an event broke */
} play;

/* What the request must draw by the definition: the toy's logits of all tokens so far, sampled. */
static inline void play_expect(tern_ctx *ctx, const toy *model, play *p)
{
    p->model = model;
    float logits[TOY_VOCAB];
    p->n_expected = 0;
    p->expected = TERN_FINISH_LENGTH;
    for (int32_t n = p->n_prompt; p->n_expected < p->request.max_new_tokens; n++) {
        toy_logits(model, p->id, n, p->n_prompt, logits);
        if (tern_sample(ctx, &p->request.sampling, logits, TOY_VOCAB, p->id, (size_t)n, n,
                        &p->id[n]) != TERN_OK) {
            p->expected = TERN_FINISH_ERROR;
            return;
        }
        p->n_expected++;
        if (p->id[n] == TOY_EOS && !p->request.ignore_eos) {
            p->expected = TERN_FINISH_STOP;
            return;
        }
    }
}

static inline void play_wrong(play *p, bool right, const char *message)
{
    if (!right && !p->wrong) p->wrong = message;
}

static inline void play_check_logits(play *p, const tern_event *e)
{
    float logits[TOY_VOCAB];
    toy_logits(p->model, p->id, (int32_t)e->position + 1, p->n_prompt, logits);
    play_wrong(p, !memcmp(logits, e->logits, sizeof logits),
               "logits differ from those of the request alone");
    if (e->position < p->n_prompt) {
        int64_t first = p->request.logits == TERN_LOGITS_ALL ? 0 : p->n_prompt - 1;
        play_wrong(p, e->position == first + p->n_rows, "a prompt's rows are not in order");
        p->n_rows++;
    }
}

static inline bool play_event(void *user, const tern_event *e)
{
    play *p = user;
    bool draws = e->token >= 0;
    p->n_events++;
    play_wrong(p, p->finish == TERN_FINISH_NONE, "an event after the last");
    play_wrong(p, e->request == p->request_id || !p->request_id, "the event of another request");
    play_wrong(p, e->text && !*e->text && !e->n_bytes, "text without a tokenizer");
    play_wrong(p, (e->error != NULL) == (e->finish == TERN_FINISH_ERROR), "an error's message");
    play_wrong(p, (e->logits != NULL) <= (p->request.logits != TERN_LOGITS_NONE),
               "logits that were not requested");
    if (draws) {
        play_wrong(p, p->n_drawn < p->n_expected && e->token == p->id[p->n_prompt + p->n_drawn],
                   "another token than alone");
        play_wrong(p, e->position == p->n_prompt + p->n_drawn - (e->logits != NULL),
                   "a token's position");
        play_wrong(p, (e->logits != NULL) == (p->request.logits != TERN_LOGITS_NONE),
                   "a drawn token without its logits");
        if (p->n_drawn < PLAY_MOST) p->drawn[p->n_drawn++] = e->token;
    }
    if (e->logits && !p->wrong) play_check_logits(p, e);
    play_wrong(p, e->n_prompt == p->n_prompt && e->n_output == p->n_drawn, "the counts of tokens");
    p->n_cached = e->n_cached;
    p->finish = e->finish;
    if (e->error) snprintf(p->error, sizeof p->error, "%s", e->error);
    return !(p->cancel_after && p->n_drawn >= p->cancel_after);
}

static inline void play_prompt(play *p, const int32_t *token, int32_t n)
{
    memcpy(p->id, token, (size_t)n * sizeof *token);
    p->n_prompt = n;
    p->request.ids = p->id;
    p->request.n_ids = (size_t)n;
    p->request.on_event = play_event;
    p->request.user = p;
}

/* Everything that a finished request must show that was not cancelled. */
static inline void play_check_end(const play *p, const char *who)
{
    if (p->wrong) fail_msg("%s: %s", who, p->wrong);
    if (p->finish != p->expected)
        fail_msg("%s: finish %d, not %d (%s)", who, p->finish, p->expected, p->error);
    assert_int_equal(p->n_drawn, p->n_expected);
    if (p->expected == TERN_FINISH_ERROR) return;
    if (p->request.logits == TERN_LOGITS_ALL) assert_int_equal(p->n_rows, p->n_prompt);
    if (p->request.logits == TERN_LOGITS_LAST) assert_int_equal(p->n_rows, 1);
}

#endif
