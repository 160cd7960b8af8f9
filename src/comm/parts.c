/* Which part of a parameter a rank has: see tern/comm.h. Called by hosts that slice weights; calls
 * nothing. */
#include <tern/comm.h>

#include "base/ctx.h"

static tern_status check_rank(tern_ctx *ctx, int rank, int size)
{
    if (size < 1 || rank < 0 || rank >= size)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "rank %d of %d ranks", rank, size);
    return TERN_OK;
}

/* n units, the first ranks one more. */
static tern_part deal(int64_t n, int rank, int size)
{
    int64_t each = n / size, more = n % size;
    return (tern_part){ each * rank + (rank < more ? rank : more), each + (rank < more) };
}

tern_status tern_part_of(tern_ctx *ctx, int64_t n, int64_t grain, int rank, int size, tern_part *out)
{
    tern_status st = check_rank(ctx, rank, size);
    if (st) return st;
    if (grain < 1) return tern_fail(ctx, TERN_ERR_ARGUMENT, "a grain of %lld, not 1 or more", (long long)grain);
    if (n < size) return tern_fail(ctx, TERN_ERR_SHAPE, "%lld cannot be dealt out to %d ranks", (long long)n, size);
    if (n / grain < size) grain = 1;
    *out = deal(n / grain, rank, size);
    out->first *= grain;
    out->n *= grain;
    if (rank == size - 1) out->n = n - out->first;
    return TERN_OK;
}

tern_status tern_part_heads(tern_ctx *ctx, int64_t heads, int64_t kv, int rank, int size, tern_part *q, tern_part *k)
{
    tern_status st = check_rank(ctx, rank, size);
    if (st) return st;
    if (kv < 1 || heads < 1 || heads % kv)
        return tern_fail(ctx, TERN_ERR_SHAPE, "%lld heads are no multiple of %lld KV heads", (long long)heads,
                         (long long)kv);
    if (heads < size)
        return tern_fail(ctx, TERN_ERR_SHAPE, "%lld heads cannot be dealt out to %d ranks", (long long)heads, size);
    if (kv == heads) {
        *q = *k = deal(heads, rank, size);
        return TERN_OK;
    }
    int64_t group = heads / kv;
    if (kv >= size) {
        if (kv % size)
            return tern_fail(ctx, TERN_ERR_SHAPE, "%lld KV heads cannot be dealt out evenly to %d ranks", (long long)kv,
                             size);
        *k = deal(kv, rank, size);
        *q = (tern_part){ k->first * group, k->n * group };
        return TERN_OK;
    }
    if (size % kv)
        return tern_fail(ctx, TERN_ERR_SHAPE, "%d ranks cannot share %lld KV heads evenly", size, (long long)kv);
    int sharers = size / (int)kv;
    *k = (tern_part){ rank / sharers, 1 };
    *q = deal(group, rank % sharers, sharers);
    q->first += k->first * group;
    return TERN_OK;
}

tern_status tern_part_qkv(tern_ctx *ctx, int64_t heads, int64_t kv, int64_t dim, int rank, int size, tern_part part[3])
{
    tern_part q, k;
    tern_status st = tern_part_heads(ctx, heads, kv, rank, size, &q, &k);
    if (st) return st;
    if (dim < 1) return tern_fail(ctx, TERN_ERR_ARGUMENT, "heads of %lld channels", (long long)dim);
    part[0] = (tern_part){ q.first * dim, q.n * dim };
    part[1] = (tern_part){ (heads + k.first) * dim, k.n * dim };
    part[2] = (tern_part){ (heads + kv + k.first) * dim, k.n * dim };
    return TERN_OK;
}
