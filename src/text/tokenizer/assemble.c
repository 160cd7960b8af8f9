/* Parts of a tokenizer.json made by hand: see assemble.h. */
#include "text/tokenizer/assemble.h"

#include <stdlib.h>
#include <string.h>

json_t *assemble_added(const char *text, int64_t id, bool special)
{
    return json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)id, "content", text, "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0,
                     "special", (int)special);
}

bool assemble_flag(const json_t *config, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(config, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *assemble_role(const json_t *config, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value)) value = json_object_get(value, "content");
    return json_is_string(value) ? json_string_value(value) : otherwise;
}

static bool listed(const json_t *added, const char *text)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)added, i, one)
        if (!strcmp(json_string_value(json_object_get(one, "content")), text)) return true;
    return false;
}

bool assemble_configured(json_t *added, const json_t *ids, const json_t *config)
{
    static const char *const flags[] = { "single_word", "lstrip", "rstrip", "normalized", "special" };
    static const char *const roles[] = { "bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token" };
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, value) {
        const char *text = json_string_value(json_object_get(value, "content"));
        if (!text || listed(added, text)) continue;
        json_t *one = assemble_added(text, strtoll(key, NULL, 10), false);
        for (size_t i = 0; one && i < sizeof flags / sizeof *flags; i++)
            if (json_is_boolean(json_object_get(value, flags[i]))) json_object_set(one, flags[i], json_object_get(value, flags[i]));
        if (!one || json_array_append_new(added, one)) return false;
    }
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const char *text = assemble_role(config, roles[i], NULL);
        const json_t *id = text ? json_object_get(ids, text) : NULL;
        if (!id || listed(added, text)) continue;
        json_t *one = assemble_added(text, json_integer_value(id), true);
        if (!one || json_array_append_new(added, one)) return false;
    }
    return true;
}

static void add_part(json_t *list, const char *kind, const char *id, int type_id)
{
    json_array_append_new(list, json_pack("{s:{s:s, s:i}}", kind, "id", id, "type_id", type_id));
}

json_t *assemble_template(const char *first, int64_t first_id, const char *last, int64_t last_id, int type_b, bool roberta)
{
    bool has_first = first && *first, has_last = last && *last;
    json_t *single = json_array(), *pair = json_array(), *specials = json_object();
    if (has_first) {
        add_part(single, "SpecialToken", first, 0);
        json_object_set_new(specials, first, json_pack("{s:s, s:[I], s:[s]}", "id", first, "ids", (json_int_t)first_id, "tokens", first));
    }
    add_part(single, "Sequence", "A", 0);
    if (has_last) {
        add_part(single, "SpecialToken", last, 0);
        json_object_set_new(specials, last, json_pack("{s:s, s:[I], s:[s]}", "id", last, "ids", (json_int_t)last_id, "tokens", last));
    }
    json_array_extend(pair, single);
    if (has_first && !has_last) add_part(pair, "SpecialToken", first, type_b);
    if (has_last && roberta) add_part(pair, "SpecialToken", last, 0);
    add_part(pair, "Sequence", "B", type_b);
    if (has_last) add_part(pair, "SpecialToken", last, type_b);
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens", specials);
}
