/* This machine's limits: see machine.h. Memory is read from a mapping of page cache, as weights are; the peak comes from a kernel of registers only. */
#include "cli/machine.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/ctx.h"
#include "kernels/kernels.h"

double cli_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The number behind key in a file of the system, or -1. key null: the file's only word; "max" there is -1, too. */
static double number_in(const char *path, const char *key)
{
    char line[256];
    double value = -1;
    FILE *file = fopen(path, "re");
    while (file && value < 0 && fgets(line, sizeof line, file)) {
        size_t n = key ? strlen(key) : 0;
        if ((!n || !strncmp(line, key, n)) && sscanf(line + n, "%lf", &value) != 1) value = -1;
    }
    if (file) fclose(file);
    return value;
}

double cli_free_memory(void)
{
    double available = number_in("/proc/meminfo", "MemAvailable:") * 1024;
    double limit = number_in("/sys/fs/cgroup/memory.max", NULL), used = number_in("/sys/fs/cgroup/memory.current", NULL);
    if (available < 0) available = (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (limit > 0 && used >= 0 && limit - used < available) available = limit > used ? limit - used : 0;
    return available;
}

const char *cli_cpu_name(char *buffer, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(buffer, size, "unknown CPU");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10)) continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(buffer, size, "%s", colon + 2);
        break;
    }
    if (file) fclose(file);
    return buffer;
}

/* ---- Reading ---- */

/* A tile is read as several streams at once, as a product reads several rows of weights: one stream alone does not fill the memory's queues. */
enum { READ_TILE = 1 << 20, READ_PASSES = 5, READ_STREAMS = 4, READ_AHEAD = 1024 };

typedef uint64_t lane8 __attribute__((vector_size(64)));    /* GCC's vector extension: the compiler's widest baseline loads */

typedef struct reading {
    const unsigned char *data;
    uint64_t sum[1024];      /* by worker: what keeps the loads from being left out */
} reading;

static void read_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    reading *r = arg;
    const int64_t apart = READ_TILE / READ_STREAMS;
    lane8 a[READ_STREAMS] = { 0 };
    for (int64_t tile = lo; tile < hi; tile++) {
        const unsigned char *data = r->data + tile * READ_TILE;
        for (int64_t at = 0; at < apart; at += (int64_t)sizeof(lane8))
            for (int s = 0; s < READ_STREAMS; s++) {
                const unsigned char *p = data + s * apart + at;
                __builtin_prefetch(p + READ_AHEAD);
                a[s] ^= *(const lane8 *)p;
            }
    }
    for (int s = 0; s < READ_STREAMS; s++)
        for (int i = 0; i < 8; i++) r->sum[worker] ^= a[s][i];
}

static double best_pass(tern_ctx *ctx, reading *r, int64_t n_tile)
{
    double best = 0;
    for (int pass = 0; pass < READ_PASSES; pass++) {
        double start = cli_seconds();
        tern_parallel_for(ctx, n_tile, 4, read_tiles, r);
        double rate = (double)n_tile * READ_TILE / (cli_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}

double cli_read_bandwidth(tern_ctx *ctx)
{
    double room = cli_free_memory() / 4;
    int64_t n_tile = (int64_t)((room < 1 << 30 ? room : 1 << 30) / READ_TILE);
    size_t n_bytes = (size_t)n_tile * READ_TILE;
    double rate = 0;
    reading *r = calloc(1, sizeof *r);
    int fd = memfd_create("tern-bench", MFD_CLOEXEC);
    if (r && fd >= 0 && n_tile >= 64 && !ftruncate(fd, (off_t)n_bytes)) {
        void *data = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data != MAP_FAILED) {
            memset(data, 0x5A, n_bytes);
            r->data = data;
            rate = best_pass(ctx, r, n_tile);
            munmap(data, n_bytes);
        }
    }
    if (fd >= 0) close(fd);
    free(r);
    return rate;
}

/* ---- Multiply-adds ---- */

enum { PEAK_ROUNDS = 1 << 16, PEAK_TILES = 64 };

typedef struct peak {
    const tern_kernels *kernels;
    float sink[1024][16];    /* by worker, a cache line apart */
    double operations[1024];
} peak;

static void peak_tiles(void *arg, int64_t lo, int64_t hi, int worker)
{
    peak *p = arg;
    for (; lo < hi; lo++) p->operations[worker] = p->kernels->peak_f32(PEAK_ROUNDS, p->sink[worker]);
}

double cli_fma_peak(tern_ctx *ctx)
{
    double best = 0;
    peak *p = calloc(1, sizeof *p);
    if (!p) return 0;
    p->kernels = ctx->kernels;
    for (int pass = 0; pass < READ_PASSES; pass++) {
        double start = cli_seconds();
        tern_parallel_for(ctx, PEAK_TILES, 1, peak_tiles, p);
        double took = cli_seconds() - start, operations = 0;
        for (int i = 0; i < 1024; i++)
            if (p->operations[i] > operations) operations = p->operations[i];
        if (PEAK_TILES * operations / took > best) best = PEAK_TILES * operations / took;
    }
    free(p);
    return best;
}
