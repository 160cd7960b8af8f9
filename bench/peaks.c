/* Register-only loops of the widest multiply-add, and a plain read of a large buffer. Each is compiled for its own instruction set by an
 * attribute, and called only where the table of that set says that this CPU can run it. */
#include "peaks.h"

#include <immintrin.h>
#include <string.h>
#include <time.h>

enum { CHAINS = 12, ROUNDS = 2000000, TRIES = 5 };

double peak_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Twelve independent chains hide the latency of any of these. The registers hold zeros, whose products take no longer than others'. */
#define TWELVE(op, r) op(r, 0) op(r, 1) op(r, 2) op(r, 3) op(r, 4) op(r, 5) op(r, 6) op(r, 7) op(r, 8) op(r, 9) op(r, 10) op(r, 11)
#define CLEAR(r, i) "vxorps %%ymm" #i ", %%ymm" #i ", %%ymm" #i "\n\t"
#define FMA(r, i) "vfmadd231ps %%" #r "12, %%" #r "12, %%" #r #i "\n\t"
#define DOT(r, i) "vdpbf16ps %%" #r "12, %%" #r "12, %%" #r #i "\n\t"

#define PEAK(name, r, op)                                                                                                                  \
    static double name(void)                                                                                                               \
    {                                                                                                                                      \
        double start = peak_now();                                                                                                         \
        __asm__ volatile(TWELVE(CLEAR, r) CLEAR(r, 12) ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",          \
                         "xmm9", "xmm10", "xmm11", "xmm12");                                                                               \
        for (int i = 0; i < ROUNDS; i++)                                                                                                   \
            __asm__ volatile(TWELVE(op, r) ::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",     \
                             "xmm11", "xmm12");                                                                                            \
        __asm__ volatile("vzeroupper");                                                                                                    \
        return (double)ROUNDS * CHAINS / (peak_now() - start);                                                                             \
    }

PEAK(fma_256, ymm, FMA)
PEAK(fma_512, zmm, FMA)
PEAK(dot_512, zmm, DOT)

static double best_of(double (*run)(void), double flops)
{
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double rate = run();
        if (rate > best) best = rate;
    }
    return best * flops / 1e9;
}

double peak_f32(const char *isa)
{
    if (!strcmp(isa, "x86_avx2")) return best_of(fma_256, 16);
    return strncmp(isa, "x86_", 4) ? 0 : best_of(fma_512, 32);
}

double peak_bf16(const char *isa)
{
    return strcmp(isa, "x86_avx512_bf16") ? peak_f32(isa) : best_of(dot_512, 64);
}

/* Eight streams of a page each, asked for 512 bytes ahead: what reads fastest here; one stream alone stays a third below. */
__attribute__((target("avx2"))) static double read_once(const void *p, size_t n_bytes)
{
    enum { STREAMS = 8, PAGE = 4096, LINE = 64 };
    const char *at = p;
    __m256i sum = _mm256_setzero_si256();
    double start = peak_now();
    for (size_t block = 0; block + STREAMS * PAGE <= n_bytes; block += STREAMS * PAGE)
        for (size_t k = 0; k < PAGE; k += LINE)
            for (size_t s = 0; s < STREAMS; s++) {
                const char *line = at + block + s * PAGE + k;
                _mm_prefetch(line + 512, _MM_HINT_T0);
                sum = _mm256_or_si256(sum, _mm256_loadu_si256((const __m256i *)(const void *)line));
                sum = _mm256_or_si256(sum, _mm256_loadu_si256((const __m256i *)(const void *)(line + LINE / 2)));
            }
    __asm__ volatile("" : : "x"(sum));
    return (double)n_bytes / (peak_now() - start) / 1e9;
}

double peak_read(const void *p, size_t n_bytes)
{
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double rate = read_once(p, n_bytes);
        if (rate > best) best = rate;
    }
    return best;
}
