/* What this machine can do at most, measured: multiply-adds out of registers, and reading memory. bench/kernels.c divides by them. */
#ifndef TERN_BENCH_PEAKS_H
#define TERN_BENCH_PEAKS_H

#include <stddef.h>

double peak_now(void);    /* seconds of this thread on its core: others that take turns on it do not count */

/* GFLOP/s of one thread, by the name of a table: its widest FMA, or for bf16 its own product instruction where it has one. 0: not known. */
double peak_f32(const char *isa);
double peak_bf16(const char *isa);

/* GB/s of one thread reading n_bytes, in the way that is fastest here. */
double peak_read(const void *p, size_t n_bytes);

#endif
