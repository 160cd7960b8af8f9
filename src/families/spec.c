/* Settings out of config.json by a family's rows: see spec.h. Called by src/model; calls
 * src/formats. */
#include "families/spec.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "base/ctx.h"
#include "base/memory.h"
#include "families/reference_keys.h"
#include "families/unknown.h"

typedef enum kind { INT, NUMBER, FLAG, CHOICE } kind;

static const struct { const char *name; kind kind; double fallback; } settings[N_SETTINGS] = {
#define X(name, kind, fallback) [S_##name] = { #name, kind, fallback },
    TERN_SETTINGS(X)
#undef X
};

/* Activations by the names of Hugging Face's ACT2FN. */
static const char *const act_names[] = { "silu", "swish", "gelu", "gelu_python", "gelu_new", "gelu_fast",
                                         "gelu_pytorch_tanh", "gelu_accurate", "quick_gelu", "relu", "relu2", "tanh",
                                         "sigmoid" };
static const tern_act acts[] = { ACT_SILU, ACT_SILU, ACT_GELU_ERF, ACT_GELU_ERF, ACT_GELU_TANH, ACT_GELU_TANH,
                                 ACT_GELU_TANH, ACT_GELU_TANH, ACT_QUICK_GELU, ACT_RELU, ACT_RELU_SQUARED, ACT_TANH,
                                 ACT_SIGMOID };

/* The largest value of a whole-number setting; the smallest is 1 for what must be there and for
 * what absence or null takes away, else 0. */
static int64_t most_of(tern_setting s)
{
    enum { MOST_DIM = 1 << 20, MOST_VOCAB = 1 << 26, MOST_POSITIONS = 1 << 30 };
    switch (s) {
    case S_LAYERS: return MOST_LAYERS;
    case S_VOCAB: return MOST_VOCAB;
    case S_MAX_POS: case S_WINDOW: return MOST_POSITIONS;
    default: return MOST_DIM;
    }
}

static int64_t least_of(tern_setting s)
{
    return settings[s].fallback == NEEDED || s == S_ROTARY_DIM || s == S_MAX_POS ? 1 : 0;
}

/* Reads key by the setting's kind into *value; false where it is absent, or refused (then a fault
 * is kept). */
static bool read_key(tern_hf_config *config, tern_setting s, const char *key, double *value)
{
    int64_t whole = 0;
    bool flag = false;
    int word = 0;
    switch (settings[s].kind) {
    case INT:
        if (!tern_hf_int(config, key, least_of(s), most_of(s), &whole)) return false;
        *value = (double)whole;
        return true;
    case NUMBER:
        return tern_hf_number(config, key, -1e30, 1e30, value);
    case FLAG:
        if (!tern_hf_bool(config, key, &flag)) return false;
        *value = flag;
        return true;
    default:
        if (!tern_hf_choice(config, key, act_names, (int)(sizeof act_names / sizeof *act_names), &word)) return false;
        *value = acts[word];
        return true;
    }
}

/* What a row has for a key that is absent: its own value, or other settings'. False where it has
 * none. */
static bool row_fallback(const tern_family_key *row, const double *value, double *out)
{
    bool derived = row->as && (!row->over || value[row->over - 1] != 0);
    if (row->has) *out = row->set;
    else if (derived)
        *out = value[row->as - 1] * (row->times != 0 ? row->times : 1) / (row->over ? value[row->over - 1] : 1);
    return row->has || derived;
}

void tern_spec_not_null(tern_hf_config *config, const char *key)
{
    if (tern_hf_is_null(config, key))
        tern_hf_refuse(config, TERN_ERR_FORMAT, "\"%s\" is null, and the class of this model computes with it", key);
}

/* A setting by its family's rows. A key of the file goes first; the others that are there are
 * checked as well. A key that is null stands for what other settings give, or for none at all, and
 * is refused where the row has a value of its own; an absent one for the class's default, or else
 * for the row's own. */
static bool read_setting(tern_hf_config *config, const tern_family *f, tern_setting which, const double *value,
                         double *out)
{
    bool known = false;
    for (size_t i = 0; i < f->n_key; i++) {
        const tern_family_key *row = &f->keys[i];
        if (row->setting != which || !row->key || !tern_hf_has(config, row->key)) continue;
        double read = *out;
        if (!read_key(config, which, row->key, &read) || known) continue;
        known = true;
        *out = read;
    }
    for (size_t i = 0; i < f->n_key && !known; i++) {
        const tern_family_key *row = &f->keys[i];
        if (row->setting != which || !row->key || !tern_hf_is_null(config, row->key)) continue;
        if (row->as) known = row_fallback(row, value, out);
        else known = settings[which].fallback != NEEDED;
        if (!row->as && (row->has || settings[which].kind == CHOICE)) tern_spec_not_null(config, row->key);
    }
    for (size_t i = 0; i < f->n_key && !known; i++) {
        const tern_family_key *row = &f->keys[i];
        if (row->setting != which) continue;
        bool absent = row->key && !tern_hf_has(config, row->key) && !tern_hf_is_null(config, row->key);
        known = (absent && read_key(config, which, row->key, out)) || row_fallback(row, value, out);
    }
    return known;
}

static void refuse_missing(tern_hf_config *config, const tern_family *f, tern_setting which)
{
    for (size_t k = 0; k < f->n_key; k++) {
        if (f->keys[k].setting != which || !f->keys[k].key || tern_hf_has(config, f->keys[k].key)) continue;
        tern_hf_refuse(config, TERN_ERR_FORMAT, "\"%s\" is missing", f->keys[k].key);
        return;
    }
}

static void read_settings(tern_hf_config *config, tern_spec *s)
{
    const tern_family *f = s->family;
    bool known[N_SETTINGS] = { false }, done[N_SETTINGS] = { false };
    for (int i = 0; i < N_SETTINGS; i++) s->value[i] = settings[i].fallback == NEEDED ? 0 : settings[i].fallback;
    for (size_t i = 0; i < f->n_key; i++) {
        tern_setting which = f->keys[i].setting;
        if (done[which]) continue;
        known[which] = read_setting(config, f, which, s->value, &s->value[which]);
        done[which] = true;
    }
    for (int i = 0; i < N_SETTINGS; i++) {
        if (settings[i].fallback != NEEDED || known[i]) continue;
        refuse_missing(config, f, (tern_setting)i);
        s->value[i] = 1;    /* so that what follows can be looked at too */
    }
    if (s->value[S_KV_HEADS] < 1) s->value[S_KV_HEADS] = s->value[S_HEADS];    /* as heads, which were missing */
}

static tern_status allocate_layers(tern_ctx *ctx, tern_spec *s)
{
    size_t n = (size_t)tern_get(s, S_LAYERS);
    s->windowed = tern_alloc(ctx, n, sizeof *s->windowed, "layers");
    s->sparse = tern_alloc(ctx, n, sizeof *s->sparse, "layers");
    s->rope_of = tern_alloc(ctx, n, sizeof *s->rope_of, "layers");
    return s->windowed && s->sparse && s->rope_of ? TERN_OK : TERN_ERR_MEMORY;
}

/* Which layers have the window and which have experts: "layer_types" where the config has it, else
 * the settings' patterns. */
static void choose_layers(tern_hf_config *config, tern_spec *s)
{
    static const char *const types[] = { "full_attention", "sliding_attention" };
    int64_t n = tern_get(s, S_LAYERS), every = tern_get(s, S_WINDOW_EVERY), step = tern_get(s, S_SPARSE_STEP);
    int type[MOST_LAYERS];
    size_t count = 0;
    bool listed = tern_hf_choices(config, "layer_types", types, 2, type, MOST_LAYERS, &count);
    if (listed && (int64_t)count != n)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "\"layer_types\" has %zu entries for %lld layers", count, (long long)n);
    for (int64_t l = 0; l < n; l++) {
        bool window = listed && l < (int64_t)count ? type[l] == 1 : every == 0 || (l + 1) % every != 0;
        s->windowed[l] = window && tern_get(s, S_WINDOW) > 0;
        bool contradicted = tern_get(s, S_WINDOW_ALL) && s->windowed[l] != (tern_get(s, S_WINDOW) > 0);
        if (contradicted)
            tern_hf_refuse(config, TERN_ERR_FORMAT, "\"layer_types\" gives layer %lld no window, and the class of this "
                           "model has one for all", (long long)l);
        if (listed && window && !s->windowed[l])
            tern_hf_refuse(config, TERN_ERR_FORMAT, "\"layer_types\" gives layer %lld a window, and there is none",
                           (long long)l);
        s->sparse[l] = tern_get(s, S_EXPERTS) > 0 && l >= tern_get(s, S_DENSE_FIRST) && step > 0 && (l + 1) % step == 0;
    }
}

/* Groups of experts are alike, and those that are chosen have enough experts; a group that is worth
 * its two best has two. */
static void check_groups(tern_hf_config *config, const tern_spec *s)
{
    int64_t n = tern_get(s, S_EXPERTS), groups = tern_get(s, S_ROUTE_GROUPS), used = tern_get(s, S_ROUTE_GROUPS_USED),
        chosen = tern_get(s, S_EXPERTS_USED);
    if (!n || groups == 1) return;
    bool right = groups > 0 && n % groups == 0 && used > 0 && used <= groups && chosen <= used * (n / groups) &&
                 n / groups >= (s->value[S_ROUTE_GROUP_PAIRS] != 0 ? 2 : 1);
    if (!right)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "%lld experts a token, of %lld groups among %lld, of %lld experts",
                       (long long)chosen, (long long)used, (long long)groups, (long long)n);
}

/* A window of 0 leaves a token nothing to look at; where no layer has one ("use_sliding_window" is
 * false) it means nothing. */
static void check_window(tern_hf_config *config, const tern_spec *s)
{
    bool stated = false;
    for (size_t i = 0; i < s->family->n_key; i++) {
        const tern_family_key *row = &s->family->keys[i];
        stated |= row->setting == S_WINDOW && row->key && tern_hf_has(config, row->key);
    }
    if (stated && tern_get(s, S_WINDOW) == 0 && tern_spec_flag(s, "use_sliding_window", true))
        tern_hf_refuse(config, TERN_ERR_FORMAT, "the window is 0, and must be an integer from 1, or null");
}

static void check_dims(tern_hf_config *config, const tern_spec *s)
{
    int64_t n_head = tern_get(s, S_HEADS), n_kv = tern_get(s, S_KV_HEADS), dim = tern_get(s, S_DIM),
        head_dim = tern_get(s, S_HEAD_DIM);
    if (s->value[S_HEAD_DIM] != floor(s->value[S_HEAD_DIM]))
        tern_hf_refuse(config, TERN_ERR_FORMAT, "a hidden size of %lld is no multiple of %lld heads", (long long)dim,
                       (long long)n_head);
    if (n_head % n_kv)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "%lld heads are no multiple of %lld key and value heads",
                       (long long)n_head, (long long)n_kv);
    if (head_dim > 65536)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "a head of %lld channels is wider than 65536", (long long)head_dim);
    if (tern_get(s, S_EXPERTS) &&
        (tern_get(s, S_EXPERTS_USED) < 1 || tern_get(s, S_EXPERTS_USED) > tern_get(s, S_EXPERTS)))
        tern_hf_refuse(config, TERN_ERR_FORMAT, "%lld experts a token of %lld", (long long)tern_get(s, S_EXPERTS_USED),
                       (long long)tern_get(s, S_EXPERTS));
    check_groups(config, s);
    check_window(config, s);
    if (s->value[S_EPS] < 0)
        tern_hf_refuse(config, TERN_ERR_FORMAT, "a norm's epsilon of %g is negative", s->value[S_EPS]);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* What stands on top of the layers, by the architecture's name: a head over the vocabulary,
 * classes, or nothing. */
static void choose_head(tern_hf_config *config, tern_spec *s)
{
    int64_t labels = 2;
    const json_t *names = tern_hf_value(config, "id2label");
    if (json_is_object(names)) labels = (int64_t)json_object_size(names);
    if (tern_hf_has(config, "num_labels")) tern_hf_int(config, "num_labels", 1, 1 << 20, &labels);
    bool classes = ends_with(s->architecture, "ForSequenceClassification");
    if (classes) s->value[S_LABELS] = (double)labels;
    if (classes || (ends_with(s->architecture, "Model") && !ends_with(s->architecture, "LMHeadModel")))
        s->value[S_LM_HEAD] = 0;
}

static bool rotary(const tern_spec *s)
{
    return tern_get(s, S_POSITION) == POS_ROPE_HALF || tern_get(s, S_POSITION) == POS_ROPE_PAIR;
}

/* One rope for all layers, unless the family's adjust has read its own. */
static tern_status read_rope(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    if (!rotary(s) || s->rope) return TERN_OK;
    int64_t head_dim = tern_get(s, S_ROPE_HEAD_DIM) ? tern_get(s, S_ROPE_HEAD_DIM) : tern_get(s, S_HEAD_DIM);
    s->rope = tern_alloc(ctx, 1, sizeof *s->rope, "a rope");
    if (!s->rope) return TERN_ERR_MEMORY;
    bool whole = true;
    for (size_t i = 0; i < s->family->n_key; i++)
        whole = whole && s->family->keys[i].setting != S_ROTARY_FRACTION && s->family->keys[i].setting != S_ROTARY_DIM;
    double partial = tern_get(s, S_ROTARY_DIM) ? s->value[S_ROTARY_DIM] / (double)head_dim
                                               : s->value[S_ROTARY_FRACTION];
    tern_rope_source source = { .whole = whole, .longrope_only = tern_get(s, S_LONGROPE_ONLY), .theta = 10000,
                                .partial = partial, .head_dim = head_dim, .max_tokens = tern_get(s, S_MAX_POS) };
    tern_rope_read(config, &source, s->rope);
    return TERN_OK;
}

/* tern_hf_class.reads, of a row of the generated table. Which tokens are special says this
 * checkpoint's tokenizer and generation_config.json, never a class's default. */
static bool class_reads(const void *user, const char *key, const char **fallback)
{
    const tern_reference_key *row = tern_reference_key_of(user, key);
    *fallback = row && !ends_with(key, "_token_id") ? row->fallback : NULL;
    return row && row->read;
}

/* The class of Hugging Face's by the config's model_type, or the family's where it has none. A
 * model_type that the table lacks is of a class that only its makers have: what it reads, and its
 * defaults, are not known. */
static void find_class(tern_hf_config *config, const tern_family *f, bool strict)
{
    const char *type = f->model_type[0];
    tern_hf_string(config, "model_type", &type);
    const tern_reference_class *c = tern_reference_class_of(type);
    tern_hf_set_class(config, (tern_hf_class){ .reads = c ? class_reads : NULL, .user = c }, strict);
}

static tern_status find_family(tern_hf_config *config, tern_spec *s)
{
    const char *architecture = tern_hf_architecture(config, 0), *type = NULL;
    tern_hf_string(config, "model_type", &type);
    s->architecture = architecture ? architecture : type;
    s->family = tern_family_find(architecture, type);
    const tern_family *by_type = type ? tern_family_find(NULL, type) : NULL;
    if (s->family && by_type && by_type != s->family)
        return tern_fail(tern_hf_ctx(config), TERN_ERR_UNSUPPORTED,
                         "%s: \"architectures\" is \"%s\", of the family %s, and \"model_type\" is \"%s\", of %s",
                         tern_hf_path(config), s->architecture, s->family->name, type, by_type->name);
    if (s->family) return TERN_OK;
    return tern_family_unknown(config, s->architecture);
}

tern_status tern_spec_read(tern_ctx *ctx, tern_hf_config *config, const tern_spec_options *options, tern_spec **out)
{
    tern_status st = TERN_OK;
    tern_spec *s;
    tern_hf_ignorable ignorable[sizeof s->family->no_effect / sizeof *s->family->no_effect];
    size_t n = 0;
    s = tern_alloc(ctx, 1, sizeof *s, "a model's settings");
    if (!s) return TERN_ERR_MEMORY;
    s->config = config;
    TERN_TRY(find_family(config, s));
    find_class(config, s->family, options->strict);
    read_settings(config, s);
    choose_head(config, s);
    TERN_TRY(allocate_layers(ctx, s));
    choose_layers(config, s);
    for (size_t i = 0; i < s->family->n_bind; i++)
        if (s->family->binds[i].key) tern_spec_flag(s, s->family->binds[i].key, s->family->binds[i].otherwise);
    if (s->family->adjust) TERN_TRY(s->family->adjust(ctx, config, s));
    tern_spec_direction(config, options->attention, s);
    check_dims(config, s);
    TERN_TRY(read_rope(ctx, config, s));
    if (s->rope) s->value[S_ROTARY_DIM] = (double)s->rope->n_dims;
    for (; n < sizeof ignorable / sizeof *ignorable && s->family->no_effect[n]; n++)
        ignorable[n] = (tern_hf_ignorable){ s->family->no_effect[n], NULL };
    TERN_TRY(tern_hf_finish(config, ignorable, n));
    *out = s;
    s = NULL;
done:
    tern_spec_free(s);
    return st;
}

void tern_spec_free(tern_spec *s)
{
    if (!s) return;
    if (s->rope) tern_rope_free(s->rope);
    if (s->rope_local) tern_rope_free(s->rope_local);
    tern_free(s->rope);
    tern_free(s->rope_local);
    tern_free(s->windowed);
    tern_free(s->sparse);
    tern_free(s->rope_of);
    tern_free(s);
}

bool tern_spec_flag(const tern_spec *s, const char *key, bool otherwise)
{
    bool value = otherwise;
    if (otherwise) tern_spec_not_null(s->config, key);
    tern_hf_bool(s->config, key, &value);
    return value;
}
