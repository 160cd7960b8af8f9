/* Reads a rope's description out of config.json, in its old and its new spelling: see rope.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "formats/rope.h"

static const char *const type_names[] = { "default", "linear", "dynamic", "yarn", "llama3", "longrope", "su" };

enum { WORD_SU = 6, MAX_FACTORS = 4096 };

/* Where the description lies: prefix is "rope_parameters", "rope_parameters.full_attention",
 * "rope_scaling", or "" for none. */
typedef struct place {
    tern_hf_config *config;
    const char *prefix;
    char key[160];
} place;

static const char *at(place *p, const char *name)
{
    snprintf(p->key, sizeof p->key, "%s.%s", p->prefix, name);
    return p->key;
}

static bool number(place *p, const char *name, double lowest, double highest, double *value)
{
    return *p->prefix && tern_hf_number(p->config, at(p, name), lowest, highest, value);
}

/* A value under any of its spellings, the one within the rope's description first. All that are
 * there must say the same: some versions of transformers write two or three of them. old is ended
 * by null. */
static void number_or_old(place *p, const char *name, const char *const *old, double lowest, double highest,
                          double *value)
{
    char from[sizeof p->key] = "";
    if (number(p, name, lowest, highest, value)) snprintf(from, sizeof from, "%s", at(p, name));
    for (size_t i = 0; old[i]; i++) {
        double other = *value;
        if (!tern_hf_has(p->config, old[i]) || !tern_hf_number(p->config, old[i], lowest, highest, &other)) continue;
        if (*from && other != *value)
            tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"%s\" is %g and \"%s\" is %g", from, *value, old[i], other);
        if (*from) continue;
        *value = other;
        snprintf(from, sizeof from, "%s", old[i]);
    }
    for (size_t i = 0; !*from && old[i]; i++)
        if (tern_hf_is_null(p->config, old[i]) && !strcmp(name, "rope_theta"))
            tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"%s\" is null", old[i]);
    for (size_t i = 0; !*from && old[i]; i++)    /* the class's default */
        if (!tern_hf_has(p->config, old[i]) && tern_hf_number(p->config, old[i], lowest, highest, value)) return;
}

static const char *find_prefix(tern_hf_config *c, const tern_rope_source *source, char *buffer, size_t size)
{
    static const char *const spellings[] = { "rope_parameters", "rope_scaling" };
    bool both = tern_hf_has(c, spellings[0]) && tern_hf_has(c, spellings[1]);
    if (both && !json_equal(tern_hf_value(c, spellings[0]), tern_hf_value(c, spellings[1]))) {
        tern_hf_refuse(c, TERN_ERR_FORMAT, "\"%s\" and \"%s\" are both there and differ", spellings[0], spellings[1]);
    }
    for (int i = 0; i < 2; i++) {
        if (!tern_hf_has(c, spellings[i])) continue;
        if (source->group) {
            snprintf(buffer, size, "%s.%s", spellings[i], source->group);
            if (tern_hf_has(c, buffer)) return buffer;
            if (source->unscaled) continue;
        }
        return spellings[i];
    }
    return "";
}

/* "type" is the older name of "rope_type"; where both are there they agree. Only Phi-3's class
 * takes "su" and "yarn" for longrope, and it has no others. */
static tern_rope_type read_type(place *p, const tern_rope_source *source)
{
    int type = TERN_ROPE_DEFAULT, old;
    const int n_names = sizeof type_names / sizeof *type_names;
    if (!*p->prefix) return TERN_ROPE_DEFAULT;
    bool found = tern_hf_choice(p->config, at(p, "rope_type"), type_names, n_names, &type);
    if (tern_hf_choice(p->config, at(p, "type"), type_names, n_names, &old)) {
        if (found && old != type)
            tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"%s\" is \"%s\" and \"rope_type\" is \"%s\"", at(p, "type"),
                           type_names[old], type_names[type]);
        type = old;
    }
    bool renamed = type == WORD_SU || (source->longrope_only && type == TERN_ROPE_YARN);
    if (source->longrope_only ? type != TERN_ROPE_DEFAULT && type != TERN_ROPE_LONGROPE && !renamed : renamed)
        tern_hf_refuse(p->config, TERN_ERR_UNSUPPORTED, "\"%s\" is \"%s\", which the class of this model does not know",
                       at(p, "rope_type"), type_names[type]);
    return renamed ? TERN_ROPE_LONGROPE : (tern_rope_type)type;
}

static void need_number(place *p, const char *name, double lowest, double highest, double *value)
{
    tern_hf_need_number(p->config, at(p, name), lowest, highest, value);
}

/* The key beside the description wins over the one inside, as transformers has it for Phi-3, and so
 * does its class's default; without any of them it is the model's length. */
static void read_original(place *p, tern_rope_plan *out)
{
    int64_t inside = 0;
    bool within = tern_hf_int(p->config, at(p, "original_max_position_embeddings"), 2, INT32_MAX, &inside);
    out->original_tokens = within ? inside : out->max_tokens;
    tern_hf_int(p->config, "original_max_position_embeddings", 2, INT32_MAX, &out->original_tokens);
}

static double yarn_magnitude(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static void read_yarn(place *p, tern_rope_plan *out)
{
    double mscale = 0, mscale_all = 0;
    read_original(p, out);
    out->factor = (double)out->max_tokens / (double)out->original_tokens;
    out->beta_fast = 32;
    out->beta_slow = 1;
    out->truncate = true;
    if (!tern_hf_is_null(p->config, at(p, "factor"))) need_number(p, "factor", 1e-3, 1e6, &out->factor);
    number(p, "beta_fast", 1e-3, 1e6, &out->beta_fast);
    number(p, "beta_slow", 1e-3, 1e6, &out->beta_slow);
    number(p, "mscale", 0, 1e6, &mscale);
    number(p, "mscale_all_dim", 0, 1e6, &mscale_all);
    tern_hf_bool(p->config, at(p, "truncate"), &out->truncate);
    out->magnitude = mscale != 0 && mscale_all != 0
                         ? yarn_magnitude(out->factor, mscale) / yarn_magnitude(out->factor, mscale_all)
                         : yarn_magnitude(out->factor, 1);
    number(p, "attention_factor", 0, 1e6, &out->magnitude);
    if (out->theta <= 1)
        tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"rope_theta\" is %g, and yarn needs one above 1", out->theta);
    if (out->beta_slow > out->beta_fast)
        tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"%s\" %g is above \"beta_fast\" %g", at(p, "beta_slow"),
                       out->beta_slow, out->beta_fast);
}

static void read_llama3(place *p, tern_rope_plan *out)
{
    out->low_freq_factor = 1;
    out->high_freq_factor = 4;
    read_original(p, out);
    need_number(p, "factor", 1e-3, 1e6, &out->factor);
    need_number(p, "low_freq_factor", 1e-6, 1e6, &out->low_freq_factor);
    need_number(p, "high_freq_factor", 1e-6, 1e6, &out->high_freq_factor);
    if (out->high_freq_factor <= out->low_freq_factor) {
        tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"%s\" %g is not above \"low_freq_factor\" %g",
                       at(p, "high_freq_factor"), out->high_freq_factor, out->low_freq_factor);
    }
}

static void read_factors(place *p, const char *name, int64_t n, double **out)
{
    size_t count = 0;
    *out = tern_alloc(tern_hf_ctx(p->config), (size_t)n, sizeof **out, "the factors of a rope");
    if (!*out) {
        tern_hf_refuse(p->config, TERN_ERR_MEMORY, "no memory for \"%s\"", at(p, name));
        return;
    }
    bool found = tern_hf_numbers(p->config, at(p, name), 1e-6, 1e6, *out, (size_t)n, &count);
    if ((found && count != (size_t)n) || (!found && !tern_hf_has(p->config, at(p, name)))) {
        tern_hf_refuse(p->config, TERN_ERR_FORMAT, "\"%s\" has %zu numbers, and a head has %lld pairs that rotate",
                       at(p, name), count, (long long)n);
    }
}

static void read_longrope(place *p, tern_rope_plan *out)
{
    read_original(p, out);
    read_factors(p, "short_factor", out->n_dims / 2, &out->short_factor);
    read_factors(p, "long_factor", out->n_dims / 2, &out->long_factor);
    out->factor = (double)out->max_tokens / (double)out->original_tokens;
    number(p, "factor", 1e-3, 1e6, &out->factor);
    out->magnitude = out->factor <= 1 ? 1 : sqrt(1 + log(out->factor) / log((double)out->original_tokens));
    number(p, "attention_factor", 0, 1e6, &out->magnitude);
}

static void read_scaling(place *p, tern_rope_plan *out)
{
    switch (out->type) {
    case TERN_ROPE_YARN: read_yarn(p, out); break;
    case TERN_ROPE_LLAMA3: read_llama3(p, out); break;
    case TERN_ROPE_LONGROPE: read_longrope(p, out); break;
    case TERN_ROPE_LINEAR:
    case TERN_ROPE_DYNAMIC: need_number(p, "factor", 1e-3, 1e6, &out->factor); break;
    default: break;
    }
    if (out->type == TERN_ROPE_DYNAMIC && (out->n_dims < 4 || out->max_tokens < 1 || out->factor < 1)) {
        tern_hf_refuse(p->config, TERN_ERR_UNSUPPORTED, "a dynamic rope over %lld dimensions with the factor %g",
                       (long long)out->n_dims, out->factor);
    }
}

/* What transformers has no place for: a share of the head where the class rotates all of it, and
 * one rope beside a class that has one for each type of layer, but for the older "rope_scaling"
 * with "rope_type". */
static void check_place(place *p, const tern_rope_source *source, double partial)
{
    if (source->whole && partial != 1)
        tern_hf_refuse(p->config, TERN_ERR_UNSUPPORTED,
                       "\"partial_rotary_factor\" is %g, and the class of this model rotates whole heads", partial);
    if (!source->group || !*p->prefix || strchr(p->prefix, '.')) return;
    bool older = !strcmp(p->prefix, "rope_scaling") &&
                 (tern_hf_has(p->config, "rope_scaling.rope_type") || !tern_hf_has(p->config, "rope_scaling.type"));
    if (!older)
        tern_hf_refuse(p->config, TERN_ERR_UNSUPPORTED, "\"%s\" has no \"%s\", and this class has a rope for each type "
                       "of layer", p->prefix, source->group);
}

/* Keys of other types than the rope's have no effect: transformers warns of them and goes on. */
static void explain_others(place *p, tern_rope_type type)
{
    enum { LINEAR = 1 << TERN_ROPE_LINEAR, DYNAMIC = 1 << TERN_ROPE_DYNAMIC, YARN = 1 << TERN_ROPE_YARN,
           LLAMA3 = 1 << TERN_ROPE_LLAMA3, LONGROPE = 1 << TERN_ROPE_LONGROPE };
    static const struct { const char *key; unsigned types; } users[] = {
        { "factor", LINEAR | DYNAMIC | YARN | LLAMA3 | LONGROPE },
        { "original_max_position_embeddings", YARN | LLAMA3 | LONGROPE }, { "attention_factor", YARN | LONGROPE },
        { "beta_fast", YARN }, { "beta_slow", YARN }, { "mscale", YARN }, { "mscale_all_dim", YARN },
        { "truncate", YARN }, { "low_freq_factor", LLAMA3 },
        { "high_freq_factor", LLAMA3 }, { "short_factor", LONGROPE }, { "long_factor", LONGROPE },
    };
    for (size_t i = 0; *p->prefix && i < sizeof users / sizeof *users; i++)
        if (!(users[i].types & 1u << type)) tern_hf_value(p->config, at(p, users[i].key));
}

void tern_rope_read(tern_hf_config *config, const tern_rope_source *source, tern_rope_plan *out)
{
    char buffer[96];
    place p = { .config = config };
    const char *const thetas[] = { source->theta_key ? source->theta_key : "rope_theta",
                                   source->theta_key ? NULL : "rotary_emb_base", NULL };
    static const char *const partials[] = { "partial_rotary_factor", "rotary_pct", "rope_pct", NULL };
    double partial = source->partial > 0 ? source->partial : 1;
    size_t faults = tern_hf_faults(config)->count;
    p.prefix = find_prefix(config, source, buffer, sizeof buffer);
    *out = (tern_rope_plan){ .theta = source->theta, .factor = 1, .max_tokens = source->max_tokens,
                             .original_tokens = source->max_tokens, .magnitude = 1 };
    number_or_old(&p, "rope_theta", thetas, 1e-3, 1e15, &out->theta);
    number_or_old(&p, "partial_rotary_factor", partials, 0, 1, &partial);
    out->type = read_type(&p, source);
    check_place(&p, source, partial);
    out->n_dims = (int64_t)((double)source->head_dim * partial);
    if (out->n_dims < 2 || out->n_dims % 2 || out->n_dims > 2 * MAX_FACTORS) {
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "%lld of a head's %lld dimensions would rotate with their "
                       "position, and that number must be even and from 2 to %d", (long long)out->n_dims,
                       (long long)source->head_dim, 2 * MAX_FACTORS);
        out->n_dims = 2;
    }
    read_scaling(&p, out);
    explain_others(&p, out->type);
    /* Phi-3 has it with every type; the others ignore it */
    tern_hf_value(config, "original_max_position_embeddings");
    bool whole = out->type != TERN_ROPE_LONGROPE || (out->short_factor && out->long_factor);
    if (whole && tern_hf_faults(config)->count == faults) return;
    tern_rope_free(out);
    *out = (tern_rope_plan){ .theta = 10000, .n_dims = 2, .factor = 1, .max_tokens = 1, .original_tokens = 1,
                             .magnitude = 1 };
}
