/* Parts of a tokenizer.json made by hand: see assemble.h. */
#include "text/tokenizer/assemble.h"

#include <stdlib.h>
#include <string.h>

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

json_t *assemble_replace(const char *kind, const char *pattern, const char *content)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", kind, pattern, "content", content);
}

static void add_part(json_t *list, const char *kind, const char *id, int type_id)
{
    json_array_append_new(list, json_pack("{s:{s:s, s:i}}", kind, "id", id, "type_id", type_id));
}

json_t *assemble_template(const char *first, int64_t first_id, const char *last, int64_t last_id, int type_b,
                          bool joined)
{
    bool has_first = first && *first, has_last = last && *last;
    json_t *single = json_array(), *pair = json_array(), *specials = json_object();
    if (has_first) {
        add_part(single, "SpecialToken", first, 0);
        json_object_set_new(specials, first, json_pack("{s:s, s:[I], s:[s]}", "id", first, "ids", (json_int_t)first_id,
                                                       "tokens", first));
    }
    add_part(single, "Sequence", "A", 0);
    if (has_last) {
        add_part(single, "SpecialToken", last, 0);
        json_object_set_new(specials, last,
                            json_pack("{s:s, s:[I], s:[s]}", "id", last, "ids", (json_int_t)last_id, "tokens", last));
    }
    json_array_extend(pair, single);
    if (has_first && !has_last) add_part(pair, "SpecialToken", first, type_b);
    if (has_last && joined) add_part(pair, "SpecialToken", last, 0);
    add_part(pair, "Sequence", "B", type_b);
    if (has_last) add_part(pair, "SpecialToken", last, type_b);
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair,
                     "special_tokens", specials);
}
