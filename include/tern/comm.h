/* tern_comm: the ranks that share a model, and what they say to each other.
 *
 * A communicator is a table of calls, so that a host can bring its own. Every rank makes the same
 * calls in the same order; a call that cannot be finished returns an error instead of waiting for
 * ever, where its transport can tell. */
#ifndef TERN_COMM_H
#define TERN_COMM_H

#include <stdint.h>
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

/* ---- What a rank has of a parameter -------------------------------------------------------------
 * [first, first + n) of an axis: columns of what is multiplied first (q, k and v by heads, the
 * MLP's inner size), rows of what is multiplied second. */
typedef struct tern_part {
    int64_t first, n;
} tern_part;

/* Deals n out in whole grains, as evenly as they go, the first ranks one more; what is left behind
 * the last whole grain is the last rank's. Fewer than a grain a rank: one by one. TERN_ERR_ARGUMENT
 * rank, size or grain out of range | TERN_ERR_SHAPE a rank would have nothing.
 * Source: DeepSpeed module_inject/tp_shard.py (grain 64, or a KV head); inference/v2
 * model_implementations/sharding (grain 32 in an MLP). */
TERN_API tern_status tern_part_of(tern_ctx *ctx, int64_t n, int64_t grain, int rank, int size,
                                  tern_part *out);

/* Heads: q counts query heads, kv the KV heads that they look at. As many KV heads as query heads
 * are dealt out like grains; fewer go in equal numbers; fewer than ranks are held by several ranks
 * each, which share its query heads. TERN_ERR_SHAPE heads that do not divide so; the sentence has
 * the numbers.
 * Source: DeepSpeed inference/v2 model_implementations/sharding/qkv.py */
TERN_API tern_status tern_part_heads(tern_ctx *ctx, int64_t heads, int64_t kv, int rank, int size,
                                     tern_part *q, tern_part *k);

/* The same as columns of a fused projection [all q | all k | all v] of heads of dim: part[0],
 * part[1] and part[2]. */
TERN_API tern_status tern_part_qkv(tern_ctx *ctx, int64_t heads, int64_t kv, int64_t dim, int rank,
                                   int size, tern_part part[3]);

#endif
