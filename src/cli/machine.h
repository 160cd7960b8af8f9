/* What this machine has and can do, measured or asked of the system. info and bench call it. */
#ifndef TERN_CLI_MACHINE_H
#define TERN_CLI_MACHINE_H

#include <stddef.h>
#include <tern/context.h>

/* Bytes that may still be used: what the system calls available, within the cgroup's limit. */
double cli_free_memory(void);

/* "AMD EPYC 9B45 96-Core Processor"; buffer is returned. */
const char *cli_cpu_name(char *buffer, size_t size);

/* Bytes read per second through the context's threads, from a mapped file larger than the caches; 0 where there is no room for one. */
double cli_read_bandwidth(tern_ctx *ctx);

/* f32 multiply-adds, counted as two, per second: all of the context's threads, in its instruction set, nothing but registers. */
double cli_fma_peak(tern_ctx *ctx);

/* A monotonic clock. */
double cli_seconds(void);

#endif
