/* Whether a model's tokens see those behind them: by config.json's "is_causal", by the code that
 * its "auto_map" names, which tern never executes, and by what the caller asks for. Called by
 * spec.c.
 * Source: transformers 5, masking_utils.create_causal_mask ("is_causal" of the config makes the
 * mask look both ways). */
#include <string.h>

#include "base/ctx.h"
#include "families/spec.h"

/* The class that "auto_map" names for an entry, "JinaBertModel" of
 * "jinaai/code--modeling_bert.JinaBertModel"; null: none. */
static const char *mapped_class(tern_hf_config *config, const char *entry)
{
    const json_t *map = tern_hf_value(config, "auto_map");
    const char *name = json_string_value(json_object_get(map, entry)), *dot = name ? strrchr(name, '.') : NULL;
    return dot ? dot + 1 : name;
}

/* The length of what stands before a class name's kind: 4 of "BertModel", "BertForMaskedLM" and
 * "BertConfig". */
static size_t stem_of(const char *class_name)
{
    static const char *const kinds[] = { "For", "LMHeadModel", "Model", "Config" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *kind = strstr(class_name, kinds[i]);
        if (kind && kind != class_name) return (size_t)(kind - class_name);
    }
    return strlen(class_name);
}

/* An encoder whose code has another class than its architecture computes something else: Jina's
 * XLMRobertaModel is by its code an XLMRobertaFlashConfig's, with rotary positions and adapters. */
static void check_encoder(tern_hf_config *config, const tern_spec *s)
{
    static const char *const entries[] = { "AutoConfig", "AutoModel" };
    size_t stem = stem_of(s->architecture);
    for (size_t i = 0; i < 2; i++) {
        const char *name = mapped_class(config, entries[i]);
        if (!name || (stem_of(name) == stem && !strncmp(name, s->architecture, stem))) continue;
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"auto_map\" names code, %s, which is never executed and decides "
                       "what %s computes here", name, s->architecture);
        return;
    }
}

static bool is_bare(const char *architecture)
{
    size_t n = strlen(architecture), end = strlen("Model");
    return n > end && !strcmp(architecture + n - end, "Model") && !strstr(architecture, "LMHeadModel");
}

void tern_spec_direction(tern_hf_config *config, tern_attention_mask asked, tern_spec *s)
{
    bool causal = true, stated = false;
    if (!tern_get(s, S_CAUSAL)) {
        check_encoder(config, s);
        tern_hf_value(config, "is_causal");    /* an encoder's masks never ask */
        if (asked == TERN_ATTENTION_CAUSAL)
            tern_hf_refuse(config, TERN_ERR_ARGUMENT, "%s is an encoder, whose attention cannot be made causal",
                           s->architecture);
        return;
    }
    s->decoder = true;
    if (tern_hf_is_null(config, "is_causal")) {    /* Python takes null for false */
        causal = false;
        stated = true;
    }
    if (tern_hf_has(config, "is_causal")) stated = tern_hf_bool(config, "is_causal", &causal);
    const char *code = mapped_class(config, "AutoModel");
    if (code && !stated && asked == TERN_ATTENTION_STORED && is_bare(s->architecture)) {
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"auto_map\" names code, %s, which is never executed, for the "
                       "bare %s, and no \"is_causal\" says whether tokens see those behind them; --attention causal or "
                       "bidirectional (tern_model_options.attention) says it", code, s->architecture);
    }
    if (asked != TERN_ATTENTION_STORED) causal = asked == TERN_ATTENTION_CAUSAL;
    s->value[S_CAUSAL] = causal;
    bool never_reached = tern_get(s, S_MAX_POS) > 0 && tern_get(s, S_WINDOW) >= tern_get(s, S_MAX_POS);
    for (int64_t l = 0; !causal && l < tern_get(s, S_LAYERS); l++) {
        s->windowed[l] = s->windowed[l] && !never_reached;
        if (!s->windowed[l]) continue;
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "layer %lld has a window of %lld tokens, and attention that looks "
                       "both ways has none here", (long long)l, (long long)tern_get(s, S_WINDOW));
        break;
    }
}
