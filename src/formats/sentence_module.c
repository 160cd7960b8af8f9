/* The files of one module of sentence-transformers: Pooling, Dense, Normalize, LayerNorm, Dropout.
 * Called by sentence.c; calls the reader of safetensors. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/sentence_inside.h"

#define KEYS(...) (const char *const[]){ __VA_ARGS__, NULL }

bool tern_torch_activation(const char *name, tern_act *act)
{
    static const struct { const char *name; tern_act act;
    } acts[] = {
        { "Identity", ACT_NONE }, { "Tanh", ACT_TANH },     { "Sigmoid", ACT_SIGMOID },
        { "ReLU", ACT_RELU },     { "GELU", ACT_GELU_ERF }, { "SiLU", ACT_SILU },
    };
    const char *last = strrchr(name, '.');
    for (size_t i = 0; !strncmp(name, "torch.", 6) && i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(last + 1, acts[i].name)) continue;
        *act = acts[i].act;
        return true;
    }
    return false;
}

/* ---- Pooling ---- */

/* The modes by the name that "pooling_mode" takes, and by the older key, in the order in which
 * older keys are concatenated. */
static const struct { const char *name, *key; tern_pooling mode; } modes[] = {
    { "cls", "pooling_mode_cls_token", TERN_POOL_CLS },
    { "max", "pooling_mode_max_tokens", TERN_POOL_MAX },
    { "mean", "pooling_mode_mean_tokens", TERN_POOL_MEAN },
    { "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", TERN_POOL_MEAN_SQRT_LEN },
    { "weightedmean", "pooling_mode_weightedmean_tokens", TERN_POOL_WEIGHTED_MEAN },
    { "lasttoken", "pooling_mode_lasttoken", TERN_POOL_LAST },
};
enum { N_MODES = sizeof modes / sizeof *modes };

static tern_status add_mode(const settings *c, const json_t *name, tern_module *m)
{
    char shown[64];
    for (size_t i = 0; json_is_string(name) && i < N_MODES; i++) {
        if (strcmp(json_string_value(name), modes[i].name)) continue;
        if (m->n_mode == TERN_MOST_MODES)
            return tern_fail(c->ctx, TERN_ERR_LIMIT, "%s: \"pooling_mode\" lists more than %d modes", c->where,
                             TERN_MOST_MODES);
        m->mode[m->n_mode++] = modes[i].mode;
        return TERN_OK;
    }
    return tern_fail(c->ctx, TERN_ERR_UNSUPPORTED, "%s: there is no pooling mode %s", c->where,
                     tern_json_show(name, shown, sizeof shown));
}

/* "pooling_mode": a name or a list of them, which wins over the older keys; without any the
 * mean. */
static tern_status read_modes(const settings *c, tern_module *m)
{
    tern_status st = TERN_OK;
    const json_t *named = json_object_get(c->json, "pooling_mode");
    if (named && !json_is_array(named)) return add_mode(c, named, m);
    if (named && !json_array_size(named))
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"pooling_mode\" is an empty list", c->where);
    for (size_t i = 0; i < json_array_size(named); i++) TERN_TRY(add_mode(c, json_array_get(named, i), m));
    for (size_t i = 0; !named && i < N_MODES; i++) {
        bool on = false;
        TERN_TRY(settings_bool(c, modes[i].key, &on));
        if (on) m->mode[m->n_mode++] = modes[i].mode;
    }
    if (!m->n_mode) m->mode[m->n_mode++] = TERN_POOL_MEAN;
done:
    return st;
}

static tern_status read_pooling(const settings *c, tern_module *m)
{
    tern_status st = TERN_OK;
    int64_t dim = 0;    /* not read, in the reference either: the width is that of the tokens */
    m->kind = TERN_MODULE_POOLING;
    m->include_prompt = true;
    TERN_TRY(settings_known(c,
                            KEYS("embedding_dimension", "word_embedding_dimension", "pooling_mode", "include_prompt",
                                 modes[0].key, modes[1].key, modes[2].key, modes[3].key, modes[4].key, modes[5].key),
                            false));
    TERN_TRY(settings_count(c, "word_embedding_dimension", &dim));
    TERN_TRY(settings_count(c, "embedding_dimension", &dim));
    if (!dim) return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"embedding_dimension\" is missing", c->where);
    TERN_TRY(settings_bool(c, "include_prompt", &m->include_prompt));
    TERN_TRY(read_modes(c, m));
    snprintf(m->input, sizeof m->input, "%s", TERN_TOKEN_FEATURE);
done:
    return st;
}

/* ---- Modules with weights ---- */

static tern_status open_weights(tern_ctx *ctx, const char *dir, const char *folder, tern_module *m)
{
    char path[SENTENCE_PATH];
    if (snprintf(path, sizeof path, "%s/%s", dir, folder) >= (int)sizeof path)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: the path is too long", dir);
    return tern_checkpoint_open(ctx, path, &m->file);
}

/* A tensor of the module's file, of shape [out, in] or, in 0, [out]. */
static tern_status take(const settings *c, tern_module *m, const char *name, int64_t out, int64_t in, tern_tensor *t)
{
    tern_status st = tern_checkpoint_take(c->ctx, m->file, name, t);
    if (st) return st;
    if (t->rank == (in ? 2 : 1) && t->shape[0] == out && (!in || t->shape[1] == in)) return TERN_OK;
    if (in)
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: %s is not [%lld, %lld], as the settings say", c->where, name,
                         (long long)out, (long long)in);
    return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: %s is not [%lld], as the settings say", c->where, name,
                     (long long)out);
}

static tern_status read_activation(const settings *c, tern_module *m)
{
    const char *name = NULL;
    tern_status st = settings_text(c, "activation_function", &name);
    m->act = ACT_TANH;
    if (st || !json_object_get(c->json, "activation_function") || (name && tern_torch_activation(name, &m->act)))
        return st;
    if (!name) return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"activation_function\" is null", c->where);
    return tern_fail(
        c->ctx, TERN_ERR_UNSUPPORTED,
        "%s: \"activation_function\" is \"%s\"; torch's Tanh, Identity, Sigmoid, ReLU, GELU and SiLU are supported",
        c->where, name);
}

/* module_input_name and module_output_name. */
static tern_status read_features(const settings *c, tern_module *m)
{
    tern_status st = TERN_OK;
    const char *input = TERN_SENTENCE_FEATURE, *output = NULL;
    TERN_TRY(settings_text(c, "module_input_name", &input));
    TERN_TRY(settings_text(c, "module_output_name", &output));
    if (!output) output = input;
    if (strlen(input) >= sizeof m->input || strlen(output) >= sizeof m->output)
        return tern_fail(c->ctx, TERN_ERR_LIMIT, "%s: the name of a feature is longer than %d bytes", c->where,
                         TERN_FEATURE_NAME - 1);
    snprintf(m->input, sizeof m->input, "%s", input);
    snprintf(m->output, sizeof m->output, "%s", output);
done:
    return st;
}

static tern_status read_dense(const settings *c, const char *dir, const char *folder, tern_module *m)
{
    tern_status st = TERN_OK;
    int64_t in = 0, out = 0;
    bool bias = true;
    m->kind = TERN_MODULE_DENSE;
    TERN_TRY(settings_known(c,
                            KEYS("in_features", "out_features", "bias", "activation_function", "module_input_name",
                                 "module_output_name", "use_residual"),
                            true));
    TERN_TRY(settings_count(c, "in_features", &in));
    TERN_TRY(settings_count(c, "out_features", &out));
    if (!in || !out)
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"%s\" is missing", c->where,
                         in ? "out_features" : "in_features");
    TERN_TRY(settings_bool(c, "bias", &bias));
    TERN_TRY(settings_bool(c, "use_residual", &m->use_residual));
    TERN_TRY(read_activation(c, m));
    TERN_TRY(read_features(c, m));
    TERN_TRY(open_weights(c->ctx, dir, folder, m));
    TERN_TRY(take(c, m, "linear.weight", out, in, &m->weight));
    if (bias) TERN_TRY(take(c, m, "linear.bias", out, 0, &m->bias));
    if (m->use_residual && in != out) TERN_TRY(take(c, m, "residual.weight", out, in, &m->residual));
    TERN_TRY(tern_checkpoint_finish(c->ctx, m->file, NULL, 0));
done:
    return st;
}

static tern_status read_layer_norm(const settings *c, const char *dir, const char *folder, tern_module *m)
{
    tern_status st = TERN_OK;
    int64_t dim = 0;
    m->kind = TERN_MODULE_LAYER_NORM;
    TERN_TRY(settings_known(c, KEYS("dimension"), false));
    TERN_TRY(settings_count(c, "dimension", &dim));
    if (!dim) return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"dimension\" is missing", c->where);
    TERN_TRY(open_weights(c->ctx, dir, folder, m));
    TERN_TRY(take(c, m, "norm.weight", dim, 0, &m->weight));
    TERN_TRY(take(c, m, "norm.bias", dim, 0, &m->bias));
    TERN_TRY(tern_checkpoint_finish(c->ctx, m->file, NULL, 0));
done:
    return st;
}

static tern_status read_normalize(const settings *c, tern_module *m)
{
    m->kind = TERN_MODULE_NORMALIZE;    /* its other keys, whatever they are, mean nothing to the reference */
    return read_features(c, m);
}

/* ---- The table of classes ---- */

typedef enum class { POOLING, DENSE, NORMALIZE, LAYER_NORM, DROPOUT, N_CLASSES } class;
static const char *const class_names[N_CLASSES] = { "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout" };

static tern_status read_class(const settings *c, class kind, const char *dir, const char *folder, tern_module *m)
{
    switch (kind) {
    case POOLING: return read_pooling(c, m);
    case DENSE: return read_dense(c, dir, folder, m);
    case NORMALIZE: return read_normalize(c, m);
    case LAYER_NORM: return read_layer_norm(c, dir, folder, m);
    default: return settings_known(c, KEYS("dropout"), false);
    }
}

/* Normalize and Dropout have defaults for all settings, and in older versions no file. */
static tern_status open_settings(tern_ctx *ctx, const char *dir, const char *folder, class kind, settings *c)
{
    char path[SENTENCE_PATH];
    bool may_lack = kind == NORMALIZE || kind == DROPOUT;
    if (snprintf(path, sizeof path, "%s%sconfig.json", folder, *folder ? "/" : "") >= (int)sizeof path)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: the path is too long", dir);
    if (!may_lack || tern_file_exists(dir, path)) return settings_open(ctx, dir, folder, "config.json", c);
    *c = (settings){ .ctx = ctx, .json = json_object() };
    snprintf(c->where, sizeof c->where, "%s/modules.json: %s", dir, class_names[kind]);
    return c->json ? TERN_OK : tern_fail(ctx, TERN_ERR_MEMORY, "no memory for a module's settings");
}

tern_status sentence_module_read(tern_ctx *ctx, const char *dir, const char *folder, const char *name, tern_module *out,
                                 bool *computes)
{
    tern_status st = TERN_OK;
    settings c;
    class kind = 0;
    while (kind < N_CLASSES && strcmp(name, class_names[kind])) kind++;
    *computes = kind < N_CLASSES && kind != DROPOUT;
    *out = (tern_module){ .output = TERN_SENTENCE_FEATURE, .input = TERN_SENTENCE_FEATURE };
    if (kind == N_CLASSES)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "%s/modules.json: the module %s is not supported; Transformer, Pooling, Dense, Normalize, "
                         "LayerNorm and Dropout are",
                         dir, name);
    if (snprintf(out->folder, sizeof out->folder, "%s", folder) >= (int)sizeof out->folder)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s/modules.json: a path is longer than %zu bytes", dir,
                         sizeof out->folder - 1);
    TERN_TRY(open_settings(ctx, dir, folder, kind, &c));
    st = read_class(&c, kind, dir, folder, out);
    settings_close(&c);
done:
    return st;
}
