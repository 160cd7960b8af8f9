/* What the files of tern bench share. bench.c is the command; each of the others measures one thing, or says it in one form. */
#ifndef TERN_CLI_BENCH_BENCH_H
#define TERN_CLI_BENCH_BENCH_H

#include "cli/bench/limits.h"

/* tern bench --kernels NAME: the exit status. */
int bench_kernels(const cli_args *args);

/* Attention and mixtures of experts by one instruction set, a line each (json: an object). False where there is no memory for them. */
bool bench_parts(const tern_kernels *table, bench_limits *limits, bool attention, bool experts, json_out *json);

/* {"machine": {...}, LIST: [ : what every document of the benchmark begins with; two out_close end it. */
void bench_open_json(json_out *j, const bench_limits *l, const char *list);

#endif
