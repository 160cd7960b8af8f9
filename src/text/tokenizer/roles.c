/* Which token has which role: bos_token, eos_token ... of tokenizer_config.json or special_tokens_map.json. Called by open.c. */
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/tok.h"

static const char *const keys[TERN_N_ROLES] = { "bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token" };

/* Whether the tokenizer hands out token types: by model_input_names, else by its class. Source: transformers 5.24, the classes of encoders whose models take none. */
static bool gives_types(const json_t *config)
{
    static const char *const without[] = { "Roberta", "XLMRoberta", "Camembert", "DistilBert" };
    const json_t *names = json_object_get(config, "model_input_names"), *name;
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    size_t at;
    json_array_foreach(names, at, name)
        if (json_is_string(name) && !strcmp(json_string_value(name), "token_type_ids")) return true;
    for (size_t i = 0; class && i < sizeof without / sizeof *without; i++) {
        size_t n = strlen(without[i]);
        if (!strncmp(class, without[i], n) && !strncmp(class + n, "Tokenizer", 9)) return false;
    }
    return !json_is_array(names);
}

tern_status tokenizer_load_roles(tern_tokenizer *tok, const json_t *config)
{
    const json_t *length = json_object_get(config, "model_max_length");
    for (int i = 0; i < TERN_N_ROLES; i++) {
        const json_t *value = json_object_get(config, keys[i]);
        if (json_is_object(value)) value = json_object_get(value, "content");
        if (tok->role_text[i] || !value || json_is_null(value)) continue;
        if (!json_is_string(value)) return tern_fail(tok->ctx, TERN_ERR_FORMAT, "\"%s\" is %s, not a string", keys[i], tern_json_kind(value));
        tok->role_text[i] = tern_strndup(tok->ctx, json_string_value(value), json_string_length(value));
        if (!tok->role_text[i]) return TERN_ERR_MEMORY;
        tok->role_id[i] = tern_tokenizer_id(tok, json_string_value(value), json_string_length(value));
    }
    if (json_is_integer(length) && json_integer_value(length) > 0) tok->max_length = json_integer_value(length);
    tok->no_types = !gives_types(config);
    return TERN_OK;
}
