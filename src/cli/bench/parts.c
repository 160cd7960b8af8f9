/* Attention and mixtures of experts on the rows of kernels/rows.h, one thread: tern bench --kernels
 * attention, experts. kernels.c calls it for each instruction set. Keys and values of single
 * tokens, and experts, come from the next of several layers at each call, so that none is in a
 * cache. */
#include "cli/bench/parts.h"

#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/bench/timed.h"

static const double cold_bytes = 5e8, large_bytes = 1e6;

typedef struct part {
    tern_ctx *ctx;
    attention_case attention;
    experts_case experts;
    tern_status st;
} part;

static void call_attention(void *arg)
{
    part *p = arg;
    if (!p->st) p->st = attention_run(p->ctx, &p->attention);
}

static void call_experts(void *arg)
{
    part *p = arg;
    if (!p->st) p->st = experts_run(p->ctx, &p->experts);
}

static void time_attention(part *p, const attention_shape *s, bench_timed *t)
{
    bool reads = s->n_tok == 1;
    p->st = attention_open(p->ctx, &p->attention, s, reads ? (int)(cold_bytes / attention_bytes(s)) + 1 : 1);
    t->name = "attention";
    t->why = s->why;
    t->flops = attention_flops(s);
    t->bytes = reads ? attention_bytes(s) : 0;
    snprintf(t->shape, sizeof t->shape, "%d x %d/%d x %d, %d+%d", s->n_seq, s->n_head, s->n_kv_head, s->dim, s->past,
             s->n_tok);
    if (!p->st) t->seconds = bench_time(call_attention, p, true);
    attention_close(&p->attention);
}

static void time_experts(part *p, const experts_shape *s, bench_timed *t)
{
    double bytes = (double)(experts_weights(s) * sizeof(uint16_t));
    int chosen = s->n_tok * s->k < s->n_expert ? s->n_tok * s->k : s->n_expert;
    bool reads = s->n_tok == 1 && bytes > large_bytes;
    p->st = experts_open(p->ctx, &p->experts, s, reads ? (int)(cold_bytes / bytes / chosen) + 1 : 1);
    t->name = "experts";
    t->why = s->why;
    t->flops = experts_flops(s);
    t->bytes = reads ? bytes * chosen : 0;
    snprintf(t->shape, sizeof t->shape, "%d x %d, %d of %d, %d", s->dim, s->ffn, s->k, s->n_expert, s->n_tok);
    if (!p->st) t->seconds = bench_time(call_experts, p, true);
    experts_close(&p->experts);
}

bool bench_parts(const tern_kernels *table, bench_limits *limits, bool attention, bool experts, json_out *json)
{
    part p = { 0 };
    bench_timed t = { .isa = tern_isa_short(table), .threads = 1, .read = bench_read_limit(limits, 1) };
    size_t n_attention = attention ? N_ROWS(attention_rows) : 0, n = n_attention + (experts ? N_ROWS(experts_rows) : 0);
    tern_status st = tern_ctx_create(&(tern_ctx_options){ .isa = t.isa, .threads = 1 }, &p.ctx);
    if (st) return false;
    for (size_t i = 0; i < n && !p.st; i++) {
        bool bf16 = i >= n_attention && !experts_rows[i - n_attention].f32;
        t.peak = bench_own_peak(limits, 1, table, bf16 ? "bf16" : "f32");
        if (i < n_attention) time_attention(&p, &attention_rows[i], &t);
        else time_experts(&p, &experts_rows[i - n_attention], &t);
        if (!p.st) bench_timed_put(json, &t);
    }
    st = p.st;
    tern_ctx_free(p.ctx);
    return st == TERN_OK;
}
