/* tern_engine: requests in, tokens out. Every user of a model goes through it; a single prompt is a
 * batch of one.
 *
 * Each step makes one ragged batch out of decoding requests and chunks of prompts, up to a token
 * budget, and runs the model once over it. A request's tokens are the same bits whatever shares its
 * batch. KV memory is taken whole at creation; a request that could not finish in it is refused
 * with the figures, and nothing is allocated while decoding. */
#ifndef TERN_ENGINE_H
#define TERN_ENGINE_H

#include <tern/model.h>
#include <tern/sampling.h>
#include <tern/tokenizer.h>

typedef struct tern_engine tern_engine;

typedef struct tern_engine_options {
    /* most tokens of one request, prompt and output; 0: the least of the model's limit, 8192 and
     * what fits in memory */
    int64_t context_tokens;
    /* tokens in the KV pool, all requests together; 0: context_tokens times max_requests, at most
     * what fits */
    int64_t kv_tokens;
    int32_t max_requests;        /* running at once; 0: 16. More wait in the queue */
    /* token budget of a step, and so the longest chunk of a prompt; 0: 512 */
    int32_t step_tokens;
    bool no_prefix_sharing;      /* do not reuse cached pages of equal prompt beginnings */
} tern_engine_options;

typedef struct tern_engine_info {
    int64_t context_tokens, kv_tokens, step_tokens;
    size_t kv_bytes, workspace_bytes;
    int32_t max_requests;
    int64_t n_free_pages, n_pages;
} tern_engine_info;

typedef enum tern_finish { TERN_FINISH_NONE = 0, TERN_FINISH_STOP, TERN_FINISH_LENGTH,
                           TERN_FINISH_CANCELLED, TERN_FINISH_ERROR } tern_finish;

/* One thing that happened to a request. Pointers live until the callback returns. */
typedef struct tern_event {
    uint64_t request;
    int32_t token;               /* the token just drawn; -1: none came with this event */
    /* its position in the sequence, prompt included; with logits: the position that they were
     * computed at */
    int64_t position;
    /* what may be printed now, never half a character; "" where the request has no tokenizer */
    const char *text;
    size_t n_bytes;
    /* [vocab] of position, where the request asks for them; null otherwise */
    const float *logits;
    tern_finish finish;          /* not NONE: the last event of the request */
    const char *error;           /* the sentence, with TERN_FINISH_ERROR */
    /* tokens of the prompt, how many of them were in the cache, tokens drawn so far */
    int64_t n_prompt, n_cached, n_output;
} tern_event;

/* Returns false to cancel the request. Must not call the engine except tern_engine_cancel and
 * tern_engine_submit. */
typedef bool tern_event_fn(void *user, const tern_event *event);

typedef enum tern_logits_wanted { TERN_LOGITS_NONE = 0, TERN_LOGITS_LAST,
                                  TERN_LOGITS_ALL } tern_logits_wanted;

typedef struct tern_request {
    const int32_t *ids;                   /* the prompt; copied */
    size_t n_ids;
    int64_t max_new_tokens;               /* 0 with logits wanted: the prompt is only evaluated */
    tern_sampling sampling;
    bool ignore_eos;                      /* else the model's end-of-sequence ids end the request */
    /* borrowed until the request ends; null: no text, no stop strings */
    const tern_tokenizer *tokenizer;
    /* texts that end the request and are not part of its text; copied */
    const char *const *stop;
    size_t n_stop;
    /* which prompt positions' logits, and (unless NONE) each drawn token's, come in events */
    tern_logits_wanted logits;
    tern_event_fn *on_event;
    void *user;
} tern_request;

TERN_API tern_status tern_engine_create(tern_ctx *ctx, tern_model *model,
                                        const tern_engine_options *options, tern_engine **out);
/* requests still there end with TERN_FINISH_CANCELLED */
TERN_API void tern_engine_free(tern_engine *engine);
TERN_API tern_engine_info tern_engine_get_info(const tern_engine *engine);

/* Puts a request in the queue. TERN_ERR_ARGUMENT an id outside the vocabulary, an empty prompt, a
 * sampling field | TERN_ERR_LIMIT prompt and output together are longer than the context or the
 * pool; the sentence has the numbers. *id (may be null) names it. */
TERN_API tern_status tern_engine_submit(tern_engine *engine, const tern_request *request,
                                        uint64_t *id);
/* its pages are free at the next step */
TERN_API void tern_engine_cancel(tern_engine *engine, uint64_t id);

/* One step: *n_left requests are still queued or running afterwards. A failure of one request is
 * that request's event; a failed step is an error. TERN_ERR_STATE: a file of the model was cut or
 * written to since it was opened; its weights are not read any more, and the engine is to be
 * freed. */
TERN_API tern_status tern_engine_step(tern_engine *engine, size_t *n_left);
/* steps until none is left */
TERN_API tern_status tern_engine_run(tern_engine *engine);

#endif
