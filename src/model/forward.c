/* One ragged batch through a model: embedding, layers, head. Called by the engine; calls layers and
 * primitives. */
#include <string.h>

#include "base/ctx.h"
#include "base/fp.h"
#include "formats/rope.h"
#include "model/internal.h"

/* Angles of the batch's rows for one kind of rope: [n_row, n] of cos and sin. */
typedef struct angles {
    tern_tensor cos, sin;
} angles;

static tern_status rotation_rows(tern_model *m, const tern_rope_plan *rope, int64_t length, const int32_t *position,
                                 int64_t first, int64_t n_row, float *inv_freq, angles *out)
{
    int64_t n = rope->n_dims / 2;
    tern_rope_frequencies(rope, length, inv_freq);
    return m->ctx->backend->rope_table(m->ctx, &(tern_rope_table){ .position = position + first, .inv_freq = inv_freq,
                                                                   .magnitude = (float)rope->magnitude,
                                                                   .cos = (float *)out->cos.data + first * n,
                                                                   .sin = (float *)out->sin.data + first * n,
                                                                   .n_row = n_row, .n = n });
}

static tern_status make_angles(tern_model *m, const tern_rope_plan *rope, const tern_step *step,
                               const int32_t *position, angles *out)
{
    tern_status st = TERN_OK;
    const tern_ragged *b = step->batch;
    int64_t n = rope->n_dims / 2, shape[2] = { b->n_row, n };
    tern_arena *arena = &m->ctx->step;
    float *inv_freq = tern_arena_get(m->ctx, arena, (size_t)n, sizeof *inv_freq);
    out->cos = tern_tensor_of(tern_arena_get(m->ctx, arena, (size_t)(b->n_row * n), sizeof(float)), TERN_F32, 2, shape);
    out->sin = tern_tensor_of(tern_arena_get(m->ctx, arena, (size_t)(b->n_row * n), sizeof(float)), TERN_F32, 2, shape);
    if (!inv_freq || !out->cos.data || !out->sin.data) return TERN_ERR_MEMORY;
    if (!tern_rope_depends_on_length(rope)) return rotation_rows(m, rope, 0, position, 0, b->n_row, inv_freq, out);
    for (int32_t s = 0; s < b->n_seq; s++) {
        int64_t length = step->length ? step->length[s] : b->past[s] + b->n_tok[s];
        TERN_TRY(rotation_rows(m, rope, length, position, b->row[s], b->n_tok[s], inv_freq, out));
    }
done:
    return st;
}

static int64_t rope_tokens(const tern_rope_plan *rope, bool *restarts)
{
    if (!rope || !tern_rope_depends_on_length(rope)) return 0;
    *restarts = rope->type == TERN_ROPE_LONGROPE;
    return *restarts ? rope->original_tokens : rope->max_tokens;
}

int64_t tern_model_rope_tokens(const tern_model *m, bool *restarts)
{
    *restarts = false;
    int64_t n = rope_tokens(m->spec->rope, restarts);
    return n ? n : rope_tokens(m->spec->rope_local, restarts);
}

/* Where each row stands: past, past + 1, ... of its sequence. A padding token of the families that
 * number behind it stands before the first position. */
static const int32_t *positions_of(tern_model *m, const tern_step *step)
{
    if (step->position) return step->position;
    const tern_ragged *b = step->batch;
    int64_t pad = tern_get(m->spec, S_POS_PAD);
    int32_t *position = tern_arena_get(m->ctx, &m->ctx->step, (size_t)b->n_row, sizeof *position);
    for (int32_t s = 0; position && s < b->n_seq; s++) {
        int32_t next = b->past[s];
        for (int32_t r = b->row[s]; r < b->row[s] + b->n_tok[s]; r++) position[r] = step->id[r] == pad ? -1 : next++;
    }
    return position;
}

static tern_status refuse_id(const tern_model *m, const char *what, size_t at, const char *name, int32_t id,
                             const char *limit, int64_t most)
{
    return tern_fail(m->ctx, TERN_ERR_ARGUMENT, "%s: %s %zu is %d, outside %s of %lld", what, name, at, (int)id, limit,
                     (long long)most);
}

static tern_status check_ids(const tern_model *m, const char *what, const int32_t *id, const int32_t *type_id, size_t n)
{
    int64_t vocab = tern_get(m->spec, S_VOCAB), types = tern_get(m->spec, S_TYPES);
    for (size_t i = 0; i < n; i++) {
        if (id[i] < 0 || id[i] >= vocab) return refuse_id(m, what, i, "token id", id[i], "the vocabulary", vocab);
        if (type_id && types && (type_id[i] < 0 || type_id[i] >= types))
            return refuse_id(m, what, i, "token type", type_id[i], "the model's types", types);
    }
    return TERN_OK;
}

tern_status tern_model_check_tokens(const tern_model *m, const char *what, const int32_t *id, const int32_t *type_id,
                                    size_t n)
{
    int64_t most = tern_model_get_info(m).max_tokens;
    if (most && n > (size_t)most)
        return tern_fail(m->ctx, TERN_ERR_LIMIT, "%s has %zu tokens, more than the %lld of this model", what, n,
                         (long long)most);
    return check_ids(m, what, id, type_id, n);
}

/* The last look before tables are read: nothing that a caller overlooked reads behind one. */
static tern_status check_rows(const tern_model *m, const tern_step *step, const int32_t *position)
{
    const tern_tensor *table = &m->embedding.position;
    int64_t offset = m->embedding.position_offset, n_row = step->batch->n_row;
    tern_status st = check_ids(m, "a row of the batch", step->id, step->type_id, (size_t)n_row);
    for (int64_t i = 0; !st && table->data && i < n_row; i++)
        if (position[i] + offset < 0 || position[i] + offset >= table->shape[0])
            st = tern_fail(m->ctx, TERN_ERR_LIMIT, "position %d of a batch is outside the model's table of %lld",
                           (int)position[i], (long long)(table->shape[0] - offset));
    return st;
}

/* Whether the last layer makes the wanted rows alone behind its attention. It takes copies of them,
 * which are to be no more memory than it saves. */
static bool few_rows_leave(const tern_step *step)
{
    return step->n_out && 2 * step->n_out <= step->batch->n_row && !step->after_layer;
}

/* x through every layer, between two buffers; returns the one that holds the result in *x: all
 * rows, or the few that leave. */
static tern_status run_layers(tern_model *m, const tern_step *step, const int32_t *position, float **x, float **y)
{
    tern_status st = TERN_OK;
    const tern_spec *s = m->spec;
    int64_t n_layer = tern_get(s, S_LAYERS), n_row = step->batch->n_row, shape[3] = { 1, n_row, tern_get(s, S_DIM) };
    angles global = { 0 }, local = { 0 };
    if (s->rope) TERN_TRY(make_angles(m, s->rope, step, position, &global));
    if (s->rope_local) TERN_TRY(make_angles(m, s->rope_local, step, position, &local));
    for (int64_t l = 0; l < n_layer; l++) {
        int64_t n_out = l == n_layer - 1 && few_rows_leave(step) ? step->n_out : 0,
            out_shape[3] = { 1, n_out ? n_out : n_row, shape[2] };
        const angles none = { 0 };
        const angles *a = &global;
        if (s->rope_of[l] == ROPE_LOCAL) a = &local;
        else if (s->rope_of[l] == ROPE_NONE) a = &none;
        TERN_TRY(tern_transformer_layer_run(m->layers[l].layer, &(tern_transformer_layer_args){
            .input = tern_tensor_of(*x, TERN_F32, 3, shape), .output = tern_tensor_of(*y, TERN_F32, 3, out_shape),
            .out_row = step->out_row, .n_out = n_out, .layer = step->kv->n_layer == 1 ? 0 : l, .kv = step->kv,
            .batch = step->batch, .alibi = m->alibi, .cos = a->cos, .sin = a->sin }));
        float *swap = *x;
        *x = *y;
        *y = swap;
        if (step->after_layer) step->after_layer(step->after_layer_user, l, *x);
    }
done:
    return st;
}

/* Weights that lie in a file which was cut or written to are not read. Looking costs a microsecond
 * a file. */
tern_status tern_model_intact(const tern_model *m)
{
    return m->checkpoint ? tern_checkpoint_unchanged(m->ctx, m->checkpoint) : TERN_OK;
}

tern_status tern_model_cut(const tern_model *m)
{
    return m->checkpoint ? tern_checkpoint_cut(m->ctx, m->checkpoint) : TERN_OK;
}

tern_status tern_model_step(tern_model *m, const tern_step *step)
{
    tern_status st = TERN_OK;
    tern_ctx *ctx = m->ctx;
    int64_t n_row = step->batch->n_row, dim = tern_get(m->spec, S_DIM);
    if (n_row == 0) return TERN_OK;
    TERN_OWN_FP(ctx);
    if ((st = tern_model_intact(m))) return st;
    tern_mark mark = tern_arena_mark(&ctx->step);
    float *x = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * dim), sizeof *x),
        *y = tern_arena_get(ctx, &ctx->step, (size_t)(n_row * dim), sizeof *y);
    const int32_t *position = positions_of(m, step);
    if (!x || !y || !position) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    TERN_TRY(check_rows(m, step, position));
    TERN_TRY(tern_embedding_run(ctx, &m->embedding, n_row, step->id, position, step->type_id, x));
    if (step->after_layer) step->after_layer(step->after_layer_user, -1, x);
    TERN_TRY(run_layers(m, step, position, &x, &y));
    if (step->n_out) {
        if (!few_rows_leave(step)) {
            TERN_TRY(ctx->backend->gather_rows(ctx, &(tern_gather_rows){ .x = x, .out = y, .token =
                step->out_row, .ldx = dim, .ldout = dim, .n_route = step->n_out, .dim = dim }));
            x = y;
        }
        TERN_TRY(tern_head_run(ctx, &m->head, step->n_out, x, dim, step->hidden, step->logits));
    }
    TERN_TRY(tern_model_cut(m));
done:
    tern_arena_reset(&ctx->step, mark);
    return st;
}
