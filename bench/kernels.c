/* The speed of every kernel on the shapes of tests/kernels/rows.h, as GFLOP/s and GB/s and as a share of what this machine can do.
 *     build/bench_kernels [instruction set [slot [m]]]      names may be cut short: avx512 gemm_bf16 1 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/dtype.h"
#include "kernels/kernels.h"
#include "kernels/rows.h"
#include "peaks.h"

enum { TRIES = 400 };

static size_t only_m;                                  /* 0: every row */

static const size_t weight_bytes = (size_t)1 << 30;    /* more than the caches hold: each call takes its weights from the next place */
static const double seconds = 0.4;                     /* of trying, a row */

typedef struct arrays {
    char *x, *w, *y;
    double read_rate;    /* GB/s */
} arrays;

typedef struct gemm_slot {
    const char *name;
    size_t offset, x_bytes, w_bytes;
} gemm_slot;

#define SLOT(name) #name, offsetof(tern_kernels, name)

static const gemm_slot gemm_slots[] = {
    { SLOT(gemm_f32_f32), 4, 4 },
    { SLOT(gemm_f32_bf16), 4, 2 },
    { SLOT(gemm_f32_f16), 4, 2 },
    { SLOT(gemm_bf16_bf16), 2, 2 },
};

static const gemm_slot nn_slots[] = {
    { SLOT(gemm_nn_f32), 4, 4 },
    { SLOT(gemm_nn_bf16), 4, 2 },
    { SLOT(gemm_nn_f16), 4, 2 },
};

static const gemm_slot row_slots[] = {
    { SLOT(exp_row), 4, 4 },       { SLOT(rms_row), 4, 4 },      { SLOT(layer_norm_row), 4, 4 }, { SLOT(gelu_tanh_row), 4, 4 },
    { SLOT(gelu_erf_row), 4, 4 },  { SLOT(silu_row), 4, 4 },     { SLOT(tanh_row), 4, 4 },       { SLOT(softcap_row), 4, 4 },
    { SLOT(axpb_row), 4, 4 },      { SLOT(rope_half_row), 4, 4 }, { SLOT(rope_pair_row), 4, 4 }, { SLOT(f32_from_bf16), 4, 2 },
    { SLOT(f32_from_f16), 4, 2 },  { SLOT(bf16_from_f32), 2, 4 }, { SLOT(f16_from_f32), 2, 4 },
};

typedef void any_fn(void);

static any_fn *slot_of(const tern_kernels *t, size_t offset)
{
    any_fn *f;
    memcpy(&f, (const char *)t + offset, sizeof f);
    return f;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs call until it has taken its time; the least and the middle number of seconds. */
typedef struct timing {
    double least, middle;
} timing;

typedef struct job {
    any_fn *f;
    const gemm_slot *slot;
    gemm_shape s;
    const arrays *a;
    size_t next;
} job;

static timing time_of(void (*call)(job *), job *j)
{
    static double took[TRIES];
    int n = 0;
    double begin = peak_now();
    call(j);
    while (n < TRIES && (n < 3 || peak_now() - begin < seconds)) {
        double start = peak_now();
        call(j);
        took[n++] = peak_now() - start;
    }
    qsort(took, (size_t)n, sizeof *took, ascending);
    return (timing){ took[0], took[n / 2] };
}

static void call_gemm(job *j)
{
    size_t bytes = j->s.n * j->s.k * j->slot->w_bytes;
    if (j->next + bytes > weight_bytes) j->next = 0;
    ((k_gemm_fn *)j->f)((float *)(void *)j->a->y, j->s.n, j->a->x, j->s.k, j->a->w + j->next, j->s.k, j->s.m, j->s.n, j->s.k);
    j->next += (bytes + 4095) / 4096 * 4096;
}

enum { NN_REPEAT = 256, ROW_REPEAT = 64, ROW_N = 2048 };

static void call_nn(job *j)
{
    for (int i = 0; i < NN_REPEAT; i++)
        ((k_gemm_nn_fn *)j->f)((float *)(void *)j->a->y, j->s.n, (const float *)(const void *)j->a->x, j->s.k, j->a->w, j->s.n, j->s.m, j->s.n, j->s.k, i & 1);
}

static void call_row(job *j)
{
    float *x = (float *)(void *)j->a->x, *y = (float *)(void *)j->a->y, *w = x + ROW_N, max;
    const char *name = j->slot->name;
    for (int i = 0; i < ROW_REPEAT; i++)
        if (!strcmp(name, "exp_row")) ((k_exp_row_fn *)j->f)(y, ROW_N, &max);
        else if (!strcmp(name, "rms_row")) ((k_rms_row_fn *)j->f)(y, x, w, ROW_N, 1e-5f);
        else if (!strcmp(name, "layer_norm_row")) ((k_layer_norm_row_fn *)j->f)(y, x, w, w, ROW_N, 1e-5f);
        else if (!strcmp(name, "softcap_row")) ((k_softcap_row_fn *)j->f)(y, x, 30, ROW_N);
        else if (!strcmp(name, "axpb_row")) ((k_axpb_row_fn *)j->f)(y, 2, x, w, ROW_N);
        else if (!strncmp(name, "rope", 4)) ((k_rope_row_fn *)j->f)(y, x, w, ROW_N / 2);
        else if (strstr(name, "_from_")) ((k_convert_fn *)j->f)(y, x, ROW_N);
        else ((k_map_row_fn *)j->f)(y, x, ROW_N);
}

static void gemm_report(const tern_kernels *t, const gemm_slot *slots, size_t n_slot, const gemm_shape *rows, size_t n_row, bool nn, const char *only, const arrays *a)
{
    for (size_t i = 0; i < n_slot; i++) {
        job j = { .slot = &slots[i], .f = slot_of(t, slots[i].offset), .a = a };
        if (!j.f || (only && strncmp(slots[i].name, only, strlen(only)))) continue;
        double peak = slots[i].x_bytes == 2 ? peak_bf16(t->isa) : peak_f32(t->isa);
        printf("\n%s %s, peak %.0f GFLOP/s, read %.1f GB/s\n", t->isa, slots[i].name, peak, a->read_rate);
        for (size_t r = 0; r < n_row; r++) {
            j.s = rows[r];
            if (only_m && j.s.m != only_m) continue;
            timing took = time_of(nn ? call_nn : call_gemm, &j);
            double flops = 2.0 * (double)(j.s.m * j.s.n * j.s.k) * (nn ? NN_REPEAT : 1) / 1e9, gb = (double)(j.s.n * j.s.k * slots[i].w_bytes) / 1e9;
            printf("%4zu x %5zu x %5zu  %7.1f GFLOP/s %5.1f %% (median %5.1f %%)", j.s.m, j.s.n, j.s.k, flops / took.least, 100 * flops / took.least / peak,
                   100 * flops / took.middle / peak);
            if (!nn) printf("  weights %5.1f GB/s %5.1f %% (median %5.1f %%)", gb / took.least, 100 * gb / took.least / a->read_rate, 100 * gb / took.middle / a->read_rate);
            printf("  %s\n", j.s.why);
            fflush(stdout);
        }
    }
}

static void row_report(const tern_kernels *t, const char *only, const arrays *a)
{
    printf("\n%s, rows of %d numbers, picoseconds a number\n", t->isa, ROW_N);
    for (size_t i = 0; i < sizeof row_slots / sizeof *row_slots; i++) {
        job j = { .slot = &row_slots[i], .f = slot_of(t, row_slots[i].offset), .a = a };
        if (!j.f || (only && strncmp(row_slots[i].name, only, strlen(only)))) continue;
        timing took = time_of(call_row, &j);
        printf("%-16s %7.1f (median %7.1f)\n", row_slots[i].name, took.least / ROW_REPEAT / ROW_N * 1e12, took.middle / ROW_REPEAT / ROW_N * 1e12);
    }
}

/* Small numbers that are finite in every type: bf16 0x3C23 is 0.01, f16 0x3C23 is 1.03. */
static char *numbers(size_t bytes)
{
    uint16_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((void *)p == MAP_FAILED) exit(1);
    madvise(p, bytes, MADV_NOHUGEPAGE);    /* as a mapped file has them */
    for (size_t i = 0; i < bytes / 2; i++) p[i] = (uint16_t)(0x3C23 + (i & 0xF));
    return (char *)p;
}

int main(int argc, char **argv)
{
    const char *isa = argc > 1 ? argv[1] : "", *only = argc > 2 ? argv[2] : NULL;
    only_m = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    tern_cpu cpu;
    tern_cpu_probe(&cpu);
    arrays a = { .x = numbers((size_t)1 << 24), .w = numbers(weight_bytes), .y = numbers((size_t)1 << 25) };
    a.read_rate = peak_read(a.w, weight_bytes);
    for (const tern_kernels *const *p = tern_isa_list; *p; p++) {
        if (!(*p)->usable(&cpu) || strncmp(tern_isa_short(*p), isa, strlen(isa)) || !(*p)->rank) continue;
        gemm_report(*p, gemm_slots, sizeof gemm_slots / sizeof *gemm_slots, gemm_bench_rows, N_ROWS(gemm_bench_rows), false, only, &a);
        gemm_report(*p, nn_slots, sizeof nn_slots / sizeof *nn_slots, gemm_nn_bench_rows, N_ROWS(gemm_nn_bench_rows), true, only, &a);
        row_report(*p, only, &a);
    }
    return 0;
}
