/* The configuration of a tokenizer: see settings.h. Called by open.c; the tokens that it adds are
 * in settings_tokens.c. */
#include "text/tokenizer/settings.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/tokenizer/assemble.h"

static const char *const role_keys[TERN_N_ROLES] = { "bos_token", "eos_token", "unk_token", "pad_token", "cls_token",
                                                     "sep_token", "mask_token" };

void settings_free(settings *s)
{
    json_decref(s->config);
    json_decref(s->added);
    json_decref(s->listed);
    json_decref(s->padding);
    *s = (settings){ 0 };
}

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_array(value) && !json_array_size(value)) ||
           (json_is_object(value) && !json_object_size(value));
}

/* An object of extra special tokens is a list of names: they go where all special tokens under
 * names of their own go. */
static void take_names(json_t *config)
{
    json_t *extra = json_object_get(config, "extra_special_tokens"),
        *names = json_object_get(config, "model_specific_special_tokens");
    if (!json_is_object(extra)) return;
    if (json_is_object(names)) json_object_update(names, extra);
    else json_object_set(config, "model_specific_special_tokens", extra);
    json_object_del(config, "extra_special_tokens");
}

/* Tokens of the map come behind those of the configuration. */
static void merge_extra(json_t *config, const json_t *value)
{
    size_t i;
    json_t *one, *list = json_object_get(config, "extra_special_tokens");
    if (!json_is_array(value) || !json_is_array(list)) {
        json_object_set(config, "extra_special_tokens", (json_t *)value);
        return;
    }
    json_array_foreach((json_t *)value, i, one) json_array_append(list, one);
}

json_t *settings_merge(json_t *config, const json_t *special_map)
{
    const char *key;
    json_t *value, *out = config ? config : json_object();
    if (!out) return NULL;
    json_t *additional = json_object_get(out, "additional_special_tokens");
    if (additional && is_empty(json_object_get(out, "extra_special_tokens"))) {
        json_object_set(out, "extra_special_tokens", additional);
        json_object_del(out, "additional_special_tokens");
    }
    take_names(out);
    if (json_object_get(out, "added_tokens_decoder")) return out;
    json_object_foreach((json_t *)special_map, key, value) {
        if (!strcmp(key, "extra_special_tokens")) merge_extra(out, value);
        else json_object_set(out, key, value);
    }
    take_names(out);
    return out;
}

const json_t *settings_extra(const settings *s)
{
    const json_t *extra = json_object_get(s->config, "extra_special_tokens");
    return extra ? extra : json_object_get(s->config, "additional_special_tokens");
}

const json_t *settings_role(const settings *s, tern_role role)
{
    const json_t *value = json_object_get(s->config, role_keys[role]);
    bool from_padding = role == TERN_ROLE_PAD && !(s->class && (s->class->takes_pad || s->class->roles[role]));
    if (!value && from_padding) value = json_object_get(s->padding, "pad_token");
    return value && !json_is_null(value) ? value : NULL;
}

const char *settings_role_text(const settings *s, tern_role role)
{
    const json_t *value = settings_role(s, role);
    if (json_is_object(value)) value = json_object_get(value, "content");
    if (value) return json_string_value(value);
    return s->class && !json_object_get(s->config, role_keys[role]) ? s->class->roles[role] : NULL;
}

bool settings_token(const json_t *value, bool special, added_token *out)
{
    const json_t *content = json_is_object(value) ? json_object_get(value, "content") : value;
    const json_t *normalized = json_object_get(value, "normalized"), *stated = json_object_get(value, "special");
    if (!json_is_string(content)) return false;
    *out = (added_token){ .text = (char *)json_string_value(content), .n_bytes = json_string_length(content) };
    out->single_word = json_is_true(json_object_get(value, "single_word"));
    out->lstrip = json_is_true(json_object_get(value, "lstrip"));
    out->rstrip = json_is_true(json_object_get(value, "rstrip"));
    out->special = special || json_is_true(stated);
    out->normalized = json_is_boolean(normalized) ? json_is_true(normalized) : !out->special;
    return true;
}

/* ---- The post-processor ---- */

static int32_t id_of(const tern_tokenizer *tok, const settings *s, const char *text)
{
    const char *unk = settings_role_text(s, TERN_ROLE_UNK);
    int32_t id = text ? tern_tokenizer_id(tok, text, strlen(text)) : -1;
    return id < 0 && unk ? tern_tokenizer_id(tok, unk, strlen(unk)) : id;
}

/* [first] A [last], for the pair [first] A [last] [first] B [last], or with joined [first] A [last]
 * [last] B [last]. */
static json_t *template_of(const tern_tokenizer *tok, const settings *s, const char *first, const char *last,
                           int type_b, bool joined)
{
    int32_t first_id = first ? id_of(tok, s, first) : 0, last_id = last ? id_of(tok, s, last) : 0;
    if (first_id < 0 || last_id < 0) return json_null();
    return assemble_template(first, first_id, last, last_id, type_b, joined);
}

static json_t *roberta_of(const tern_tokenizer *tok, const settings *s)
{
    const char *cls = settings_role_text(s, TERN_ROLE_CLS), *sep = settings_role_text(s, TERN_ROLE_SEP);
    int32_t cls_id = id_of(tok, s, cls), sep_id = id_of(tok, s, sep);
    if (cls_id < 0 || sep_id < 0) return json_null();
    return json_pack("{s:s, s:[s, i], s:[s, i], s:b, s:b}", "type", "RobertaProcessing", "sep", sep, (int)sep_id, "cls",
                     cls, (int)cls_id, "trim_offsets", (int)assemble_flag(s->config, "trim_offsets", true),
                     "add_prefix_space", (int)assemble_flag(s->config, "add_prefix_space", false));
}

tern_status settings_post_processor(const tern_tokenizer *tok, const settings *s, const json_t *json, json_t **out)
{
    const json_t *own = json_object_get(json, "post_processor");
    class_post post = s->class ? s->class->post : POST_FILE;
    bool flags = s->from_vocabulary, adds_bos = s->class && s->class->adds_bos,
        has_own = own && !json_is_null(own) && post != POST_NONE && !adds_bos;
    bool with_bos = flags ? assemble_flag(s->config, "add_bos_token", adds_bos) : adds_bos;
    const char *bos = with_bos ? settings_role_text(s, TERN_ROLE_BOS) : NULL;
    const char *eos = flags && assemble_flag(s->config, "add_eos_token", false)
                          ? settings_role_text(s, TERN_ROLE_EOS) : NULL;
    int32_t eos_id = id_of(tok, s, settings_role_text(s, TERN_ROLE_EOS));
    *out = NULL;
    if (post == POST_EOS && eos_id < 0) post = POST_FILE;
    if (post == POST_ROBERTA && (!settings_role_text(s, TERN_ROLE_CLS) || !settings_role_text(s, TERN_ROLE_SEP)))
        return tern_fail(tok->ctx, TERN_ERR_FORMAT,
                         "\"cls_token\" or \"sep_token\" is null, and %s puts both around a text", s->class->name);
    if (post == POST_ROBERTA) *out = roberta_of(tok, s);
    else if (post == POST_CLS_SEP || (post == POST_FILE_ELSE && !has_own))
        *out = template_of(tok, s, settings_role_text(s, TERN_ROLE_CLS), settings_role_text(s, TERN_ROLE_SEP), 1,
                           false);
    else if (post == POST_CLS_SEP_SEP)
        *out = template_of(tok, s, settings_role_text(s, TERN_ROLE_CLS), settings_role_text(s, TERN_ROLE_SEP), 0, true);
    else if (post == POST_BOS_EOS)
        *out = template_of(tok, s, settings_role_text(s, TERN_ROLE_BOS), settings_role_text(s, TERN_ROLE_EOS), 0, true);
    else if (post == POST_EOS) *out = assemble_template(NULL, 0, "</s>", eos_id, 0, false);
    else if (!has_own) *out = template_of(tok, s, bos, eos, 1, false);
    else return TERN_OK;
    return *out ? TERN_OK : tern_fail(tok->ctx, TERN_ERR_MEMORY, "no memory for a post-processor");
}

/* ---- Roles and numbers ---- */

static tern_status load_role(tern_tokenizer *tok, const settings *s, int role)
{
    const json_t *value = settings_role(s, (tern_role)role);
    const char *text = settings_role_text(s, (tern_role)role);
    if (value && !text)
        return tern_fail(tok->ctx, TERN_ERR_FORMAT, "\"%s\" is %s, not a string", role_keys[role],
                         tern_json_kind(value));
    if (!text) return TERN_OK;
    if (json_is_object(value)) value = json_object_get(value, "content");
    size_t n = value ? json_string_length(value) : strlen(text);
    tok->role_text[role] = tern_strndup(tok->ctx, text, n);
    if (!tok->role_text[role]) return TERN_ERR_MEMORY;
    tok->role_id[role] = tern_tokenizer_id(tok, text, n);
    return TERN_OK;
}

/* The cleaning was made for WordPiece and is left out for BPE, unless the configuration insists. */
static bool cleans_up(const tern_tokenizer *tok, const json_t *config)
{
    if (!assemble_flag(config, "clean_up_tokenization_spaces", false)) return false;
    return tok->model.kind != &model_bpe ||
           assemble_flag(config, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false);
}

/* Whether the tokenizer hands out token types: by model_input_names, else by its class. BERT's does
 * and its relatives', which are the same class; PreTrainedTokenizerFast does not since version 5 of
 * transformers. Without a class the model's own counts: types are given.
 * Source: transformers 5.24, model_input_names of the classes. */
static bool gives_types(const json_t *config)
{
    static const char *const with[] = { "Bert", "Electra", "Deberta", "ConvBert", "MobileBert", "SqueezeBert", "Funnel",
                                        "LayoutLM", "Lxmert" };
    const json_t *names = json_object_get(config, "model_input_names"), *name;
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    size_t at;
    json_array_foreach(names, at, name)
        if (json_is_string(name) && !strcmp(json_string_value(name), "token_type_ids")) return true;
    if (json_is_array(names)) return false;
    for (size_t i = 0; class && i < sizeof with / sizeof *with; i++)
        if (!strncmp(class, with[i], strlen(with[i]))) return true;
    return !class;
}

tern_status settings_finish(tern_tokenizer *tok, const settings *s)
{
    tern_status st = TERN_OK;
    const json_t *length = json_object_get(s->config, "model_max_length");
    if (!length) length = json_object_get(s->config, "max_len");
    for (int i = 0; i < TERN_N_ROLES; i++) TERN_TRY(load_role(tok, s, i));
    if (json_is_number(length) && json_number_value(length) >= 1 && json_number_value(length) < 9e18)
        tok->max_length = (int64_t)json_number_value(length);
    tok->no_types = !gives_types(s->config);
    const char *side = json_string_value(json_object_get(s->config, "truncation_side"));
    if (side) tok->truncate.from_left = !strcmp(side, "left");
    tok->clean_up = cleans_up(tok, s->config);
    tok->split_special = assemble_flag(s->config, "split_special_tokens", false);
done:
    return st;
}
