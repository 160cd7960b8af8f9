/* This machine's limits: see limits.h. Memory is read from a mapping of page cache, as weights are;
 * peaks come from kernels of registers only. */
#include "cli/bench/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ctx.h"
#include "cli/machine.h"

enum { PASSES = 3, MOST_WORKERS = 1024 };

static const double sample_s = 0.1, moved_share = 0.1;

/* ---- Reading ---- */

/* A tile is read as five streams, a word of each cache line, some lines ahead of the loads: of many
 * ways to read, the fastest on the machines at hand, by one thread and by two. One stream alone
 * does not fill the memory's queues (7 % less), streams a power of two apart meet in the same sets
 * and banks (up to 4 %), and loading whole lines costs what a core could spend on asking for the
 * next (up to 1 %). */
enum { READ_APART = 50 * 4096, READ_STREAMS = 5, READ_TILE = READ_STREAMS * READ_APART, READ_AHEAD = 1024, LINE = 64,
       LEAST_TILES = 64 };

typedef struct reading {
    const unsigned char *data;
    uint64_t sum[MOST_WORKERS];    /* by worker: what keeps the loads from being left out */
} reading;

static bench_mapping mapping_open(void)
{
    bench_mapping m = { 0 };
    double memory = cli_free_memory() / 4;
    size_t n_tile = (size_t)((memory >= 0 && memory < 1 << 30 ? memory : 1 << 30) / READ_TILE),
        n_bytes = n_tile * READ_TILE;
    int fd = memfd_create("tern-bench", MFD_CLOEXEC);
    if (fd >= 0 && n_tile >= LEAST_TILES && !ftruncate(fd, (off_t)n_bytes)) {
        void *data = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data != MAP_FAILED) m = (bench_mapping){ data, n_bytes };
    }
    if (fd >= 0) close(fd);
    uint16_t *number = (uint16_t *)(void *)m.data;
    /* 0.01 as bf16 and f32, 1.03 as f16 */
    for (size_t i = 0; m.data && i < READ_TILE / 2; i++) number[i] = (uint16_t)(0x3C23 + (i & 0xF));
    for (size_t at = READ_TILE; at < m.n_bytes; at += READ_TILE) memcpy(m.data + at, m.data, READ_TILE);
    return m;
}

static void read_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    reading *r = arg;
    uint64_t a[READ_STREAMS] = { 0 };
    for (int64_t tile = lo; tile < hi; tile++) {
        const unsigned char *data = r->data + tile * READ_TILE;
        for (int64_t at = 0; at < READ_APART; at += LINE)
#pragma GCC unroll 5
            for (int s = 0; s < READ_STREAMS; s++) {
                const unsigned char *p = data + s * READ_APART + at;
                __builtin_prefetch(p + READ_AHEAD);
                a[s] ^= *(const uint64_t *)(const void *)p;
            }
    }
    for (int s = 0; s < READ_STREAMS; s++) r->sum[worker] ^= a[s];
}

/* One sample, of sample_s or a little more. */
static void sample_read(tern_ctx *ctx, const bench_mapping *m, bench_samples *out)
{
    reading *r = m->data ? calloc(1, sizeof *r) : NULL;
    double start = cli_seconds(), n_bytes = 0, took = 0;
    if (!r) return;
    r->data = m->data;
    for (; took < sample_s; took = cli_seconds() - start) {
        tern_parallel_for(ctx, (int64_t)(m->n_bytes / READ_TILE), 4, read_tiles, r);
        n_bytes += (double)m->n_bytes;
    }
    bench_add(out, n_bytes / took);
    free(r);
}

/* ---- Multiply-adds ---- */

/* Enough rounds that a kernel's ends do not count, and enough tiles that no thread waits long for
 * the last one. */
enum { PEAK_ROUNDS = 1 << 13, PEAK_TILES = 128 };

typedef struct peak_job {
    k_peak_fn *run;
    float sink[MOST_WORKERS][16];    /* by worker, a cache line apart */
    double operations[MOST_WORKERS];
} peak_job;

static void peak_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    peak_job *p = arg;
    for (; lo < hi; lo++) p->operations[worker] += p->run(PEAK_ROUNDS, p->sink[worker]);
}

/* One sample, of sample_s or a little more. */
static void sample_peak(tern_ctx *ctx, k_peak_fn *run, bench_samples *out)
{
    peak_job *p = calloc(1, sizeof *p);
    double start = cli_seconds(), operations = 0, took = 0;
    if (!p) return;
    p->run = run;
    for (; took < sample_s; took = cli_seconds() - start)
        tern_parallel_for(ctx, PEAK_TILES * tern_ctx_threads(ctx), 1, peak_tiles, p);
    for (int i = 0; i < MOST_WORKERS; i++) operations += p->operations[i];
    bench_add(out, operations / took);
    free(p);
}

/* ---- All of them ---- */

static bench_peak *peak_entry(bench_limits *l, const tern_kernels *table, k_peak_fn *run, const char *type, int threads)
{
    for (size_t i = 0; i < l->n_peak; i++)
        if (l->peak[i].run == run && l->peak[i].threads == threads) return &l->peak[i];
    if (l->n_peak == BENCH_MOST_PEAKS) return NULL;
    l->peak[l->n_peak] = (bench_peak){ .table = table, .run = run, .type = type, .threads = threads };
    return &l->peak[l->n_peak++];
}

static void measure_set(bench_limits *l, tern_ctx *ctx, const tern_kernels *table, k_peak_fn *run, const char *type)
{
    bench_peak *p = run ? peak_entry(l, table, run, type, tern_ctx_threads(ctx)) : NULL;
    if (p) sample_peak(ctx, run, &p->samples);
}

static bench_read *read_entry(bench_limits *l, int threads)
{
    for (size_t i = 0; i < l->n_read; i++)
        if (l->read[i].threads == threads) return &l->read[i];
    if (l->n_read == CLI_MOST_LIST + 1) return NULL;
    l->read[l->n_read] = (bench_read){ .threads = threads };
    return &l->read[l->n_read++];
}

static void measure_pass(bench_limits *l, tern_ctx *ctx)
{
    tern_cpu cpu;
    tern_cpu_probe(&cpu);
    sample_read(ctx, &l->mapping, &read_entry(l, tern_ctx_threads(ctx))->samples);
    for (const tern_kernels *const *p = tern_isa_list; *p; p++) {
        if (!(*p)->usable(&cpu)) continue;
        measure_set(l, ctx, *p, (*p)->peak_f32, "f32");
        measure_set(l, ctx, *p, (*p)->peak_bf16, "bf16");
        measure_set(l, ctx, *p, (*p)->peak_f16, "f16");
    }
}

bool bench_limits_measure(bench_limits *l, const int *threads, size_t n_threads)
{
    l->mapping = mapping_open();
    for (size_t t = 0; t < n_threads; t++) {
        tern_ctx *ctx = NULL;
        if (tern_ctx_create(&(tern_ctx_options){ .threads = threads[t] }, &ctx) != TERN_OK) {
            cli_fail("%s", tern_create_error());
            return false;
        }
        for (int pass = 0; pass < PASSES; pass++) measure_pass(l, ctx);
        tern_ctx_free(ctx);
    }
    for (size_t i = 0; i < l->n_read; i++) l->read[i].rate = bench_spread_of(&l->read[i].samples);
    for (size_t i = 0; i < l->n_peak; i++) l->peak[i].rate = bench_spread_of(&l->peak[i].samples);
    return true;
}

void bench_limits_free(bench_limits *l)
{
    if (l->mapping.data) munmap(l->mapping.data, l->mapping.n_bytes);
    for (size_t i = 0; i < l->n_read; i++) bench_samples_free(&l->read[i].samples);
    for (size_t i = 0; i < l->n_peak; i++) bench_samples_free(&l->peak[i].samples);
    *l = (bench_limits){ 0 };
}

double bench_read_limit(const bench_limits *l, int threads)
{
    for (size_t i = 0; i < l->n_read; i++)
        if (l->read[i].threads == threads) return l->read[i].rate.median;
    return 0;
}

const bench_peak *bench_best_peak(const bench_limits *l, int threads, int rank, const char *type)
{
    const bench_peak *best = NULL;
    for (size_t i = 0; i < l->n_peak; i++) {
        const bench_peak *p = &l->peak[i];
        if (p->threads != threads || p->table->rank > rank || (strcmp(p->type, "f32") && strcmp(p->type, type)))
            continue;
        if (!best || p->rate.median > best->rate.median) best = p;
    }
    return best;
}

double bench_own_peak(const bench_limits *l, int threads, const tern_kernels *table, const char *type)
{
    k_peak_fn *own = NULL;
    if (!strcmp(type, "bf16")) own = table->peak_bf16;
    else if (!strcmp(type, "f16")) own = table->peak_f16;
    for (size_t i = 0; own && i < l->n_peak; i++)
        if (l->peak[i].threads == threads && l->peak[i].run == own) return l->peak[i].rate.median;
    const bench_peak *best = bench_best_peak(l, threads, table->rank, "f32");
    return best ? best->rate.median : 0;
}

/* ---- Around a piece of work ---- */

void bench_around_sample(bench_around *a)
{
    if (a->ctx) sample_read(a->ctx, &a->limits->mapping, &a->read);
    if (a->best) sample_peak(a->ctx, a->best->run, &a->peak);
}

bench_limit bench_limit_of(bench_samples *s)
{
    double change = s->n ? fabs(s->at[s->n - 1] - s->at[0]) : 0;
    bench_limit limit = { .rate = bench_spread_of(s) };
    limit.moved = change > moved_share * limit.rate.median;
    return limit;
}

void bench_around_free(bench_around *a)
{
    bench_samples_free(&a->peak);
    bench_samples_free(&a->read);
}

/* ---- Words ---- */

void bench_put_limits(json_out *j, const bench_limits *l)
{
    out_open(j, "read", '[');
    for (size_t i = 0; i < l->n_read; i++) {
        out_open(j, NULL, '{');
        out_integer(j, "threads", l->read[i].threads);
        bench_put_spread(j, "gb_per_s", l->read[i].rate, 1e-9);
        out_close(j);
    }
    out_close(j);
    out_open(j, "peaks", '[');
    for (size_t i = 0; i < l->n_peak; i++) {
        out_open(j, NULL, '{');
        out_integer(j, "threads", l->peak[i].threads);
        out_word(j, "isa", tern_isa_short(l->peak[i].table));
        out_word(j, "type", l->peak[i].type);
        bench_put_spread(j, "gflop_per_s", l->peak[i].rate, 1e-9);
        out_close(j);
    }
    out_close(j);
}

static void print_limit(int threads, const char *what, const char *type, bench_spread s, const char *unit)
{
    printf("  %-22s %-5s %2d thread%s %9.1f %-8s (%.1f .. %.1f)\n", what, type, threads, threads == 1 ? " " : "s",
           s.median / 1e9, unit, s.low / 1e9, s.high / 1e9);
}

void bench_print_limits(const bench_limits *l)
{
    for (size_t i = 0; i < l->n_read; i++)
        print_limit(l->read[i].threads, "reads a mapped file", "", l->read[i].rate, "GB/s");
    for (size_t i = 0; i < l->n_peak; i++)
        print_limit(l->peak[i].threads, tern_isa_short(l->peak[i].table), l->peak[i].type, l->peak[i].rate, "GFLOP/s");
}
