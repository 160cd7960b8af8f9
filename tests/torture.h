/* Allocations that fail on demand, for tests that fail the k-th one for every k: the library's
 * (base/memory.c is compiled into the test, and the linker then takes no other) and jansson's.
 * Include it in one .c file of a test program. */
#ifndef TERN_TESTS_TORTURE_H
#define TERN_TESTS_TORTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t countdown, n_live;    /* countdown 1: the next allocation fails; 0: none does */

static bool fails_now(void)
{
    return countdown && !--countdown;
}

static void *count_live(void *p)
{
    n_live += p != NULL;
    return p;
}

static void *torture_malloc(size_t n)
{
    return fails_now() ? NULL : count_live(malloc(n));
}

static void *torture_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : count_live(calloc(count, size));
}

static void *torture_aligned_alloc(size_t align, size_t n)
{
    return fails_now() ? NULL : count_live(aligned_alloc(align, n));
}

static void *torture_realloc(void *p, size_t n)
{
    if (fails_now()) return NULL;
    void *q = realloc(p, n);
    if (!p) count_live(q);
    return q;
}

static void torture_free(void *p)
{
    n_live -= p != NULL;
    free(p);
}

/* The library's allocations, with these functions in place of the system's; the linker then takes
 * no others. */
#pragma push_macro("fail")    /* a macro of cmocka, a function there */
#undef fail
#define calloc torture_calloc
#define realloc torture_realloc
#define aligned_alloc torture_aligned_alloc
#define free torture_free
#include "base/memory.c"
#undef calloc
#undef realloc
#undef aligned_alloc
#undef free
#pragma pop_macro("fail")

/* From here on jansson's allocations count and fail too. */
static inline void torture_jansson(void)
{
    json_set_alloc_funcs(torture_malloc, torture_free);
}

#endif
