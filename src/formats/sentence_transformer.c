/* The settings of sentence-transformers' Transformer module, sentence_bert_config.json and its
 * older names: how texts become hidden states. Called by sentence.c. What would change tokens or
 * hidden states and is not done here is refused by name. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/sentence_inside.h"

enum { MOST_TOKENIZER_BYTES = 16 << 20 };    /* of tokenizer_config.json, which may list a vocabulary's tokens */

/* The first that is there and not empty is read. */
static const char *const file_names[] = {
    "sentence_bert_config.json",      "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json",  "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
};

static tern_status refuse(const settings *c, const char *key, const json_t *value)
{
    char shown[96];
    return tern_fail(c->ctx, TERN_ERR_UNSUPPORTED, "%s: \"%s\" is %s, which is not supported", c->where, key,
                     tern_json_show(value, shown, sizeof shown));
}

/* Arguments of from_pretrained that choose how the same numbers are computed, or where files come
 * from. */
static bool harmless_argument(const char *key)
{
    static const char *const harmless[] = {
        "torch_dtype", "dtype", "attn_implementation", "trust_remote_code", "device_map", "low_cpu_mem_usage",
        "use_safetensors", "use_fast", "use_cache", "padding_side", "revision", "add_pooling_layer",
        "output_attentions",
        "output_hidden_states", "return_dict", "clean_up_tokenization_spaces",
    };
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (!strcmp(key, harmless[i])) return true;
    return false;
}

/* model_args, tokenizer_args, config_args and their newer names. */
static tern_status read_arguments(const settings *c, const char *key, tern_sentence *s)
{
    json_t *arguments = json_object_get(c->json, key), *value;
    const char *name;
    if (!arguments || json_is_null(arguments)) return TERN_OK;
    if (!json_is_object(arguments))
        return tern_fail(c->ctx, TERN_ERR_FORMAT, "%s: \"%s\" is %s, not an object", c->where, key,
                         tern_json_kind(arguments));
    json_object_foreach(arguments, name, value)
    {
        char path[128];
        bool tokenizer = !strcmp(key, "tokenizer_args") || !strcmp(key, "processor_kwargs");
        snprintf(path, sizeof path, "%s.%s", key, name);
        if (tokenizer && !strcmp(name, "model_max_length") && json_is_integer(value) && json_integer_value(value) > 0)
            s->max_tokens = json_integer_value(value);
        else if (!harmless_argument(name)) return refuse(c, path, value);
    }
    return TERN_OK;
}

/* "modality_config": which method of the model texts go through. */
static tern_status read_modality(const settings *c, tern_sentence *s)
{
    const json_t *config = json_object_get(c->json, "modality_config"), *text = json_object_get(config, "text");
    if (!config) return TERN_OK;
    if (json_object_get(config, "message"))
        return tern_fail(
            c->ctx, TERN_ERR_UNSUPPORTED,
            "%s: \"modality_config\" has \"message\": texts go through a chat template, which is not supported here",
            c->where);
    const char *method = json_string_value(json_object_get(text, "method"));
    const json_t *list = json_object_get(text, "method_output_name"),
                 *output = json_array_size(list) == 1 ? json_array_get(list, 0) : list;
    const char *wanted = json_string_value(output),
               *feature = json_string_value(json_object_get(c->json, "module_output_name"));
    if (!method || strcmp(method, "forward") || !wanted || !feature) return refuse(c, "modality_config", config);
    s->pooled = !strcmp(wanted, "pooler_output") && !strcmp(feature, TERN_SENTENCE_FEATURE);
    if (s->pooled || (!strcmp(wanted, "last_hidden_state") && !strcmp(feature, TERN_TOKEN_FEATURE))) return TERN_OK;
    if (s->head && !strcmp(wanted, "logits") && !strcmp(feature, TERN_SCORE_FEATURE)) return TERN_OK;
    return refuse(c, "modality_config", config);
}

/* "transformer_task": which class of transformers runs. */
static tern_status read_task(const settings *c, tern_sentence *s)
{
    const char *task = "feature-extraction";
    tern_status st = settings_text(c, "transformer_task", &task);
    s->head = s->cross_encoder && !strcmp(task, "sequence-classification");
    if (st || s->head || !strcmp(task, "feature-extraction")) return st;
    return refuse(c, "transformer_task", json_object_get(c->json, "transformer_task"));
}

/* Keys that may stand here with one value alone. */
static tern_status read_others(const settings *c)
{
    static const char *const off[] = { "tokenizer_name_or_path", "processing_kwargs", "query_expansion", "query_length",
                                       "document_length" };
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        const json_t *value = json_object_get(c->json, off[i]);
        if (value && !json_is_null(value) && !(json_is_object(value) && !json_object_size(value)))
            return refuse(c, off[i], value);
    }
    return TERN_OK;
}

static tern_status read_settings(const settings *c, tern_sentence *s)
{
    static const char *const known[] = {
        "max_seq_length",         "do_lower_case",      "model_args",
        "tokenizer_args",         "config_args",        "model_kwargs",
        "processor_kwargs",       "config_kwargs",      "transformer_task",
        "modality_config",        "module_output_name", "unpad_inputs",
        "tokenizer_name_or_path", "processing_kwargs",  "query_expansion",
        "query_length",           "document_length",    NULL,
    };
    tern_status st = TERN_OK;
    TERN_TRY(settings_known(c, known, false));
    for (size_t i = 2; i < 8; i++) TERN_TRY(read_arguments(c, known[i], s));
    if (!s->max_tokens) TERN_TRY(settings_count(c, "max_seq_length", &s->max_tokens));
    TERN_TRY(settings_bool(c, "do_lower_case", &s->lower_case));
    TERN_TRY(read_task(c, s));
    TERN_TRY(read_modality(c, s));
    TERN_TRY(read_others(c));
done:
    return st;
}

/* Where the module names no limit, the tokenizer's counts. A number beyond any text means that
 * there is none. */
static tern_status read_tokenizer_limit(tern_ctx *ctx, const char *dir, const char *folder, tern_sentence *s)
{
    char path[SENTENCE_PATH];
    json_t *config;
    if (snprintf(path, sizeof path, "%s%stokenizer_config.json", folder, *folder ? "/" : "") >= (int)sizeof path)
        return tern_fail(ctx, TERN_ERR_LIMIT, "%s: the path is too long", dir);
    if (!tern_file_exists(dir, path)) return TERN_OK;
    /* as the tokenizer reads it */
    tern_status st = tern_json_read_repeats(ctx, dir, path, MOST_TOKENIZER_BYTES, &config);
    if (st) return st;
    double most = tern_json_number(json_object_get(config, "model_max_length"));
    if (most >= 1 && most <= INT32_MAX) s->max_tokens = (int64_t)most;
    json_decref(config);
    return TERN_OK;
}

tern_status sentence_transformer_read(tern_ctx *ctx, const char *dir, const char *folder, tern_sentence *s)
{
    tern_status st = TERN_OK;
    bool found = false;
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names && !found; i++) {
        char path[SENTENCE_PATH];
        settings c;
        if (snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", file_names[i]) >= (int)sizeof path)
            return tern_fail(ctx, TERN_ERR_LIMIT, "%s: the path is too long", dir);
        if (!tern_file_exists(dir, path)) continue;
        TERN_TRY(settings_open(ctx, dir, folder, file_names[i], &c));
        found = json_object_size(c.json) > 0;
        st = read_settings(&c, s);
        settings_close(&c);
        if (st) goto done;
    }
    if (!s->max_tokens) TERN_TRY(read_tokenizer_limit(ctx, dir, folder, s));
done:
    return st;
}
