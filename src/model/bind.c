/* Every slot gets its tensor and every tensor its slot: a name that is missing, left over, or of
 * another shape is an error with its name. Under m->faults names and shapes are looked at only, no
 * byte of a weight is read, and every fault is kept: explain.c calls it so. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/memory.h"
#include "formats/faults.h"
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

/* The stored name that a row stands for: with the first of the family's prefixes under which there
 * is one. */
static const tern_stored *look_up(const tern_model *m, const tern_family_bind *b, int64_t layer, int64_t expert,
                                  char name[NAME_BYTES])
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

const tern_stored *tern_model_look_up(const tern_model *m, const tern_family_bind *b)
{
    char name[NAME_BYTES];
    return look_up(m, b, -1, -1, name);
}

static void show_shape(char *text, size_t size, int rank, const int64_t *shape)
{
    size_t n = 0;
    for (int i = 0; i < rank && n + 24 < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? ", " : "[", (long long)shape[i]);
    snprintf(text + n, size - n, "]");
}

/* A fault of a tensor: kept where they are collected, else the end of loading. */
static tern_status fault(tern_model *m, tern_status status, const char *format, ...) TERN_PRINTF(3, 4);

static tern_status fault(tern_model *m, tern_status status, const char *format, ...)
{
    char sentence[600];
    va_list args;
    va_start(args, format);
    tern_show_v(sentence, sizeof sentence, format, args);
    va_end(args);
    if (!m->faults) return tern_fail(m->ctx, status, "%s: %s", m->dir, sentence);
    tern_faults_add(m->faults, status, "%s", sentence);
    return TERN_OK;
}

/* The embedding may have more rows than the vocabulary (padding); everything else is exact. */
static bool fits(const tern_slot_shape *want, tern_slot slot, tern_how how, int rank, const int64_t *shape)
{
    for (int a = 0; a < want->n_shape; a++) {
        if (want->rank[a] != rank) continue;
        bool same = true;
        for (int i = 0; i < rank; i++) {
            bool transposed = (how == TRANSPOSE || (how == UNPAIR && rank == 3)) && i >= rank - 2;
            int64_t w = want->shape[a][transposed ? 2 * rank - 3 - i : i];
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
    static const tern_slot of_layers[] = { W_Q, W_K, W_V, W_QKV, W_O, W_GATE, W_UP, W_DOWN };
    for (size_t i = 0; i < sizeof of_layers / sizeof *of_layers; i++)
        if (slot == of_layers[i]) return USE_LAYER_MATRIX;
    bool bias_of_all = slot == W_EX_GATE_UP_ALL_B || slot == W_EX_DOWN_ALL_B;
    return want->n_shape == 1 && want->rank[0] >= 2 && !bias_of_all ? USE_MATRIX : USE_VECTOR;
}

static bool of_experts(tern_slot slot)
{
    return slot >= W_EX_GATE && slot <= W_EX_DOWN_ALL_B;
}

/* The bill: parameters, bytes, and what one token reads and multiplies with (of the experts, those
 * that it is sent to). */
static void count(tern_model *m, tern_slot slot, tern_use use, const tern_tensor *t)
{
    double n = (double)tern_tensor_count(t), bytes = n * (double)tern_dtype_bytes(t->dtype);
    double share = of_experts(slot) ? (double)tern_get(m->spec, S_EXPERTS_USED) / (double)tern_get(m->spec, S_EXPERTS)
                                    : 1;
    m->n_param += (int64_t)n;
    m->weight_bytes += (size_t)bytes;
    if (use == USE_TABLE) return;
    m->read_bytes += bytes * share;
    if (of_experts(slot)) m->expert_bytes += bytes;
    if (use == USE_MATRIX || use == USE_LAYER_MATRIX) m->matmul_params += n * share;
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
        /* under m->faults there, and never read */
        *out = tern_tensor_of(m, m->random_dtype, want.rank[0], want.shape[0]);
        if (!m->faults) {
            TERN_TRY(tern_model_random_tensor(m, want.rank[0], want.shape[0], &stored));
            TERN_TRY(tern_model_shape_tensor(m, name, stored, b->how == ADD_ONE ? ADD_ONE : AS_IS, use, out));
        }
        count(m, b->slot, use, out);
        return TERN_OK;
    }
    const tern_stored *found = look_up(m, b, layer, expert, name);
    if (!found) return TERN_OK;
    if (!fits(&want, b->slot, b->how, found->rank, found->shape)) {
        show_shape(has, sizeof has, found->rank, found->shape);
        show_shape(wants, sizeof wants, want.rank[0], want.shape[0]);
        if (m->faults && tern_checkpoint_mark(m->checkpoint, name)) out->data = m;
        return fault(m, TERN_ERR_FORMAT, "tensor %s has shape %s, and config.json asks for %s%s",
                     tern_show_name(name, shown), has, wants,
                     b->how == TRANSPOSE || b->how == UNPAIR ? " transposed" : "");
    }
    if (m->faults) {
        bool known = found->dtype == TERN_ST_F32 || found->dtype == TERN_ST_F16 || found->dtype == TERN_ST_BF16;
        tern_checkpoint_mark(m->checkpoint, name);
        out->data = m;    /* there, and never read */
        return known ? TERN_OK : fault(m, TERN_ERR_UNSUPPORTED, "tensor %s is stored as %s; weights are f32, f16 or "
                                       "bf16", tern_show_name(name, shown), tern_stored_dtype_name(found->dtype));
    }
    TERN_TRY(tern_checkpoint_take(m->ctx, m->checkpoint, name, &stored));
    TERN_TRY(tern_model_shape_tensor(m, name, stored, b->how, use, out));
    /* its copy is what is read from here on */
    if (out->data != stored.data) tern_map_drop(stored.data, found->n_bytes);
    count(m, b->slot, use, out);
done:
    return st;
}

/* The prefix that the files' names have. */
static const char *prefix_here(const tern_model *m)
{
    const char *const *prefix = m->spec->family->prefix;
    for (size_t i = 0; i < sizeof m->spec->family->prefix / sizeof *prefix && prefix[i]; i++)
        for (size_t t = 0; t < tern_checkpoint_count(m->checkpoint); t++)
            if (!strncmp(tern_checkpoint_at(m->checkpoint, t)->name, prefix[i], strlen(prefix[i]))) return prefix[i];
    return "";
}

static tern_status missing(tern_model *m, const tern_family_bind *b, int64_t layer, int64_t expert)
{
    char name[NAME_BYTES];
    expand(name, of_layer(b) || b->slot == W_EMBED ? prefix_here(m) : "", b->name, layer, expert);
    return fault(m, TERN_ERR_FORMAT, "tensor %s is missing (%s of %s)", name, tern_slot_name(b->slot),
                 m->spec->family->name);
}

/* Fills a slot from the rows [first, last) that name it. */
static tern_status bind_slot(tern_model *m, const tern_family_bind *first, const tern_family_bind *last, int64_t layer,
                             int64_t expert, tern_tensor *out)
{
    tern_status st = TERN_OK;
    bool wanted = false;
    if (m->embed_row.name && first->slot == W_EMBED) {
        first = &m->embed_row;
        last = first + 1;
    }
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
    int64_t n = tern_get(m->spec, b->slot == W_Q_NORM ? S_HEADS : S_KV_HEADS), dim = tern_get(m->spec, S_HEAD_DIM),
        shape[2] = { n, dim };
    if (b->key && !tern_spec_flag(m->spec, b->key, b->otherwise)) return TERN_OK;
    float *rows = tern_model_own(m, (size_t)(n * dim) * sizeof *rows, "norms of heads");
    if (!rows) return TERN_ERR_MEMORY;
    for (int64_t h = 0; h < n; h++) {
        tern_tensor one = { 0 };
        TERN_TRY(bind_slot(m, b, b + 1, layer, h, &one));
        if (m->faults) continue;
        if (tern_tensor_count(&one) != dim)
            return tern_fail(m->ctx, TERN_ERR_FORMAT,
                             "%s: the norm of head %lld of layer %lld has %lld elements, not %lld", m->dir,
                             (long long)h, (long long)layer, (long long)tern_tensor_count(&one), (long long)dim);
        memcpy(rows + h * dim, one.data, (size_t)dim * sizeof *rows);
    }
    *out = tern_tensor_of(rows, TERN_F32, 2, shape);
done:
    return st;
}

static tern_status bind_experts(tern_model *m, const tern_family_bind *first, const tern_family_bind *last,
                                int64_t layer, tern_tensor **out)
{
    tern_status st = TERN_OK;
    int64_t n = tern_get(m->spec, S_EXPERTS);
    *out = tern_alloc(m->ctx, (size_t)n, sizeof **out, "experts");
    if (!*out) return TERN_ERR_MEMORY;
    for (int64_t e = 0; e < n; e++) TERN_TRY(bind_slot(m, first, last, layer, e, &(*out)[e]));
done:
    return st;
}

/* No tensor of the files is left over. */
static tern_status explain_others(tern_model *m)
{
    const tern_family *f = m->spec->family;
    const char *ignorable[24];
    size_t n = 0;
    while (n < sizeof f->ignore / sizeof *f->ignore && f->ignore[n]) {
        ignorable[n] = f->ignore[n];
        n++;
    }
    /* of a model whose architecture has no head */
    if (tern_get(m->spec, S_TIED) && !tern_get(m->spec, S_LM_HEAD)) ignorable[n++] = "*lm_head.weight";
    if (!m->faults) return tern_checkpoint_finish(m->ctx, m->checkpoint, ignorable, n);
    tern_checkpoint_left_over(m->checkpoint, ignorable, n, m->faults);
    return TERN_OK;
}

/* Whether the files were saved from the bare model although config.json names the one with a head:
 * names without their prefix, and not one tensor of the head. Such a model gives hidden states. */
static bool saved_bare(const tern_model *m)
{
    static const tern_slot of_head[] = { W_HEAD, W_HEAD_B, W_TRANSFORM, W_TRANSFORM_B };
    const tern_family *f = m->spec->family;
    bool transforms = false, found = false;
    for (const tern_family_bind *b = f->binds; b < f->binds + f->n_bind; b++) {
        transforms |= b->slot == W_TRANSFORM;
        for (size_t i = 0; i < sizeof of_head / sizeof *of_head; i++)
            found |= b->slot == of_head[i] && tern_checkpoint_find(m->checkpoint, b->name);
    }
    return !found && f->prefix[0] && !*prefix_here(m) && (transforms || !tern_get(m->spec, S_TIED));
}

tern_status tern_model_bind(tern_model *m)
{
    tern_status st = TERN_OK;
    const tern_family *f = m->spec->family;
    if (!m->random && tern_get(m->spec, S_LM_HEAD) && saved_bare(m)) m->spec->value[S_LM_HEAD] = 0;
    int64_t n_layer = tern_get(m->spec, S_LAYERS);
    bool has_classes = false;
    if (!m->random) tern_model_settle_head(m);
    for (const tern_family_bind *b = f->binds, *end = f->binds + f->n_bind, *last; b < end; b = last) {
        for (last = b + 1; last < end && last->slot == b->slot && of_layer(last) == of_layer(b); last++) {}
        has_classes |= b->slot == W_CLASSIFY;
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
    if (!has_classes && tern_slot_applies(m->spec, W_CLASSIFY, -1))
        TERN_TRY(bind_slot(m, &tern_family_decoder_classes, &tern_family_decoder_classes + 1, -1, -1,
                           &m->slot[W_CLASSIFY]));
    if (!m->random) st = explain_others(m);
done:
    return st;
}
