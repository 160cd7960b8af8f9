/* tern_comm: the ranks that share a model, and what they say to each other.
 *
 * A communicator is a table of calls, so that a host can bring its own. Every rank makes the same calls in the same order; a call that cannot be
 * finished returns an error instead of waiting for ever, where its transport can tell. */
#ifndef TERN_COMM_H
#define TERN_COMM_H

#include <tern/context.h>

typedef struct tern_comm {
    int rank, size;
    void *self;
    /* data[i] = sum over ranks, in the order of the ranks, so that all ranks get the same bits */
    tern_status (*all_reduce)(void *self, tern_ctx *ctx, float *data, size_t n);
    /* out [size, n]: rank r's n numbers at out + r * n */
    tern_status (*all_gather)(void *self, tern_ctx *ctx, const float *in, float *out, size_t n);
    /* block s of in, n numbers, goes to rank s; block s of out comes from it */
    tern_status (*all_to_all)(void *self, tern_ctx *ctx, const float *in, float *out, size_t n);
    /* root's n bytes to everybody */
    tern_status (*broadcast)(void *self, tern_ctx *ctx, void *data, size_t n_bytes, int root);
} tern_comm;

/* The communicator of one process: rank 0 of 1; its calls copy or do nothing. */
TERN_API const tern_comm *tern_comm_single(void);

#endif
