/* Every slot gets its tensor and every tensor its slot: a name that is missing, left over, or of another shape is an error with its name. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "formats/words.h"
#include "model/internal.h"

enum { NAME_BYTES = 256 };

/* A name with its layer's number and the index of its expert or head. */
static void expand(char out[NAME_BYTES], const char *prefix, const char *name, int64_t layer, int64_t index)
{
    size_t n = (size_t)snprintf(out, NAME_BYTES, "%s", prefix);
    for (const char *p = name; *p && n + 24 < NAME_BYTES;) {
        bool l = !strncmp(p, "{l}", 3), e = !strncmp(p, "{e}", 3) || !strncmp(p, "{h}", 3);
        if (l || e) {
            n += (size_t)snprintf(out + n, NAME_BYTES - n, "%lld", (long long)(l ? layer : index));
            p += 3;
        } else {
            out[n++] = *p++;
            out[n] = 0;
        }
    }
}

static bool of_layer(const tern_family_bind *b)
{
    return strstr(b->name, "{l}") != NULL;
}

static bool of_expert(const tern_family_bind *b)
{
    return strstr(b->name, "{e}") != NULL;
}

/* The stored name that a row stands for: with the first of the family's prefixes under which there is one. */
static const tern_stored *look_up(const tern_model *m, const tern_family_bind *b, int64_t layer, int64_t expert, char name[NAME_BYTES])
{
    const tern_family *f = m->spec->family;
    const tern_stored *found = NULL;
    for (size_t i = 0; !found && i < sizeof f->prefix / sizeof *f->prefix && f->prefix[i]; i++) {
        expand(name, f->prefix[i], b->name, layer, expert);
        found = tern_checkpoint_find(m->checkpoint, name);
    }
    if (!found) {
        expand(name, "", b->name, layer, expert);
        found = tern_checkpoint_find(m->checkpoint, name);
    }
    return found;
}

static void show_shape(char *text, size_t size, int rank, const int64_t *shape)
{
    size_t n = 0;
    for (int i = 0; i < rank && n + 24 < size; i++) n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? ", " : "[", (long long)shape[i]);
    snprintf(text + n, size - n, "]");
}

/* The embedding may have more rows than the vocabulary (padding); everything else is exact. */
static bool fits(const tern_slot_shape *want, tern_slot slot, tern_how how, int rank, const int64_t *shape)
{
    for (int a = 0; a < want->n_shape; a++) {
        if (want->rank[a] != rank) continue;
        bool same = true;
        for (int i = 0; i < rank; i++) {
            bool turned = (how == TRANSPOSE || (how == UNPAIR && rank == 3)) && i >= rank - 2;
            int64_t w = want->shape[a][turned ? 2 * rank - 3 - i : i];
            bool padded = i == 0 && (slot == W_EMBED || slot == W_HEAD || slot == W_HEAD_B) && shape[i] > w;
            same &= shape[i] == w || padded;
        }
        if (same) return true;
    }
    return false;
}

static tern_use use_of(tern_slot slot, const tern_slot_shape *want)
{
    if (slot == W_EMBED || slot == W_POS || slot == W_TYPE) return USE_TABLE;
    bool bias_of_all = slot == W_EX_GATE_UP_ALL_B || slot == W_EX_DOWN_ALL_B;
    return want->n_shape == 1 && want->rank[0] >= 2 && !bias_of_all ? USE_MATRIX : USE_VECTOR;
}

static bool of_experts(tern_slot slot)
{
    return slot >= W_EX_GATE && slot <= W_EX_DOWN_ALL_B;
}

/* The bill: parameters, bytes, and what one token reads and multiplies with (of the experts, those that it is sent to). */
static void count(tern_model *m, tern_slot slot, tern_use use, const tern_tensor *t)
{
    double n = (double)tern_tensor_count(t), bytes = n * (double)tern_dtype_bytes(t->dtype);
    double share = of_experts(slot) ? (double)tern_get(m->spec, S_EXPERTS_USED) / (double)tern_get(m->spec, S_EXPERTS) : 1;
    m->n_param += (int64_t)n;
    m->weight_bytes += (size_t)bytes;
    if (use == USE_TABLE) return;
    m->read_bytes += bytes * share;
    if (use == USE_MATRIX) m->matmul_params += n * share;
}

static tern_status bind_one(tern_model *m, const tern_family_bind *b, int64_t layer, int64_t expert, tern_tensor *out)
{
    tern_status st = TERN_OK;
    char name[NAME_BYTES], has[96], wants[96], shown[TERN_SHOWN_BYTES];
    tern_slot_shape want = tern_slot_shape_of(m->spec, b->slot);
    tern_use use = use_of(b->slot, &want);
    tern_tensor stored;
    if (m->random) {
        expand(name, "", b->name, layer, expert);
        TERN_TRY(tern_model_random_tensor(m, want.rank[0], want.shape[0], &stored));
        TERN_TRY(tern_model_shape_tensor(m, name, stored, b->how == ADD_ONE ? ADD_ONE : AS_IS, use, out));
        count(m, b->slot, use, out);
        return TERN_OK;
    }
    const tern_stored *found = look_up(m, b, layer, expert, name);
    if (!found) return TERN_OK;
    if (!fits(&want, b->slot, b->how, found->rank, found->shape)) {
        show_shape(has, sizeof has, found->rank, found->shape);
        show_shape(wants, sizeof wants, want.rank[0], want.shape[0]);
        return tern_fail(m->ctx, TERN_ERR_FORMAT, "%s: tensor %s has shape %s, and config.json asks for %s%s", m->dir, tern_show_name(name, shown), has, wants,
                         b->how == TRANSPOSE || b->how == UNPAIR ? " transposed" : "");
    }
    TERN_TRY(tern_checkpoint_take(m->ctx, m->checkpoint, name, &stored));
    TERN_TRY(tern_model_shape_tensor(m, name, stored, b->how, use, out));
    count(m, b->slot, use, out);
done:
    return st;
}

static tern_status missing(tern_model *m, const tern_family_bind *b, int64_t layer, int64_t expert)
{
    char name[NAME_BYTES];
    expand(name, "", b->name, layer, expert);
    return tern_fail(m->ctx, TERN_ERR_FORMAT, "%s: tensor %s is missing (%s of %s)", m->dir, name, tern_slot_name(b->slot), m->spec->family->name);
}

/* Fills a slot from the rows [first, last) that name it. */
static tern_status bind_slot(tern_model *m, const tern_family_bind *first, const tern_family_bind *last, int64_t layer, int64_t expert, tern_tensor *out)
{
    tern_status st = TERN_OK;
    bool wanted = false;
    for (const tern_family_bind *b = first; !out->data && b < last; b++) {
        if (b->key && !tern_spec_flag(m->spec, b->key, b->otherwise)) continue;
        if (m->random && b->optional) continue;
        wanted |= !b->optional;
        TERN_TRY(bind_one(m, b, layer, expert, out));
    }
    if (!out->data && wanted) st = missing(m, first, layer, expert);
done:
    return st;
}

/* A vector of each head, one below the other: [heads, head_dim]. */
static tern_status bind_heads(tern_model *m, const tern_family_bind *b, int64_t layer, tern_tensor *out)
{
    tern_status st = TERN_OK;
    int64_t n = tern_get(m->spec, b->slot == W_Q_NORM ? S_HEADS : S_KV_HEADS), dim = tern_get(m->spec, S_HEAD_DIM), shape[2] = { n, dim };
    if (b->key && !tern_spec_flag(m->spec, b->key, b->otherwise)) return TERN_OK;
    float *rows = tern_model_own(m, (size_t)(n * dim) * sizeof *rows, "norms of heads");
    if (!rows) return TERN_ERR_MEMORY;
    for (int64_t h = 0; h < n; h++) {
        tern_tensor one = { 0 };
        TERN_TRY(bind_slot(m, b, b + 1, layer, h, &one));
        if (tern_tensor_count(&one) != dim) return tern_fail(m->ctx, TERN_ERR_FORMAT, "%s: the norm of head %lld of layer %lld has %lld elements, not %lld", m->dir, (long long)h,
                                                             (long long)layer, (long long)tern_tensor_count(&one), (long long)dim);
        memcpy(rows + h * dim, one.data, (size_t)dim * sizeof *rows);
    }
    *out = tern_tensor_of(rows, TERN_F32, 2, shape);
done:
    return st;
}

static tern_status bind_experts(tern_model *m, const tern_family_bind *first, const tern_family_bind *last, int64_t layer, tern_tensor **out)
{
    tern_status st = TERN_OK;
    int64_t n = tern_get(m->spec, S_EXPERTS);
    *out = tern_alloc(m->ctx, (size_t)n, sizeof **out, "experts");
    if (!*out) return TERN_ERR_MEMORY;
    for (int64_t e = 0; e < n; e++) TERN_TRY(bind_slot(m, first, last, layer, e, &(*out)[e]));
done:
    return st;
}

tern_status tern_model_bind(tern_model *m)
{
    tern_status st = TERN_OK;
    const tern_family *f = m->spec->family;
    int64_t n_layer = tern_get(m->spec, S_LAYERS);
    const char *ignorable[24];
    size_t n_ignorable = 0;
    for (const tern_family_bind *b = f->binds, *end = f->binds + f->n_bind, *last; b < end; b = last) {
        for (last = b + 1; last < end && last->slot == b->slot && of_layer(last) == of_layer(b); last++) {}
        if (!of_layer(b)) {
            if (tern_slot_applies(m->spec, b->slot, -1)) TERN_TRY(bind_slot(m, b, last, -1, -1, &m->slot[b->slot]));
            continue;
        }
        for (int64_t l = 0; l < n_layer; l++) {
            tern_model_layer *layer = &m->layers[l];
            if (!tern_slot_applies(m->spec, b->slot, l)) continue;
            if (strstr(b->name, "{h}")) TERN_TRY(bind_heads(m, b, l, &layer->slot[b->slot]));
            else if (of_expert(b)) TERN_TRY(bind_experts(m, b, last, l, &layer->expert[b->slot]));
            else TERN_TRY(bind_slot(m, b, last, l, -1, &layer->slot[b->slot]));
        }
    }
    if (m->random) return TERN_OK;
    while (n_ignorable < sizeof f->ignore / sizeof *f->ignore && f->ignore[n_ignorable]) {
        ignorable[n_ignorable] = f->ignore[n_ignorable];
        n_ignorable++;
    }
    if (tern_get(m->spec, S_TIED)) ignorable[n_ignorable++] = "*lm_head.weight";    /* stored by some although it is the embedding */
    st = tern_checkpoint_finish(m->ctx, m->checkpoint, ignorable, n_ignorable);
done:
    return st;
}
