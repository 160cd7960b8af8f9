/* The results as a table for people: see bench.h. */
#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/machine.h"

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void print_model(const bench_report *r)
{
    const tern_model_info *m = &r->model;
    printf("model     %s, %.1f million parameters, stored %s, compute %s, KV cache %s\n", r->architecture,
           (double)m->n_param / 1e6, m->stored, m->compute, m->kv);
    printf("          a token: %.1f MB of weights read, %.1f kB of keys and values, %.1f million multiply-adds\n",
           (double)m->read_bytes_per_token / 1e6, (double)m->kv_bytes_per_token / 1e3, m->flops_per_token / 2e6);
}

static void print_first(const bench_report *r)
{
    double needed = (double)r->model.weight_bytes + (double)r->kv_bytes;
    if (r->n_first)
        printf("\nfirst token of a process that starts cold: a prompt of %d tokens, weights in the page cache\n",
               BENCH_FIRST_TOKENS);
    for (size_t i = 0; i < r->n_first; i++) {
        const bench_first *f = &r->first[i];
        bench_spread ms = bench_scaled(f->first_s, 1e3), mb = bench_scaled(f->memory_bytes, 1e-6);
        printf("  %d thread%-2s %9.1f ms (%.1f .. %.1f), ended after %.1f ms; %.1f MB (%.1f .. %.1f) in memory, at "
               "most %.2f of weights and KV cache%s\n", f->threads, plural(f->threads), ms.median, ms.low, ms.high,
               f->whole_s.median * 1e3, mb.median, mb.low, mb.high, f->memory_bytes.high / needed,
               f->disturbed ? ", disturbed" : "");
    }
}

static void print_rate(const char *work, const char *what, bench_spread s)
{
    char around[64];
    snprintf(around, sizeof around, "(%.1f .. %.1f)", s.low, s.high);
    printf("  %-28s %9.1f %s %-22s", work, s.median, what, around);
}

static void print_share(double share, const char *of)
{
    if (share > 0) printf(" %5.1f %% of the %s%s", 100 * share, of, share > 1 ? " (above it)" : "");
}

/* A share, and what it is of. */
static void print_share_of(double share, const char *of, bench_limit limit, const char *unit)
{
    bench_spread s = limit.rate;
    print_share(share, of);
    if (share > 0)
        printf(", %.1f (%.1f .. %.1f) %s%s", s.median / 1e9, s.low / 1e9, s.high / 1e9, unit,
               limit.moved ? ", moved" : "");
}

static void print_end(const bench_result *r)
{
    printf("%s\n", r->disturbed ? "  disturbed" : "");
}

static void print_generated(const bench_result *r)
{
    char work[64];
    snprintf(work, sizeof work, "prompt %lld x %lld", (long long)r->batch, (long long)r->prompt_tokens);
    print_rate(work, "tokens/s", r->prompt_per_s);
    print_share_of(bench_prompt_peak_share(r), "peak", r->peak, "GFLOP/s");
    print_end(r);
    snprintf(work, sizeof work, "decode %lld x %lld at %lld", (long long)r->batch, (long long)r->decode_tokens,
             (long long)r->prompt_tokens);
    print_rate(work, "tokens/s", r->decode_per_s);
    print_share(bench_decode_peak_share(r), "peak");
    print_share_of(bench_decode_bandwidth_share(r), "bandwidth", r->bandwidth, "GB/s");
    print_end(r);
}

static void print_sentences(const bench_result *r)
{
    char work[64];
    snprintf(work, sizeof work, "%lld sentence%s of %lld tokens", (long long)r->batch, plural(r->batch),
             (long long)r->prompt_tokens);
    print_rate(work, "sentences/s", r->prompt_per_s);
    print_share_of(bench_prompt_peak_share(r), "peak", r->peak, "GFLOP/s");
    printf("  %.2f ms (%.2f .. %.2f)", r->seconds.median * 1e3, r->seconds.low * 1e3, r->seconds.high * 1e3);
    print_end(r);
}

void bench_print_text(const bench_report *r)
{
    char cpu[128];
    printf("machine   %s, %s in use\n", cli_cpu_name(cpu, sizeof cpu), r->isa);
    bench_print_limits(&r->limits);
    print_model(r);
    print_first(r);
    for (size_t i = 0; i < r->n_result; i++) {
        const bench_result *row = &r->result[i];
        if (!i || row->threads != row[-1].threads) {
            printf("\n%d thread%s", row->threads, plural(row->threads));
            if (row->best)
                printf(": the peak is that of %s's %s, and both limits are measured around each row",
                       tern_isa_short(row->best->table), row->best->type);
            printf("\n");
        }
        if (row->encoder) print_sentences(row);
        else print_generated(row);
    }
}
