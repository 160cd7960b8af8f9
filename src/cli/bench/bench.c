/* tern bench: a prompt and decoding, timed, next to what this machine's memory and arithmetic allow. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "cli/bench/bench.h"
#include "cli/commands.h"
#include "cli/machine.h"
#include "cli/session.h"

enum { MOST_REPEATS = 1000, DEFAULT_PROMPT = 512, DEFAULT_TOKENS = 128, DEFAULT_BATCH = 1, DEFAULT_REPEATS = 3 };

typedef struct figures {
    double prompt_per_s, decode_per_s;    /* tokens of all requests together */
} figures;

/* One measurement: requests that begin together. */
typedef struct timing {
    int64_t n_request, n_begun, n_ended, n_token;
    double begun_at, ended_at;    /* when the last request had its first token; when the first request ended */
    int64_t begun_tokens, ended_tokens;
    bool failed;
    char error[1024];
} timing;

static int64_t value_or(const cli_args *args, cli_flag_id id, int64_t fallback)
{
    const cli_value *v = &args->value[id];
    return !v->set ? fallback : v->n_list ? v->list[0] : v->integer;
}

static bool on_event(void *user, const tern_event *e)
{
    timing *t = user;
    if (e->token >= 0) t->n_token++;
    if (e->token >= 0 && e->n_output == 1 && ++t->n_begun == t->n_request) {
        t->begun_at = cli_seconds();
        t->begun_tokens = t->n_token;
    }
    if (e->finish != TERN_FINISH_NONE && !t->n_ended++) {
        t->ended_at = cli_seconds();
        t->ended_tokens = t->n_token;
    }
    if (e->finish == TERN_FINISH_ERROR) {
        snprintf(t->error, sizeof t->error, "%s", e->error ? e->error : "a request failed");
        t->failed = true;
    }
    return true;
}

/* n prompts of other random ids each, so that nothing of them can be in a cache. */
static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;    /* Knuth's MMIX generator */
    return *state >> 33;
}

static bool measure(const cli_args *args, cli_session *s, uint64_t *state, figures *out)
{
    int64_t n_prompt = value_or(args, FLAG_BENCH_PROMPT, DEFAULT_PROMPT), n_decode = value_or(args, FLAG_BENCH_TOKENS, DEFAULT_TOKENS);
    timing t = { .n_request = value_or(args, FLAG_BENCH_BATCH, DEFAULT_BATCH) };
    int64_t vocab = tern_model_get_info(s->model).vocab;
    int32_t *ids = malloc((size_t)n_prompt * sizeof *ids);
    if (!ids) {
        cli_fail("no memory for a prompt of %lld tokens", (long long)n_prompt);
        return false;
    }
    tern_status st = TERN_OK;
    for (int64_t r = 0; r < t.n_request && st == TERN_OK; r++) {
        for (int64_t i = 0; i < n_prompt; i++) ids[i] = (int32_t)(next_random(state) % (uint64_t)vocab);
        tern_request request = { .ids = ids, .n_ids = (size_t)n_prompt, .max_new_tokens = n_decode + 1, .sampling = tern_sampling_greedy(), .ignore_eos = true,
                                 .on_event = on_event, .user = &t };
        st = tern_engine_submit(s->engine, &request, NULL);
    }
    free(ids);
    double start = cli_seconds();
    if (st == TERN_OK) st = tern_engine_run(s->engine);
    if (st != TERN_OK || t.failed) {
        cli_fail("%s", t.failed ? t.error : tern_ctx_error(s->ctx));
        return false;
    }
    double prompt_took = t.begun_at - start, decode_took = t.ended_at - t.begun_at;
    out->prompt_per_s = (double)(n_prompt * t.n_request) / prompt_took;
    out->decode_per_s = decode_took > 0 ? (double)(t.ended_tokens - t.begun_tokens) / decode_took : 0;
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, size_t n)
{
    qsort(list, n, sizeof *list, ascending);
    return n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

static void progress(const char *what)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K%s", what);
}

static bool measure_all(const cli_args *args, cli_session *s, figures *out)
{
    static double prompt[MOST_REPEATS], decode[MOST_REPEATS];
    size_t n = (size_t)value_or(args, FLAG_BENCH_REPEAT, DEFAULT_REPEATS);
    uint64_t state = 1;
    for (size_t i = 0; i < n; i++) {
        char words[64];
        figures f;
        snprintf(words, sizeof words, "measuring, %zu of %zu", i + 1, n);
        progress(words);
        if (!measure(args, s, &state, &f)) return false;
        prompt[i] = f.prompt_per_s;
        decode[i] = f.decode_per_s;
    }
    progress("");
    *out = (figures){ median(prompt, n), median(decode, n) };
    return true;
}

/* ---- A model of random weights ---- */

/* A checkpoint directory that holds nothing but a copy of the given config.json. */
static bool make_shape_dir(const char *config, char *dir, size_t size)
{
    const char *parent = getenv("TMPDIR");
    char *text, path[4200];
    size_t n_bytes;
    if (!cli_read(config, &text, &n_bytes)) return false;
    snprintf(dir, size, "%s/tern-bench-XXXXXX", parent && *parent ? parent : "/tmp");
    FILE *file = NULL;
    if (mkdtemp(dir)) {
        snprintf(path, sizeof path, "%s/config.json", dir);
        file = fopen(path, "we");
    }
    bool ok = file && fwrite(text, 1, n_bytes, file) == n_bytes;
    if (file && fclose(file)) ok = false;
    if (!ok) cli_fail("%s: %s", dir, strerror(errno));
    free(text);
    return ok;
}

static void remove_shape_dir(const char *dir)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    rmdir(dir);
}

static tern_dtype stored_of(const cli_args *args)
{
    const char *text = args->value[FLAG_STORED].text;
    return text && !strcmp(text, "f32") ? TERN_F32 : text && !strcmp(text, "f16") ? TERN_F16 : TERN_BF16;
}

static bool open_model(const cli_args *args, cli_session *s)
{
    char dir[4096];
    const char *config = args->value[FLAG_SHAPE].text;
    if (!config) return cli_open_model(args, s);
    if (!make_shape_dir(config, dir, sizeof dir)) return false;
    tern_model_options options = cli_model_options(args);
    options.random_weights = true;
    options.random_dtype = stored_of(args);
    progress("drawing random weights");
    bool ok = tern_model_open(s->ctx, dir, &options, &s->model) == TERN_OK;
    progress("");
    if (!ok) cli_fail("%s: %s", config, tern_ctx_error(s->ctx));
    remove_shape_dir(dir);
    return ok;
}

static bool open_engine(const cli_args *args, cli_session *s)
{
    int64_t batch = value_or(args, FLAG_BENCH_BATCH, DEFAULT_BATCH);
    int64_t tokens = value_or(args, FLAG_BENCH_PROMPT, DEFAULT_PROMPT) + value_or(args, FLAG_BENCH_TOKENS, DEFAULT_TOKENS) + 1;
    tern_engine_options options = { .context_tokens = value_or(args, FLAG_CONTEXT, tokens), .max_requests = (int32_t)batch, .no_prefix_sharing = true };
    if (tern_engine_create(s->ctx, s->model, &options, &s->engine) == TERN_OK) return true;
    cli_fail_ctx(s);
    return false;
}

/* ---- Words ---- */

typedef struct report {
    tern_model_info model;
    int threads;
    const char *isa;
    char cpu[128];
    int64_t n_prompt, n_decode, batch;
    double bandwidth, peak;
    figures f;
} report;

static double peak_share(const report *r)
{
    return r->peak > 0 ? r->f.prompt_per_s * r->model.flops_per_token / r->peak : 0;
}

static double bandwidth_share(const report *r)
{
    return r->bandwidth > 0 ? r->f.decode_per_s / (double)r->batch * (double)r->model.read_bytes_per_token / r->bandwidth : 0;
}

static void print_text(const report *r)
{
    printf("machine   %s, %s, %d thread%s\n", r->cpu, r->isa, r->threads, r->threads == 1 ? "" : "s");
    printf("          reads %.1f GB/s, multiply-adds %.0f GFLOP/s in f32\n", r->bandwidth / 1e9, r->peak / 1e9);
    printf("model     %s, %.1f million parameters, stored %s, compute %s, KV cache %s\n", r->model.architecture, (double)r->model.n_param / 1e6, r->model.stored,
           r->model.compute, r->model.kv);
    printf("prompt    %lld x %lld tokens: %.1f tokens/s, %.0f %% of the multiply-adds\n", (long long)r->batch, (long long)r->n_prompt, r->f.prompt_per_s, 100 * peak_share(r));
    printf("decode    %lld x %lld tokens: %.1f tokens/s, %.0f %% of the bandwidth\n", (long long)r->batch, (long long)r->n_decode, r->f.decode_per_s, 100 * bandwidth_share(r));
}

static void print_json(const report *r)
{
    json_out j = { 0 };
    out_open(&j, NULL, '{');
    out_open(&j, "machine", '{');
    out_word(&j, "cpu", r->cpu);
    out_word(&j, "isa", r->isa);
    out_number(&j, "read_gb_per_s", r->bandwidth / 1e9);
    out_number(&j, "f32_gflop_per_s", r->peak / 1e9);
    out_close(&j);
    out_open(&j, "model", '{');
    out_word(&j, "architecture", r->model.architecture);
    out_integer(&j, "parameters", r->model.n_param);
    out_word(&j, "stored", r->model.stored);
    out_word(&j, "compute", r->model.compute);
    out_word(&j, "kv", r->model.kv);
    out_integer(&j, "read_bytes_per_token", (int64_t)r->model.read_bytes_per_token);
    out_number(&j, "flops_per_token", r->model.flops_per_token);
    out_close(&j);
    out_open(&j, "results", '[');
    out_open(&j, NULL, '{');
    out_integer(&j, "threads", r->threads);
    out_integer(&j, "batch", r->batch);
    out_integer(&j, "prompt_tokens", r->n_prompt);
    out_integer(&j, "decode_tokens", r->n_decode);
    out_number(&j, "prompt_tokens_per_s", r->f.prompt_per_s);
    out_number(&j, "decode_tokens_per_s", r->f.decode_per_s);
    out_number(&j, "peak_share", peak_share(r));
    out_number(&j, "bandwidth_share", bandwidth_share(r));
    out_close(&j);
    out_close(&j);
    out_close(&j);
}

void bench_open_json(json_out *j, const bench_limits *l, const char *list)
{
    char cpu[128];
    out_open(j, NULL, '{');
    out_open(j, "machine", '{');
    out_word(j, "cpu", cli_cpu_name(cpu, sizeof cpu));
    bench_put_limits(j, l);
    out_close(j);
    out_open(j, list, '[');
}

int cli_bench(const cli_args *args)
{
    cli_session s = { 0 };
    bench_limits limits = { 0 };
    report r = { .n_prompt = value_or(args, FLAG_BENCH_PROMPT, DEFAULT_PROMPT), .n_decode = value_or(args, FLAG_BENCH_TOKENS, DEFAULT_TOKENS),
                 .batch = value_or(args, FLAG_BENCH_BATCH, DEFAULT_BATCH) };
    int status = EXIT_FAILED;
    if (args->value[FLAG_KERNELS].set) return bench_kernels(args);
    if (args->value[FLAG_SHAPE].set && args->value[FLAG_MODEL].set) return cli_usage("--config and -m are two ways to name a model: only one of them can be there");
    if (!cli_open_ctx(args, &s)) return EXIT_FAILED;
    r.threads = tern_ctx_threads(s.ctx);
    progress("measuring this machine");
    bench_limits_measure(&limits, &r.threads, 1);
    progress("");
    if (!open_model(args, &s) || !open_engine(args, &s) || !measure_all(args, &s, &r.f)) goto done;
    bench_limits_measure(&limits, &r.threads, 1);    /* once more: another process may have been busy then */
    r.bandwidth = bench_read_limit(&limits, r.threads);
    r.peak = bench_best_peak(&limits, r.threads, s.ctx->kernels->rank, true)->rate.high;
    r.model = tern_model_get_info(s.model);
    r.isa = tern_ctx_isa(s.ctx);
    cli_cpu_name(r.cpu, sizeof r.cpu);
    if (args->value[FLAG_JSON].set) print_json(&r);
    else print_text(&r);
    status = EXIT_OK;
done:
    bench_limits_free(&limits);
    cli_close(&s);
    return status;
}
