/* Which token has which role: bos_token, eos_token ... of tokenizer_config.json or special_tokens_map.json. Called by open.c. */
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/tok.h"

static const char *const keys[TERN_N_ROLES] = { "bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token" };

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
    return TERN_OK;
}
