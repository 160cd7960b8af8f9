/* The engine's life and its step: see tern/engine.h. Called by every client of a model; calls the
 * scheduler, the runner and the requests. */
#include "engine/state.h"

#include <inttypes.h>

#include "base/ctx.h"
#include "base/memory.h"

static tern_status make_batch(tern_engine *e)
{
    tern_ctx *ctx = e->runner.ctx;
    tern_batch *b = &e->batch;
    size_t seqs = (size_t)e->plan.max_requests, rows = (size_t)e->plan.step_tokens, outs = (size_t)e->plan.n_logit_row;
    const char *what = "the batch of a step";
    b->id = tern_alloc(ctx, rows, sizeof *b->id, what);
    b->out_row = tern_alloc(ctx, outs, sizeof *b->out_row, what);
    b->row = tern_alloc(ctx, seqs, sizeof *b->row, what);
    b->n_tok = tern_alloc(ctx, seqs, sizeof *b->n_tok, what);
    b->past = tern_alloc(ctx, seqs, sizeof *b->past, what);
    b->length = tern_alloc(ctx, seqs, sizeof *b->length, what);
    b->page = tern_alloc(ctx, seqs, sizeof *b->page, what);
    b->job = tern_alloc(ctx, seqs, sizeof *b->job, what);
    b->draw = tern_alloc(ctx, seqs, sizeof *b->draw, what);
    e->running = tern_alloc(ctx, seqs, sizeof *e->running, what);
    b->logits = tern_alloc_aligned(ctx, 64, outs * (size_t)e->runner.vocab, sizeof *b->logits, "the logits of a step");
    bool all = b->id && b->out_row && b->row && b->n_tok && b->past && b->length && b->page && b->job && b->draw &&
               e->running && b->logits;
    return all ? TERN_OK : TERN_ERR_MEMORY;
}

tern_status tern_engine_create_on(const tern_runner *runner, const tern_engine_options *options, tern_engine **out)
{
    tern_status st = TERN_OK;
    tern_engine *e = tern_alloc(runner->ctx, 1, sizeof *e, "an engine");
    if (!e) return TERN_ERR_MEMORY;
    e->runner = *runner;
    e->share = !(options && options->no_prefix_sharing);
    TERN_TRY(tern_plan_engine(runner, options, tern_available_memory_now("", runner->mapped_bytes), &e->plan));
    TERN_TRY(tern_pages_create(runner->ctx, e->plan.n_page, &e->pages));
    TERN_TRY(make_batch(e));
    e->kv = runner->kv;
    e->kv.n_page = (int32_t)e->plan.n_page;
    e->kv.data = tern_alloc_huge(runner->ctx, e->plan.kv_bytes, "the KV cache");
    if (!e->kv.data) st = TERN_ERR_MEMORY;
    else {
        *out = e;
        e = NULL;
    }
done:
    tern_engine_free(e);
    return st;
}

static void drop(tern_engine *e, tern_job *job)
{
    tern_schedule_release(e, job);
    tern_job_free(job);
}

/* Takes the job behind *link out of the queue; before is the one in front of it. */
static tern_job *unlink_job(tern_engine *e, tern_job **link, tern_job *before)
{
    tern_job *job = *link;
    *link = job->next;
    if (e->last == job) e->last = before;
    e->n_queued--;
    return job;
}

/* A queued job holds no page and was promised none. */
static void cancel_queued(tern_job *job)
{
    tern_job_end(job, TERN_FINISH_CANCELLED, NULL);
    tern_job_free(job);
}

void tern_engine_free(tern_engine *e)
{
    if (!e) return;
    e->closing = true;
    while (e->first) cancel_queued(unlink_job(e, &e->first, NULL));
    for (int32_t i = 0; i < e->n_running; i++) {
        tern_job_end(e->running[i], TERN_FINISH_CANCELLED, NULL);
        drop(e, e->running[i]);
    }
    tern_batch *b = &e->batch;
    tern_free(b->id);
    tern_free(b->out_row);
    tern_free(b->row);
    tern_free(b->n_tok);
    tern_free(b->past);
    tern_free(b->length);
    tern_free(b->page);
    tern_free(b->job);
    tern_free(b->draw);
    tern_free(b->logits);
    tern_free(e->running);
    tern_pages_destroy(e->pages);
    tern_free(e->kv.data);
    tern_free(e);
}

tern_engine_info tern_engine_get_info(const tern_engine *e)
{
    tern_page_counts n = tern_pages_count(e->pages);
    return (tern_engine_info){ .context_tokens = e->plan.context_tokens, .kv_tokens = e->plan.n_page * TERN_KV_PAGE,
                               .step_tokens = e->plan.step_tokens,
                               .kv_bytes = e->plan.kv_bytes, .workspace_bytes = e->plan.workspace_bytes,
                               .max_requests = e->plan.max_requests,
                               .n_free_pages = n.n_free + n.n_idle - n.n_reserved, .n_pages = n.n };
}

tern_status tern_engine_submit(tern_engine *e, const tern_request *request, uint64_t *id)
{
    tern_job *job;
    if (e->closing) return tern_fail(e->runner.ctx, TERN_ERR_STATE, "the engine is being freed");
    tern_status st = tern_job_create(&e->runner, request, e->plan.context_tokens, e->plan.n_page * TERN_KV_PAGE, &job);
    if (st != TERN_OK) return st;
    job->request_id = ++e->n_submitted;
    if (e->last) e->last->next = job;
    else e->first = job;
    e->last = job;
    e->n_queued++;
    if (id) *id = job->request_id;
    return TERN_OK;
}

void tern_engine_cancel(tern_engine *e, uint64_t id)
{
    for (tern_job *job = e->first; job; job = job->next)
        if (job->request_id == id) job->cancelled = true;
    for (int32_t i = 0; i < e->n_running; i++)
        if (e->running[i]->request_id == id) e->running[i]->cancelled = true;
}

/* Drops the jobs that have sent their last event; the others keep their order. */
static void sweep(tern_engine *e)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < e->n_running; i++) {
        if (e->running[i]->finish == TERN_FINISH_NONE) e->running[kept++] = e->running[i];
        else drop(e, e->running[i]);
    }
    e->n_running = kept;
}

static void end_cancelled(tern_engine *e)
{
    tern_job *before = NULL;
    for (tern_job **link = &e->first; *link;) {
        if ((*link)->cancelled) {
            cancel_queued(unlink_job(e, link, before));
        } else {
            before = *link;
            link = &before->next;
        }
    }
    for (int32_t i = 0; i < e->n_running; i++)
        if (e->running[i]->cancelled) tern_job_end(e->running[i], TERN_FINISH_CANCELLED, NULL);
    sweep(e);
}

static tern_status run_batch(tern_engine *e)
{
    const tern_batch *b = &e->batch;
    tern_ragged ragged = { .n_seq = b->n_seq, .n_row = b->n_row, .row = b->row, .n_tok = b->n_tok, .past = b->past,
                           .page = b->page };
    tern_step step = { .batch = &ragged, .kv = &e->kv, .id = b->id, .length = b->length, .out_row = b->out_row,
                       .n_out = b->n_out, .logits = b->n_out ? b->logits : NULL };
    return e->runner.step(e->runner.user, &step);
}

/* Draws the tokens of all jobs that want one, before anything is told of any. */
static void draw_tokens(tern_engine *e)
{
    tern_batch *b = &e->batch;
    int32_t n = 0;
    for (int32_t i = 0; i < b->n_seq; i++) {
        tern_job *job = b->job[i];
        job->drawn = -1;
        if (!tern_job_draws(job)) continue;
        b->draw[n++] = (tern_draw){ .sampling = &job->request.sampling,
                                    .logits = b->logits + (int64_t)(job->first_out + job->n_out - 1) * e->runner.vocab,
                                    .seen = job->id, .n_seen = (size_t)job->n_id, .position = job->n_id,
                                    .token = &job->drawn };
    }
    tern_sample_rows(e->runner.ctx, b->draw, n, e->runner.vocab);
}

/* Hands a job its rows of logits; a job that only fills the cache has none and ends with its
 * prompt. */
static void take_results(tern_engine *e, tern_job *job)
{
    int32_t n_out = job->n_out, position = job->past - n_out;
    for (int32_t i = 0; i < n_out && job->finish == TERN_FINISH_NONE && !job->cancelled; i++)
        tern_job_logits(&e->runner, job, position + i,
                        e->batch.logits + (int64_t)(job->first_out + i) * e->runner.vocab);
    if (job->past > job->n_told) job->n_told = job->past;
    if (!n_out && job->past == job->n_most && job->finish == TERN_FINISH_NONE)
        tern_job_end(job, TERN_FINISH_LENGTH, NULL);
}

tern_status tern_engine_step(tern_engine *e, size_t *n_left)
{
    end_cancelled(e);
    tern_schedule_admit(e);
    tern_schedule_batch(e);
    if (e->batch.n_row) {
        tern_status st = run_batch(e);
        if (st != TERN_OK) return st;
    }
    for (int32_t i = 0; i < e->batch.n_seq; i++) tern_schedule_advance(e, e->batch.job[i]);
    draw_tokens(e);
    for (int32_t i = 0; i < e->batch.n_seq; i++) take_results(e, e->batch.job[i]);
    sweep(e);
    if (n_left) *n_left = (size_t)e->n_running + e->n_queued;
    return TERN_OK;
}

tern_status tern_engine_run(tern_engine *e)
{
    size_t n_left = 1;
    tern_status st = TERN_OK;
    while (n_left && st == TERN_OK) st = tern_engine_step(e, &n_left);
    return st;
}
