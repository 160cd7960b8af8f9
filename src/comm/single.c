/* The communicator of one process: every collective is a copy or nothing. */
#include <string.h>
#include <tern/comm.h>

static tern_status all_reduce(void *self, tern_ctx *ctx, float *data, size_t n)
{
    (void)self;
    (void)ctx;
    (void)data;
    (void)n;
    return TERN_OK;
}

static tern_status copy(void *self, tern_ctx *ctx, const float *in, float *out, size_t n)
{
    (void)self;
    (void)ctx;
    if (n) memmove(out, in, n * sizeof *out);
    return TERN_OK;
}

static tern_status broadcast(void *self, tern_ctx *ctx, void *data, size_t n_bytes, int root)
{
    (void)self;
    (void)ctx;
    (void)data;
    (void)n_bytes;
    (void)root;
    return TERN_OK;
}

const tern_comm *tern_comm_single(void)
{
    static const tern_comm single = { .rank = 0, .size = 1, .all_reduce = all_reduce, .all_gather = copy,
                                      .all_to_all = copy, .broadcast = broadcast };
    return &single;
}
