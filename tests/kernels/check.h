/* What the kernel tests share: a generator, arrays between forbidden pages, the instruction sets of
 * this build, a slot by name. Included by tests/kernels/test_*.c; calls src/kernels/select.c. */
#ifndef TERN_TESTS_KERNELS_CHECK_H
#define TERN_TESTS_KERNELS_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/dtype.h"
#include "kernels/kernels.h"

/* ---- Numbers --------------------------------------------------------------------------------- */
typedef struct rng {
    uint64_t s;
} rng;

static inline uint32_t rng_next(rng *r)    /* SplitMix64 (Steele, Lea, Flood 2014), upper half */
{
    uint64_t z = (r->s += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

static inline size_t rng_below(rng *r, size_t n)
{
    return (size_t)((uint64_t)rng_next(r) * n >> 32);
}

static inline float rng_unit(rng *r)       /* [-1, 1) */
{
    return (float)(int32_t)rng_next(r) * 0x1p-31f;
}

/* A size in [1, most] whose logarithm is spread evenly, so that small sizes, tails and primes come
 * often. */
static inline size_t rng_size(rng *r, size_t most)
{
    double e = (rng_unit(r) + 1.0) / 2 * log((double)most + 1);
    size_t n = (size_t)exp(e);
    if (n < 1) return 1;
    if (n > most) return most;
    return n;
}

/* ---- Arrays between forbidden pages ---------------------------------------------------------- */
/* One span of pages that may be touched, with one before and one after that may not. */
typedef struct guarded {
    unsigned char *at;
    size_t bytes, page;
} guarded;

static inline void guarded_open(guarded *g, size_t bytes)
{
    g->page = (size_t)sysconf(_SC_PAGESIZE);
    g->bytes = (bytes + g->page - 1) / g->page * g->page;
    unsigned char *p = mmap(NULL, g->bytes + 2 * g->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                            -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    g->at = p + g->page;
    assert_int_equal(mprotect(g->at, g->bytes, PROT_READ | PROT_WRITE), 0);
}

static inline void guarded_close(guarded *g)
{
    munmap(g->at - g->page, g->bytes + 2 * g->page);
}

/* count elements that end where the forbidden page begins: aligned to their element and, for most
 * counts, to nothing more. */
static inline void *guarded_end(const guarded *g, size_t count, size_t size)
{
    assert_true(count * size <= g->bytes);
    return g->at + g->bytes - count * size;
}

/* ---- Instruction sets and slots -------------------------------------------------------------- */
typedef void any_fn(void);

static inline any_fn *slot_of(const tern_kernels *table, size_t offset)
{
    any_fn *f;
    memcpy(&f, (const char *)table + offset, sizeof f);
    return f;
}

extern const tern_kernels tern_kernels_scalar;

/* The tables above scalar that this CPU can run; prints the name of every other one. */
static inline size_t usable_tables(const tern_kernels **tables, size_t most)
{
    size_t n = 0;
    tern_cpu cpu;
    tern_cpu_probe(&cpu);
    for (const tern_kernels *const *p = tern_isa_list; *p; p++) {
        if (!(*p)->rank) continue;
        if (!(*p)->usable(&cpu))
            print_message("skipped: %s, which this CPU cannot run\n", (*p)->isa);
        else if (n < most) tables[n++] = *p;
    }
    return n;
}

static inline float widen(const void *p, size_t i, char type)    /* 'f' f32, 'b' bf16, 'h' f16 */
{
    if (type == 'f') return ((const float *)p)[i];
    if (type == 'b') return tern_f32_from_bf16(((const uint16_t *)p)[i]);
    return tern_f32_from_f16(((const uint16_t *)p)[i]);
}

static inline void narrow(void *p, size_t i, char type, float v)
{
    if (type == 'f') ((float *)p)[i] = v;
    else ((uint16_t *)p)[i] = type == 'b' ? tern_bf16_from_f32(v) : tern_f16_from_f32(v);
}

static inline size_t size_of(char type)
{
    return type == 'f' ? sizeof(float) : sizeof(uint16_t);
}

/* rows x len numbers in rows of ld, NaN between the rows: whoever uses what lies there spoils its
 * result. */
static inline void fill_rows(rng *r, void *p, char type, size_t rows, size_t len, size_t ld)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < ld && (i + 1 < rows || k < len); k++)
            narrow(p, i * ld + k, type, k < len ? rng_unit(r) : NAN);
}

/* What the gemm slots of one table multiply: y = x w^T with x as that table packs it, which lies in
 * whole cache lines before a forbidden page. */
static inline void run_gemm(k_pack_fn *pack, k_gemm_fn *gemm, const guarded *packed, float *y,
                            size_t ldy, const float *x, size_t ldx, const void *w, size_t ldw,
                            size_t m, size_t n, size_t k)
{
    void *to = guarded_end(packed, k_packed_bytes(m, k), 1);
    /* NaN: a number that was not packed must not be used */
    memset(to, 0xFF, k_packed_bytes(m, k));
    pack(to, x, ldx, m, k);
    gemm(y, ldy, to, w, ldw, m, n, k);
}

/* Elements that rows x len take in rows of ld: nothing lies after the last one. */
static inline size_t extent(size_t rows, size_t len, size_t ld)
{
    return rows ? (rows - 1) * ld + len : 0;
}

#endif
