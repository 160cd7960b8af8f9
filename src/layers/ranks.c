/* Sums over the ranks that share a layer. Called by transformer.c and moe.c; calls the
 * communicator. */
#include "base/ctx.h"
#include "layers/layers.h"

tern_status tern_ranks_sum(tern_ctx *ctx, const tern_comm *comm, tern_tensor *x)
{
    if (comm->size == 1) return TERN_OK;
    tern_status st = TERN_OK;
    size_t n = (size_t)tern_tensor_count(x);
    tern_mark mark = tern_arena_mark(&ctx->step);
    bool narrow = x->dtype != TERN_F32;
    float *wide = narrow ? tern_arena_get(ctx, &ctx->step, n, sizeof *wide) : x->data;
    if (!wide) return TERN_ERR_MEMORY;
    tern_convert convert = { .from = x->data, .to = wide, .from_dtype = x->dtype, .to_dtype = TERN_F32,
                             .n = (int64_t)n };
    if (narrow) TERN_TRY(ctx->backend->convert(ctx, &convert));
    TERN_TRY(comm->all_reduce(comm->self, ctx, wide, n));
    convert = (tern_convert){ .from = wide, .to = x->data, .from_dtype = TERN_F32, .to_dtype = x->dtype,
                              .n = (int64_t)n };
    if (narrow) TERN_TRY(ctx->backend->convert(ctx, &convert));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
