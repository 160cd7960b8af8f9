/* What the files of tern bench share. bench.c is the command; each of the others measures one
 * thing, or says it in one form. */
#ifndef TERN_CLI_BENCH_BENCH_H
#define TERN_CLI_BENCH_BENCH_H

#include <stdio.h>

#include "cli/bench/limits.h"
#include "cli/save.h"
#include "cli/session.h"

/* ---- What is asked for ---- */

typedef struct bench_list {
    int64_t at[CLI_MOST_LIST];
    size_t n;
} bench_list;

typedef struct bench_plan {
    const cli_args *args;
    /* prompt and batch are filled when it is known whether the model is an encoder */
    bench_list threads, prompt, batch;
    int64_t n_decode, n_repeat;
    /* a row that took longer is not repeated; --repeat has none */
    double patience_s;
} bench_plan;

/* ---- What was measured ---- */

/* Of one token, or one sentence: what the mathematics takes, however it is computed. */
typedef struct bench_work {
    double flops, bytes;    /* multiply-adds counted as two; weights and KV cache read */
} bench_work;

/* One row: a prompt and decoding of batch sequences, or of an encoder batch sentences of
 * prompt_tokens. */
typedef struct bench_result {
    bool encoder;
    int threads;
    int64_t batch, prompt_tokens, decode_tokens;    /* of each sequence */
    /* tokens of all sequences together; of an encoder prompt_per_s are sentences */
    bench_spread prompt_per_s, decode_per_s;
    bench_spread seconds;                           /* of an encoder's call */
    bench_work prompt, decode;                      /* of a token; of a sentence */
    /* whose instruction is the best for the compute type, with that many threads */
    const bench_peak *best;
    bench_limit peak, bandwidth;                    /* around this row */
    bool disturbed;
} bench_result;

/* A process that starts, answers a prompt of 22 tokens with one token, and ends. */
typedef struct bench_first {
    int threads;
    bench_spread first_s, whole_s;    /* from fork to the token, and to the end */
    /* the most that it had in memory at once, mapped weights included */
    bench_spread memory_bytes;
    bool disturbed;
} bench_first;

enum { BENCH_FIRST_TOKENS = 22 };

typedef struct bench_report {
    bench_limits limits;
    /* its strings are copied below, as the model does not live as long */
    tern_model_info model;
    char architecture[64];
    size_t kv_bytes;                  /* of the process that bench_first measures */
    const char *isa;
    bench_first first[CLI_MOST_LIST];
    bench_result *result;
    size_t n_first, n_result, capacity;
    int n_disturbed, n_watched;
} bench_report;

/* ---- The parts ---- */

/* shape.c: the model of -m, or one of random weights of the shape of --config. False: the sentence
 * is said. */
bool bench_open_model(const cli_args *args, cli_session *s);

/* requests.c, sentences.c: measure the open model at every length and batch of the plan, and add
 * rows to the report. */
bool bench_requests(const bench_plan *plan, cli_session *s, bench_report *r);
bool bench_sentences(const bench_plan *plan, cli_session *s, bench_report *r);

/* first.c: for each thread count. A checkpoint that does not open, or is an encoder, gives no rows;
 * what is wrong is said when it is opened. To be called while this process is small: what a process
 * has in memory when it forks counts for its child. */
void bench_first_tokens(const bench_plan *plan, bench_report *r);

/* work.c */
bench_work bench_prompt_work(const tern_model_info *m, int64_t n_token, int64_t batch);
bench_work bench_decode_work(const tern_model_info *m, int64_t context, int64_t batch);
bench_work bench_sentence_work(const tern_model_info *m, int64_t n_token, int64_t batch);

/* Shares of the limits around the row, by medians. */
double bench_prompt_peak_share(const bench_result *r);
double bench_decode_peak_share(const bench_result *r);
double bench_decode_bandwidth_share(const bench_result *r);

/* bench.c: a row's place in the report; null with a sentence where there is no memory. What the
 * limits around a row of this context are sampled by. */
bench_result *bench_add_result(bench_report *r);
bench_around bench_around_of(tern_ctx *ctx, const bench_report *r);

/* kernels.c, ops.c: tern bench --kernels NAME, --ops NAME; the exit status. */
int bench_kernels(const cli_args *args);
int bench_ops(const bench_plan *plan);

/* parts.c: attention and mixtures of experts by one instruction set, a line each (json: an object).
 * False where there is no memory for them. */
bool bench_parts(const tern_kernels *table, bench_limits *limits, bool attention, bool experts,
                 json_out *json);

/* ---- Watching ---- watch.c */

/* What all processes, and this one with its children, had of the CPUs when it began. */
typedef struct bench_watch {
    double wall, all, own;
} bench_watch;

bench_watch bench_watch_begin(void);
/* true: others took so much that it can be seen in what was measured meanwhile */
bool bench_watch_end(const bench_watch *w, bench_report *r);

/* ---- Forms ---- */

/* a line that the next one replaces, on a terminal; "": none */
void bench_progress(const char *format, ...) TERN_PRINTF(1, 2);
void bench_print_text(const bench_report *r);
void bench_print_json(const bench_report *r);

/* {"machine": {...}, LIST: [ : what every document of the benchmark begins with. */
void bench_open_json(json_out *j, const bench_limits *l, const char *list);

/* svg.c: a roofline. The file is opened before the work begins, so that a name that cannot be
 * written costs none. */
typedef struct bench_svg {
    cli_save save;
    bool listed;    /* among the files that a signal removes */
} bench_svg;

bool bench_svg_open(bench_svg *svg, const char *path);
bool bench_svg_write(bench_svg *svg, const bench_report *r);
void bench_svg_close(bench_svg *svg);

/* temp_files.c: what is removed when a signal ends the process: a file, and the directory that it
 * lies in (null: none). settle is for the last one added: it is removed now, or it is there to
 * stay. */
void bench_temp_files_add(const char *file, const char *dir);
void bench_temp_files_settle(bool keep);

#endif
