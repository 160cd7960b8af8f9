/* The engine's own state: the queue, the running requests in order of admission, and the batch of a
 * step. */
#ifndef TERN_ENGINE_STATE_H
#define TERN_ENGINE_STATE_H

#include "engine/pages.h"
#include "engine/memory.h"
#include "engine/request.h"
#include "engine/sampling.h"

/* The arrays that a step's tern_ragged and tern_step point to, made once. */
typedef struct tern_batch {
    int32_t n_seq, n_row, n_out;
    int32_t *id, *out_row;                   /* [step_tokens], [n_logit_row] */
    int32_t *row, *n_tok, *past, *length;    /* [max_requests] */
    const int32_t **page;                    /* [max_requests] */
    tern_job **job;                          /* [max_requests]: whose sequence it is */
    float *logits;                           /* [n_logit_row, vocab] */
    /* [max_requests]: the rows that draw a token, in the order of their jobs */
    tern_draw *draw;
} tern_batch;

struct tern_engine {
    tern_runner runner;
    tern_plan plan;
    bool share;                              /* pages of equal beginnings are shared */
    bool closing;
    tern_kv kv;                              /* data is owned */
    tern_pages *pages;
    tern_job *first, *last;                  /* the queue */
    size_t n_queued;
    tern_job **running;                      /* [max_requests] */
    int32_t n_running;
    /* which decoding request is served first where a step cannot take all */
    int32_t turn;
    uint64_t n_submitted;
    tern_batch batch;
};

/* Moves requests from the queue to running, in order, as long as the next one's pages can all be
 * promised to it: so no running request ever waits for a page. */
void tern_schedule_admit(tern_engine *engine);

/* Builds the step's batch. Decoding requests come first, a token each, in turns where the budget is
 * too small for all; a quarter of it is kept for prompts where there are any. What is left goes to
 * prompts: in order of admission each takes half of it while others wait behind it, and what then
 * remains goes to the first that still has tokens. */
void tern_schedule_batch(tern_engine *engine);

/* Counts the step's tokens as written, and makes the pages that they fill known. */
void tern_schedule_advance(tern_engine *engine, tern_job *job);

/* Gives all pages back, the last first, and the promise of those not taken. */
void tern_schedule_release(tern_engine *engine, tern_job *job);

#endif
