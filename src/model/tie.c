/* A head that config.json ties to the embedding, where the files store one, too. Called by bind.c
 * before anything is bound; calls the checkpoint.
 *
 * What the files hold decides, as in transformers 5.24 (PreTrainedModel.tie_weights): a head that
 * equals the embedding is the embedding; one that differs is used as it is stored, with a warning;
 * a head without an embedding is the embedding, too. A bias that lies in the files under two names
 * is the head's own where the two differ. tests/golden/tied has that version's values for each
 * case. */
#include <string.h>

#include "base/ctx.h"
#include "base/dtype.h"
#include "model/internal.h"

static float value_at(const tern_stored *t, int64_t i)
{
    switch (t->dtype) {
    case TERN_ST_F32: {
        float v;
        memcpy(&v, t->data + 4 * i, sizeof v);
        return v;
    }
    default: {
        uint16_t bits;
        memcpy(&bits, t->data + 2 * i, sizeof bits);
        return t->dtype == TERN_ST_BF16 ? tern_f32_from_bf16(bits) : tern_f32_from_f16(bits);
    }
    }
}

static bool is_float(const tern_stored *t)
{
    return t->dtype == TERN_ST_F32 || t->dtype == TERN_ST_F16 || t->dtype == TERN_ST_BF16;
}

/* The first n numbers of both, as f32. A NaN equals nothing, so what has one counts as
 * different. */
static bool same_values(const tern_stored *a, const tern_stored *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (value_at(a, i) != value_at(b, i)) return false;
    return true;
}

/* The i-th row of a slot that the files have a tensor for; null: no more of them. */
static const tern_stored *stored_of(const tern_model *m, tern_slot slot, int i, const tern_family_bind **row)
{
    const tern_family *f = m->spec->family;
    for (const tern_family_bind *b = f->binds; b < f->binds + f->n_bind; b++) {
        const tern_stored *found = b->slot == slot ? tern_model_look_up(m, b) : NULL;
        if (!found || i--) continue;
        if (row) *row = b;
        return found;
    }
    return NULL;
}

/* A second tensor of the head's bias: marked, and looked at. */
static void settle_bias(tern_model *m)
{
    char shown[2][TERN_SHOWN_BYTES];
    const tern_stored *used = stored_of(m, W_HEAD_B, 0, NULL), *other = stored_of(m, W_HEAD_B, 1, NULL);
    if (!other) return;
    tern_checkpoint_mark(m->checkpoint, other->name);
    bool same_shape = used->rank == other->rank &&
                      !memcmp(used->shape, other->shape, (size_t)used->rank * sizeof *used->shape);
    if (m->faults || (same_shape && is_float(used) && is_float(other) && same_values(used, other, used->shape[0])))
        return;
    tern_log(m->ctx, TERN_LOG_WARNING, "%s: tensors %s and %s of one bias differ: the first is used", m->dir,
             tern_show_name(used->name, shown[0]), tern_show_name(other->name, shown[1]));
}

void tern_model_settle_head(tern_model *m)
{
    char shown[2][TERN_SHOWN_BYTES];
    if (!tern_get(m->spec, S_LM_HEAD)) return;
    settle_bias(m);
    if (!tern_get(m->spec, S_TIED)) return;
    const tern_family_bind *row = NULL;
    const tern_stored *head = stored_of(m, W_HEAD, 0, &row), *embed = stored_of(m, W_EMBED, 0, NULL);
    if (!head) return;
    if (!embed) {
        m->embed_row = *row;
        m->embed_row.slot = W_EMBED;
        return;
    }
    bool fits = head->rank == 2 && embed->rank == 2 && head->shape[0] >= tern_get(m->spec, S_VOCAB) &&
                head->shape[1] == embed->shape[1] && is_float(head) && is_float(embed);
    bool covers = fits && embed->shape[0] >= tern_get(m->spec, S_VOCAB);
    if (covers && (m->faults || same_values(head, embed, tern_get(m->spec, S_VOCAB) * head->shape[1]))) {
        tern_checkpoint_mark(m->checkpoint, head->name);
        return;
    }
    m->spec->value[S_TIED] = 0;    /* bound like any other head, or refused for its shape or type */
    if (covers)
        tern_log(m->ctx, TERN_LOG_WARNING, "%s: config.json ties the head to the embedding, and tensor %s differs from "
                 "%s: it is used as it is stored; \"tie_word_embeddings\": false would say so", m->dir,
                 tern_show_name(head->name, shown[0]), tern_show_name(embed->name, shown[1]));
}
