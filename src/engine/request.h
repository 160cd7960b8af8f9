/* One request inside the engine: its tokens, its pages, its text, and the events it sends. */
#ifndef TERN_ENGINE_REQUEST_H
#define TERN_ENGINE_REQUEST_H

#include "engine/pages.h"
#include "engine/runner.h"
#include "engine/stop.h"

typedef struct tern_job {
    struct tern_job *next;        /* behind it in the queue */
    uint64_t request_id;
    tern_request request;             /* ids, stop: null, their copies are below */
    int32_t *id;                  /* the prompt, then the tokens drawn */
    int32_t n_prompt, n_id, n_most;
    /* tokens to run before the next one is drawn: the prompt, or all there are after a restart */
    int32_t n_given;
    int32_t n_told;               /* positions that every-position logits were told of */
    bool crosses;                 /* may grow past the runner's rope_tokens: shares no pages */
    /* the runner's rope_restarts: its cache is computed for more than rope_tokens */
    bool restarted;

    int32_t past;                 /* tokens whose keys and values are in the cache */
    int32_t *page;                /* the pages held, in order; space for most_pages */
    int32_t n_page, most_pages;
    int32_t n_published;          /* of the held pages, from the first: known to other requests */
    int32_t n_cached;             /* prompt tokens that were in the cache at admission */

    int32_t chunk, first_row, first_out, n_out;    /* its part of the present step; chunk 0: none */
    int32_t drawn;                                 /* the step's token; -1: none yet */

    struct tern_decode_stream *text;               /* null: no tokenizer */
    tern_stops stops;
    bool cancelled;
    tern_finish finish;           /* not NONE: the last event is sent */
} tern_job;

/* Checks the request against the limits and copies what it borrows. context and pool are in
 * tokens. */
tern_status tern_job_create(const tern_runner *runner, const tern_request *request, int64_t context,
                            int64_t pool, tern_job **out);
void tern_job_free(tern_job *job);    /* its pages must have been given back */

/* Whether the step's last row of this job draws a token. */
bool tern_job_draws(const tern_job *job);

/* Takes in the logits of the row at position: an event for a prompt's row, else the token drawn
 * from it is kept and told. A failure is the job's own and ends it by an event; job->finish
 * tells. */
void tern_job_logits(const tern_runner *runner, tern_job *job, int32_t position,
                     const float *logits);

/* Sends the last event. */
void tern_job_end(tern_job *job, tern_finish finish, const char *error);

#endif
