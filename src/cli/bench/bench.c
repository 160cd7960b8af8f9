/* tern bench: a model's prompts and decoding, timed, next to what this machine's memory and
 * arithmetic allow. main.c calls it; the other files of this folder measure one thing each, or say
 * it in one form. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/commands.h"
#include "kernels/kernels.h"

enum { DEFAULT_TOKENS = 128, DEFAULT_REPEATS = 3 };

static const double default_patience_s = 10;

void bench_progress(const char *format, ...)
{
    if (!isatty(STDERR_FILENO)) return;
    va_list args;
    va_start(args, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
}

bench_result *bench_add_result(bench_report *r)
{
    if (r->n_result == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        bench_result *more = realloc(r->result, capacity * sizeof *more);
        if (!more) {
            cli_fail("no memory for the results");
            return NULL;
        }
        r->result = more;
        r->capacity = capacity;
    }
    return &r->result[r->n_result++];
}

bench_around bench_around_of(tern_ctx *ctx, const bench_report *r)
{
    return (bench_around){ .ctx = ctx, .limits = &r->limits, .best =
        bench_best_peak(&r->limits, tern_ctx_threads(ctx), tern_isa_find(r->isa)->rank, r->model.compute) };
}

/* ---- What is asked for ---- */

static bench_list list_of(const cli_args *args, cli_flag_id id, size_t n, const int64_t *fallback)
{
    const cli_value *v = &args->value[id];
    bench_list l = { .n = v->set ? v->n_list : n };
    memcpy(l.at, v->set ? v->list : fallback, l.n * sizeof *l.at);
    return l;
}

#define LIST_OF(args, id, ...) \
    list_of(args, id, sizeof (int64_t[]){ __VA_ARGS__ } / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ })

static void fill_plan(bench_plan *plan, bool encoder)
{
    if (encoder && plan->args->value[FLAG_BENCH_TOKENS].set)
        cli_say("warning: --tokens has no effect: an encoder decodes nothing");
    plan->prompt = encoder ? LIST_OF(plan->args, FLAG_BENCH_PROMPT, 32, 128)
                           : LIST_OF(plan->args, FLAG_BENCH_PROMPT, 512);
    plan->batch = encoder ? LIST_OF(plan->args, FLAG_BENCH_BATCH, 1, 32)
                          : LIST_OF(plan->args, FLAG_BENCH_BATCH, 1, 4, 8, 16, 32);
}

/* The thread counts: those of the flag, or what a context takes by itself. False: the sentence is
 * said. */
static bool make_plan(const cli_args *args, bench_plan *plan)
{
    const cli_value *repeat = &args->value[FLAG_BENCH_REPEAT], *tokens = &args->value[FLAG_BENCH_TOKENS];
    tern_ctx *ctx = NULL;
    if (tern_ctx_create(&(tern_ctx_options){ .isa = args->value[FLAG_ISA].text }, &ctx) != TERN_OK) {
        cli_fail("%s", tern_create_error());
        return false;
    }
    *plan = (bench_plan){ .args = args, .threads = LIST_OF(args, FLAG_BENCH_THREADS, tern_ctx_threads(ctx)),
                          .n_decode = tokens->set ? tokens->integer : DEFAULT_TOKENS,
                          .n_repeat = repeat->set ? repeat->integer : DEFAULT_REPEATS,
                          .patience_s = repeat->set ? HUGE_VAL : default_patience_s };
    tern_ctx_free(ctx);
    return true;
}

/* ---- The run ---- */

/* One thread, and each count of the plan. */
static bool measure_machine(const bench_plan *plan, bench_report *r)
{
    int threads[CLI_MOST_LIST + 1] = { 1 };
    size_t n = 1;
    for (size_t i = 0; i < plan->threads.n; i++)
        if (plan->threads.at[i] != 1) threads[n++] = (int)plan->threads.at[i];
    bench_progress("measuring this machine");
    bench_watch watch = bench_watch_begin();
    bool ok = bench_limits_measure(&r->limits, threads, n);
    bench_watch_end(&watch, r);
    bench_progress("%s", "");
    return ok;
}

/* What is said of the model, while it is there. kv_bytes: of an engine as "tern generate" makes
 * it. */
static bool keep_model(const bench_plan *plan, cli_session *s, bench_report *r)
{
    r->model = tern_model_get_info(s->model);
    snprintf(r->architecture, sizeof r->architecture, "%s", r->model.architecture);
    r->model.architecture = r->model.family = NULL;
    r->isa = tern_ctx_isa(s->ctx);
    if (!r->n_first) return true;
    if (!cli_open_engine(plan->args, s, 1)) return false;
    r->kv_bytes = tern_engine_get_info(s->engine).kv_bytes;
    tern_engine_free(s->engine);
    s->engine = NULL;
    return true;
}

static bool measure_threads(bench_plan *plan, int threads, bench_report *r)
{
    cli_session s = { 0 };
    bool ok = cli_open_ctx_of(plan->args, threads, &s) && bench_open_model(plan->args, &s) && keep_model(plan, &s, r);
    if (ok) {
        fill_plan(plan, !r->model.causal);
        ok = r->model.causal ? bench_requests(plan, &s, r) : bench_sentences(plan, &s, r);
    }
    bench_progress("%s", "");
    cli_close(&s);
    return ok;
}

static bool measure_all(bench_plan *plan, bench_report *r)
{
    if (!plan->args->value[FLAG_SHAPE].set) bench_first_tokens(plan, r);
    bool ok = measure_machine(plan, r);
    for (size_t t = 0; ok && t < plan->threads.n; t++) ok = measure_threads(plan, (int)plan->threads.at[t], r);
    return ok;
}

static bool say(const cli_args *args, const bench_report *r, bench_svg *svg)
{
    if (r->n_disturbed)
        cli_say("warning: other processes used the machine during %d of %d measurements, which are slower for it",
                r->n_disturbed, r->n_watched);
    if (args->value[FLAG_JSON].set) bench_print_json(r);
    else bench_print_text(r);
    return !svg->save.file || bench_svg_write(svg, r);
}

/* The first flag that is set and says something of a model, which --kernels and --ops do not run;
 * or, in those two, of rows or threads where they have no choice. */
static const char *needless_flag(const cli_args *args)
{
    static const cli_flag_id of_model[] = { FLAG_MODEL, FLAG_SHAPE, FLAG_STORED, FLAG_COMPUTE, FLAG_KV, FLAG_CONTEXT,
                                            FLAG_BENCH_PROMPT, FLAG_BENCH_TOKENS, FLAG_BENCH_REPEAT, FLAG_SVG };
    for (size_t i = 0; i < sizeof of_model / sizeof *of_model; i++)
        if (args->value[of_model[i]].set) return cli_flags[of_model[i]].name;
    cli_flag_id other = args->value[FLAG_KERNELS].set ? FLAG_BENCH_THREADS : FLAG_BENCH_BATCH;
    return args->value[other].set ? cli_flags[other].name : NULL;
}

/* False: the sentence is said. */
static bool fit_together(const cli_args *args)
{
    bool kernels = args->value[FLAG_KERNELS].set, ops = args->value[FLAG_OPS].set;
    const char *needless = kernels || ops ? needless_flag(args) : NULL;
    if (args->value[FLAG_SHAPE].set && args->value[FLAG_MODEL].set)
        cli_usage("--config and -m are two ways to name a model: only one of them can be there");
    else if (args->value[FLAG_STORED].set && !args->value[FLAG_SHAPE].set)
        cli_usage("--stored is the type of the random weights of --config, which is not there");
    else if (kernels && ops) cli_usage("--kernels and --ops: only one of them can be there");
    else if (needless)
        cli_usage("%s no --%s", kernels ? "--kernels times kernels by one thread, and takes"
                                        : "--ops times ops, and takes", needless);
    else return true;
    return false;
}

int cli_bench(const cli_args *args)
{
    bench_report r = { 0 };
    bench_plan plan;
    bench_svg svg = { 0 };
    const cli_value *path = &args->value[FLAG_SVG];
    int status = EXIT_FAILED;
    if (!fit_together(args)) return EXIT_USAGE;
    if (!make_plan(args, &plan)) return EXIT_FAILED;
    if (args->value[FLAG_KERNELS].set) return bench_kernels(args);
    if (args->value[FLAG_OPS].set) return bench_ops(&plan);
    if (path->set && !bench_svg_open(&svg, path->text)) return EXIT_FAILED;
    if (measure_all(&plan, &r)) status = EXIT_OK;
    if (status == EXIT_OK || r.n_result)    /* what was measured before a failure is not lost */
        if (!say(args, &r, &svg)) status = EXIT_FAILED;
    bench_svg_close(&svg);
    bench_limits_free(&r.limits);
    free(r.result);
    return status;
}
