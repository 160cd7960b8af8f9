/* Requests: checks, copies, text and events. Called by the engine; calls sampling, the tokenizer's
 * stream and the stop strings. */
#include "engine/request.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "engine/sampling.h"
#include "text/tokenizer/stream.h"

static tern_status check_request(const tern_runner *r, const tern_request *q, int64_t context, int64_t pool)
{
    tern_ctx *ctx = r->ctx;
    if (!q->ids || !q->n_ids) return tern_fail(ctx, TERN_ERR_ARGUMENT, "the prompt is empty");
    if (q->max_new_tokens < 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "max_new_tokens is %" PRId64 ", not 0 or more", q->max_new_tokens);
    if (q->logits < TERN_LOGITS_NONE || q->logits > TERN_LOGITS_ALL)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "logits is %d, not 0, 1 or 2", (int)q->logits);
    if (q->n_stop && !q->stop) return tern_fail(ctx, TERN_ERR_ARGUMENT, "stop is null, and n_stop is %zu", q->n_stop);
    if (q->n_stop && !q->tokenizer) return tern_fail(ctx, TERN_ERR_ARGUMENT, "stop strings need a tokenizer");

    int64_t most = context < pool ? context : pool;
    const char *limit = context <= pool ? "the context" : "the KV pool";
    if (q->n_ids > (size_t)most || q->max_new_tokens > most - (int64_t)q->n_ids)
        return tern_fail(ctx, TERN_ERR_LIMIT, "a prompt of %zu tokens and %" PRId64 " new ones are more than %s of %"
                         PRId64, q->n_ids, q->max_new_tokens, limit, most);
    for (size_t i = 0; i < q->n_ids; i++)
        if (q->ids[i] < 0 || q->ids[i] >= r->vocab)
            return tern_fail(ctx, TERN_ERR_ARGUMENT, "token %zu of the prompt is %d, outside the vocabulary of %"
                             PRId64, i, q->ids[i], r->vocab);
    return tern_sampling_check(ctx, &q->sampling);
}

tern_status tern_job_create(const tern_runner *r, const tern_request *q, int64_t context, int64_t pool, tern_job **out)
{
    tern_status st = check_request(r, q, context, pool);
    if (st != TERN_OK) return st;
    tern_job *job = tern_alloc(r->ctx, 1, sizeof *job, "a request");
    if (!job) return TERN_ERR_MEMORY;
    job->request = *q;
    job->request.ids = NULL;
    job->request.stop = NULL;
    job->n_prompt = job->n_id = job->n_given = (int32_t)q->n_ids;
    job->n_most = job->n_prompt + (int32_t)q->max_new_tokens;
    job->crosses = r->rope_tokens && job->n_most > r->rope_tokens;
    job->most_pages = (job->n_most + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
    job->id = tern_alloc(r->ctx, (size_t)job->n_most, sizeof *job->id, "a request's tokens");
    job->page = tern_alloc(r->ctx, (size_t)job->most_pages, sizeof *job->page, "a request's pages");
    if (!job->id || !job->page) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    memcpy(job->id, q->ids, q->n_ids * sizeof *job->id);
    TERN_TRY(tern_stops_init(r->ctx, &job->stops, q->stop, q->n_stop));
    if (q->tokenizer) TERN_TRY(tern_decode_stream_create(r->ctx, q->tokenizer, true, &job->text));
    if (job->text) tern_decode_stream_join_bytes(job->text);
    *out = job;
    job = NULL;
done:
    tern_job_free(job);
    return st;
}

void tern_job_free(tern_job *job)
{
    if (!job) return;
    tern_decode_stream_free(job->text);
    tern_stops_clear(&job->stops);
    tern_free(job->page);
    tern_free(job->id);
    tern_free(job);
}

static void send(tern_job *job, tern_event *event)
{
    event->request = job->request_id;
    event->n_prompt = job->n_prompt;
    event->n_cached = job->n_cached;
    event->n_output = job->n_id - job->n_prompt;
    if (!event->text) event->text = "";
    job->finish = event->finish;
    if (job->request.on_event && !job->request.on_event(job->request.user, event)) job->cancelled = true;
}

void tern_job_end(tern_job *job, tern_finish finish, const char *error)
{
    send(job, &(tern_event){ .token = -1, .position = job->n_id - 1, .finish = finish, .error = error });
}

/* Ends the job by the sentence that the context holds. */
static void fail(const tern_runner *r, tern_job *job)
{
    char message[sizeof r->ctx->error];
    memcpy(message, r->ctx->error, sizeof message);
    tern_job_end(job, TERN_FINISH_ERROR, message);
}

static bool is_eos(const tern_runner *r, int32_t token)
{
    for (size_t i = 0; i < r->n_eos; i++)
        if (r->eos[i] == token) return true;
    return false;
}

/* Whether a stop string is complete in the text that the stream holds back, which may still change:
 * what is asked for is the text as it stands. */
static tern_status held_text_stops(const tern_runner *r, tern_job *job, bool *stops)
{
    tern_status st = TERN_OK;
    const char *held = "";
    size_t n = 0;
    TERN_TRY(tern_decode_stream_held(job->text, &held, &n));
    if (n) TERN_TRY(tern_stops_would_stop(r->ctx, &job->stops, held, n, stops));
done:
    return st;
}

/* What may be printed after this token (-1: it has no text); after the last one also what was held
 * back. *stopped: a stop string is complete. This is the only place where a request's tokens become
 * text. */
static tern_status next_text(const tern_runner *r, tern_job *job, int32_t token, bool last, tern_event *event,
                             bool *stopped)
{
    tern_status st = TERN_OK;
    const char *piece = "";
    size_t n = 0;
    if (!job->text) return st;
    if (token >= 0) TERN_TRY(tern_decode_stream_step(job->text, token, &piece, &n));
    event->text = piece;
    event->n_bytes = n;
    if (!job->stops.n && !last) return st;
    TERN_TRY(tern_stops_add(r->ctx, &job->stops, piece, n));
    if (!last && !n) TERN_TRY(held_text_stops(r, job, &last));
    if (last) {
        TERN_TRY(tern_decode_stream_finish(job->text, &piece, &n));
        TERN_TRY(tern_stops_add(r->ctx, &job->stops, piece, n));
    }
    *stopped = tern_stops_take(&job->stops, last, &event->text, &event->n_bytes);
done:
    return st;
}

static void take_token(const tern_runner *r, tern_job *job, int32_t position, const float *logits)
{
    tern_event event = { .token = job->drawn, .position = job->n_id, .text = "" };
    bool stopped = false;
    tern_status st = TERN_OK;
    if (job->drawn < 0)
        TERN_TRY(tern_sample(r->ctx, &job->request.sampling, logits, r->vocab, job->id, (size_t)job->n_id, job->n_id,
                             &event.token));
    job->id[job->n_id++] = event.token;
    bool eos = !job->request.ignore_eos && is_eos(r, event.token), full = job->n_id == job->n_most;
    TERN_TRY(next_text(r, job, eos ? -1 : event.token, eos || full, &event, &stopped));
    if (eos || stopped) event.finish = TERN_FINISH_STOP;
    else if (full) event.finish = TERN_FINISH_LENGTH;
    if (job->request.logits != TERN_LOGITS_NONE) {
        event.logits = logits;
        event.position = position;
    }
    send(job, &event);
done:
    if (st != TERN_OK) fail(r, job);
}

/* The first NaN among n numbers, or n. */
static int64_t find_nan(const float *x, int64_t n)
{
    int64_t i = 0;
    while (i < n && !isnan(x[i])) i++;
    return i;
}

bool tern_job_draws(const tern_job *job)
{
    return job->n_out && job->past == job->n_id && job->n_id < job->n_most && job->finish == TERN_FINISH_NONE &&
           !job->cancelled;
}

void tern_job_logits(const tern_runner *r, tern_job *job, int32_t position, const float *logits)
{
    bool last = position == job->n_id - 1;
    if (last && job->n_id < job->n_most) {
        take_token(r, job, position, logits);
        return;
    }
    int64_t nan = find_nan(logits, r->vocab);
    if (nan < r->vocab) {
        tern_fail(r->ctx, TERN_ERR_NUMERIC, "logit %" PRId64 " at position %d is NaN", nan, position);
        fail(r, job);
        return;
    }
    send(job, &(tern_event){ .token = -1, .position = position, .logits = logits,
                             .finish = last ? TERN_FINISH_LENGTH : TERN_FINISH_NONE });
}
