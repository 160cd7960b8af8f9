/* Who runs in a step, and with how many tokens: see state.h. Called by tern_engine_step; calls the
 * page pool.
 *
 * The policy is Dynamic SplitFuse: steps of nearly constant size, in which long prompts are split
 * and short ones fused with decoding.
 * Source: Holmes et al., "DeepSpeed-FastGen: High-throughput Text Generation for LLMs via MII and
 * DeepSpeed-Inference", 2024. */
#include "engine/state.h"

static int32_t min32(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Pages of the prompt's beginning that are known already. The last prompt token is always run,
 * because its logits are wanted; where every position's are, nothing can be skipped. */
static void share_prefix(tern_engine *e, tern_job *job)
{
    if (!e->share || job->crosses || job->request.logits == TERN_LOGITS_ALL) return;
    int32_t most = (job->n_prompt - 1) / TERN_KV_PAGE;
    while (job->n_page < most) {
        int32_t parent = job->n_page ? job->page[job->n_page - 1] : TERN_NO_PAGE;
        int32_t page = tern_pages_find(e->pages, parent, job->id + job->n_page * TERN_KV_PAGE);
        if (page == TERN_NO_PAGE) break;
        job->page[job->n_page++] = page;
    }
}

static bool admit(tern_engine *e, tern_job *job)
{
    share_prefix(e, job);
    if (!tern_pages_reserve(e->pages, job->most_pages - job->n_page)) {
        while (job->n_page) tern_pages_release(e->pages, job->page[--job->n_page]);
        return false;
    }
    job->n_published = job->n_page;
    job->past = job->n_cached = job->n_page * TERN_KV_PAGE;
    return true;
}

void tern_schedule_admit(tern_engine *e)
{
    while (e->first && e->n_running < e->plan.max_requests && admit(e, e->first)) {
        tern_job *job = e->first;
        e->first = job->next;
        if (!e->first) e->last = NULL;
        e->n_queued--;
        job->next = NULL;
        e->running[e->n_running++] = job;
    }
}

void tern_schedule_release(tern_engine *e, tern_job *job)
{
    tern_pages_unreserve(e->pages, job->most_pages - job->n_page);
    while (job->n_page) tern_pages_release(e->pages, job->page[--job->n_page]);
    job->most_pages = 0;
}

/* What a step has left to give. */
typedef struct budget {
    int32_t tokens;
    int32_t extra_rows;    /* rows of logits beyond one a request */
} budget;

static void grant(budget *left, tern_job *job, int32_t n)
{
    n = min32(n, min32(left->tokens, job->n_id - job->past - job->chunk));
    if (job->request.logits == TERN_LOGITS_ALL) {
        int32_t own_row = job->chunk == 0;
        n = min32(n, left->extra_rows + own_row);
        if (n > own_row) left->extra_rows -= n - own_row;
    }
    if (n <= 0) return;
    left->tokens -= n;
    job->chunk += n;
}

static bool in_prompt(const tern_job *job)
{
    return job->past < job->n_given;
}

/* A request that grows past the runner's rope_tokens under longrope has its cache computed again,
 * in the pages that it holds: it shares none. */
static void restart(const tern_engine *e, tern_job *job)
{
    if (!e->runner.rope_restarts || job->restarted || job->n_id <= e->runner.rope_tokens) return;
    job->restarted = true;
    job->n_given = job->n_id;
    job->past = 0;
}

/* A token for each decoding request that has none yet, until only kept tokens are left; the turn
 * goes to the first that got none. */
static void grant_decoding(tern_engine *e, budget *left, int32_t kept)
{
    int32_t n = e->n_running, turn = n ? e->turn % n : 0;
    for (int32_t i = 0; i < n && left->tokens > kept; i++) {
        int32_t at = (turn + i) % n;
        if (in_prompt(e->running[at]) || e->running[at]->chunk) continue;
        grant(left, e->running[at], 1);
        e->turn = at + 1;
    }
}

static void grant_prompts(tern_engine *e, budget *left, int32_t waiting)
{
    for (int32_t i = 0; i < e->n_running; i++)
        if (in_prompt(e->running[i])) grant(left, e->running[i], --waiting ? (left->tokens + 1) / 2 : left->tokens);
    for (int32_t i = 0; i < e->n_running && left->tokens; i++)
        if (in_prompt(e->running[i])) grant(left, e->running[i], left->tokens);
}

/* Pages for the positions that the chunk reaches: promised at admission, so they are there. */
static void take_pages(tern_engine *e, tern_job *job)
{
    int32_t n = (job->past + job->chunk + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
    while (job->n_page < n) job->page[job->n_page++] = tern_pages_take(e->pages);
}

static int32_t rows_wanted(const tern_job *job)
{
    int32_t end = job->past + job->chunk;
    if (job->request.logits == TERN_LOGITS_ALL) return min32(job->chunk, end > job->n_told ? end - job->n_told : 0);
    bool any = job->request.max_new_tokens > 0 || job->request.logits == TERN_LOGITS_LAST;
    return any && end == job->n_id;
}

static void lay(tern_engine *e, tern_job *job)
{
    tern_batch *b = &e->batch;
    take_pages(e, job);
    job->first_row = b->n_row;
    job->first_out = b->n_out;
    job->n_out = rows_wanted(job);

    b->row[b->n_seq] = b->n_row;
    b->n_tok[b->n_seq] = job->chunk;
    b->past[b->n_seq] = job->past;
    b->length[b->n_seq] = in_prompt(job) ? job->n_given : job->past + job->chunk;
    b->page[b->n_seq] = job->page;
    b->job[b->n_seq++] = job;
    for (int32_t i = 0; i < job->chunk; i++) b->id[b->n_row++] = job->id[job->past + i];
    for (int32_t i = 0; i < job->n_out; i++) b->out_row[b->n_out++] = b->n_row - job->n_out + i;
}

void tern_schedule_batch(tern_engine *e)
{
    budget left = { e->plan.step_tokens, e->plan.n_logit_row - min32(e->plan.max_requests, e->plan.step_tokens) };
    int32_t prompts = 0;
    for (int32_t i = 0; i < e->n_running; i++) {
        e->running[i]->chunk = 0;
        restart(e, e->running[i]);
        prompts += in_prompt(e->running[i]);
    }
    grant_decoding(e, &left, prompts ? (left.tokens + 3) / 4 : 0);
    grant_prompts(e, &left, prompts);
    grant_decoding(e, &left, 0);

    e->batch.n_seq = e->batch.n_row = e->batch.n_out = 0;
    for (int32_t i = 0; i < e->n_running; i++)
        if (e->running[i]->chunk && !in_prompt(e->running[i])) lay(e, e->running[i]);
    for (int32_t i = 0; i < e->n_running; i++)
        if (e->running[i]->chunk && in_prompt(e->running[i])) lay(e, e->running[i]);
}

void tern_schedule_advance(tern_engine *e, tern_job *job)
{
    job->past += job->chunk;
    for (int32_t i = job->n_published; e->share && !job->crosses && (i + 1) * TERN_KV_PAGE <= job->past; i++) {
        int32_t parent = i ? job->page[i - 1] : TERN_NO_PAGE;
        job->page[i] = tern_pages_publish(e->pages, parent, job->page[i], job->id + i * TERN_KV_PAGE);
        job->n_published = i + 1;
    }
}
