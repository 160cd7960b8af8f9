/* Post-processors: see postprocess.h. Called by encode.c. */
#include "text/tokenizer/postprocess.h"

#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/unicode.h"
#include "text/utf8.h"

/* ---- Appending ---- */

static tern_status reserve(tern_ctx *ctx, tern_encoding *out, bool detail, size_t n, size_t n_text)
{
    tern_status st = TERN_OK;
    size_t need = out->n + n, need_text = out->n_text_bytes + n_text;
    if (need > out->capacity) {
        size_t capacity = need + need / 2 + 16;
        TERN_TRY(tern_grow(ctx, (void **)&out->ids, capacity, sizeof *out->ids, "token ids"));
        out->capacity = capacity;
    }
    if (!detail) return st;
    if (need > out->info_capacity) {
        size_t capacity = need + need / 2 + 16;
        TERN_TRY(tern_grow(ctx, (void **)&out->info, capacity, sizeof *out->info, "token information"));
        out->info_capacity = capacity;
    }
    if (need_text > out->text_capacity) {
        size_t capacity = need_text + need_text / 2 + 64;
        TERN_TRY(tern_grow(ctx, (void **)&out->text, capacity, 1, "token texts"));
        out->text_capacity = capacity;
    }
done:
    return st;
}

tern_status encoding_add(tern_ctx *ctx, tern_encoding *out, bool detail, int32_t id, const tern_token_info *info,
                         const char *text, size_t n_text)
{
    tern_status st = reserve(ctx, out, detail, 1, n_text);
    if (st) return st;
    out->ids[out->n] = id;
    if (detail) {
        if (n_text) memcpy(out->text + out->n_text_bytes, text, n_text);
        out->info[out->n] = *info;
        out->info[out->n].text_at = out->n_text_bytes;
        out->info[out->n].n_text_bytes = (uint32_t)n_text;
        out->n_text_bytes += n_text;
    }
    out->n++;
    return st;
}

tern_status encoding_append(tern_ctx *ctx, tern_encoding *out, bool detail, const tern_encoding *sequence,
                            int32_t type_id)
{
    tern_status st = reserve(ctx, out, detail, sequence->n, sequence->n_text_bytes);
    if (st || !sequence->n) return st;
    memcpy(out->ids + out->n, sequence->ids, sequence->n * sizeof *out->ids);
    if (detail) {
        if (sequence->n_text_bytes) memcpy(out->text + out->n_text_bytes, sequence->text, sequence->n_text_bytes);
        for (size_t i = 0; i < sequence->n; i++) {
            out->info[out->n + i] = sequence->info[i];
            out->info[out->n + i].text_at += out->n_text_bytes;
            out->info[out->n + i].type_id = type_id;
        }
        out->n_text_bytes += sequence->n_text_bytes;
    }
    out->n += sequence->n;
    return st;
}

/* ---- Loading ---- */

static tern_status add_special_part(tern_ctx *ctx, template_part **parts, size_t *n, int32_t type_id, int32_t id,
                                    const char *text)
{
    tern_status st = TERN_OK;
    TERN_TRY(tern_grow(ctx, (void **)parts, *n + 1, sizeof **parts, "a template"));
    template_part *part = &(*parts)[(*n)++];
    *part = (template_part){ .sequence = -1, .type_id = type_id, .n_ids = 1 };
    part->ids = tern_alloc(ctx, 1, sizeof *part->ids, "a template");
    part->tokens = tern_alloc(ctx, 1, sizeof *part->tokens, "a template");
    if (!part->ids || !part->tokens || !(part->tokens[0] = tern_strdup(ctx, text))) return TERN_ERR_MEMORY;
    part->ids[0] = id;
done:
    return st;
}

static tern_status add_sequence_part(tern_ctx *ctx, template_part **parts, size_t *n, int sequence, int32_t type_id)
{
    tern_status st = tern_grow(ctx, (void **)parts, *n + 1, sizeof **parts, "a template");
    if (!st) (*parts)[(*n)++] = (template_part){ .sequence = sequence, .type_id = type_id };
    return st;
}

static tern_status read_special(tern_ctx *ctx, const json_t *specials, const char *name, int32_t type_id,
                                template_part **parts, size_t *n)
{
    tern_status st = TERN_OK;
    const json_t *special = json_object_get(specials, name), *ids = json_object_get(special, "ids"),
        *tokens = json_object_get(special, "tokens");
    if (!json_is_array(ids) || !json_is_array(tokens) || json_array_size(ids) != json_array_size(tokens) ||
        !json_array_size(ids))
        return tern_fail(ctx, TERN_ERR_FORMAT, "TemplateProcessing: the special token \"%s\" has no \"ids\" and "
                         "\"tokens\"", TERN_SHOWN(name));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i), *token = json_array_get(tokens, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX ||
            !json_is_string(token))
            return tern_fail(ctx, TERN_ERR_FORMAT,
                             "TemplateProcessing: the special token \"%s\" has a wrong id or text", TERN_SHOWN(name));
        TERN_TRY(add_special_part(ctx, parts, n, type_id, (int32_t)json_integer_value(id), json_string_value(token)));
    }
done:
    return st;
}

static tern_status read_template(tern_ctx *ctx, const json_t *json, const char *key, template_part **parts, size_t *n)
{
    tern_status st = TERN_OK;
    const json_t *list = json_object_get(json, key), *specials = json_object_get(json, "special_tokens");
    char shown[80];
    if (!json_is_array(list))
        return tern_fail(ctx, TERN_ERR_FORMAT, "TemplateProcessing: \"%s\" is %s, not a list", key,
                         tern_json_kind(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i), *sequence = json_object_get(one, "Sequence"),
            *special = json_object_get(one, "SpecialToken");
        const json_t *body = sequence ? sequence : special, *type_id = json_object_get(body, "type_id");
        const char *id = json_string_value(json_object_get(body, "id"));
        if (!id || !json_is_integer(type_id) || json_integer_value(type_id) < 0 ||
            json_integer_value(type_id) > INT32_MAX || (sequence && strcmp(id, "A") && strcmp(id, "B")))
            return tern_fail(ctx, TERN_ERR_FORMAT, "TemplateProcessing: \"%s\" has the part %s", key,
                             tern_json_show(one, shown, sizeof shown));
        if (sequence) TERN_TRY(add_sequence_part(ctx, parts, n, *id == 'B', (int32_t)json_integer_value(type_id)));
        else TERN_TRY(read_special(ctx, specials, id, (int32_t)json_integer_value(type_id), parts, n));
    }
done:
    return st;
}

static tern_status load_template(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = TERN_OK;
    TERN_TRY(read_template(ctx, json, "single", &c->single, &c->n_single));
    if (json_object_get(json, "pair")) TERN_TRY(read_template(ctx, json, "pair", &c->pair, &c->n_pair));
    for (size_t i = 0; i < c->n_single; i++)
        if (c->single[i].sequence == 1)
            return tern_fail(ctx, TERN_ERR_FORMAT, "TemplateProcessing: \"single\" has the sequence B");
done:
    return st;
}

/* ["[SEP]", 102] under key. */
static tern_status read_named(tern_ctx *ctx, const json_t *json, const char *key, const char **text, int32_t *id)
{
    const json_t *pair = json_object_get(json, key), *number = json_array_get(pair, 1);
    *text = json_string_value(json_array_get(pair, 0));
    if (!*text || !json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > INT32_MAX)
        return tern_fail(ctx, TERN_ERR_FORMAT, "post-processor: \"%s\" is not a token and its id", key);
    *id = (int32_t)json_integer_value(number);
    return TERN_OK;
}

/* cls A sep, or cls A sep B sep (BERT: B has type 1) or cls A sep sep B sep (RoBERTa: all of type
 * 0). */
static tern_status load_bert(tern_ctx *ctx, const json_t *json, component *c, bool roberta)
{
    tern_status st = TERN_OK;
    const char *cls, *sep;
    int32_t cls_id = 0, sep_id = 0, type_b = roberta ? 0 : 1;
    TERN_TRY(read_named(ctx, json, "cls", &cls, &cls_id));
    TERN_TRY(read_named(ctx, json, "sep", &sep, &sep_id));
    TERN_TRY(add_special_part(ctx, &c->single, &c->n_single, 0, cls_id, cls));
    TERN_TRY(add_sequence_part(ctx, &c->single, &c->n_single, 0, 0));
    TERN_TRY(add_special_part(ctx, &c->single, &c->n_single, 0, sep_id, sep));
    TERN_TRY(add_special_part(ctx, &c->pair, &c->n_pair, 0, cls_id, cls));
    TERN_TRY(add_sequence_part(ctx, &c->pair, &c->n_pair, 0, 0));
    TERN_TRY(add_special_part(ctx, &c->pair, &c->n_pair, 0, sep_id, sep));
    if (roberta) TERN_TRY(add_special_part(ctx, &c->pair, &c->n_pair, 0, sep_id, sep));
    TERN_TRY(add_sequence_part(ctx, &c->pair, &c->n_pair, 1, type_b));
    TERN_TRY(add_special_part(ctx, &c->pair, &c->n_pair, type_b, sep_id, sep));
done:
    return st;
}

static tern_status load_bert_processing(tern_ctx *ctx, const json_t *json, component *c)
{
    return load_bert(ctx, json, c, false);
}

static tern_status load_byte_level(tern_ctx *ctx, const json_t *json, component *c)
{
    c->add_prefix_space = c->trim_offsets = true;
    tern_status st = component_bool(ctx, json, "add_prefix_space", &c->add_prefix_space);
    return st ? st : component_bool(ctx, json, "trim_offsets", &c->trim_offsets);
}

static tern_status load_roberta(tern_ctx *ctx, const json_t *json, component *c)
{
    tern_status st = load_byte_level(ctx, json, c);
    return st ? st : load_bert(ctx, json, c, true);
}

/* ---- Running ---- */

/* How many blanks (ByteLevel's among them) the token's text begins with, or ends with. */
static size_t blanks(const char *text, size_t n, bool at_end)
{
    size_t count = 0, length;
    for (size_t at = 0; at < n; at += length, count++) {
        uint32_t c = at_end ? utf8_before(text, n - at, &length) : utf8_get(text + at, &length);
        if (c != 0x120 && !unicode_is_space(c)) break;
    }
    return count;
}

/* at, moved by n characters of the input, forwards or back, but not beyond limit. */
static size_t step_forward(const char *input, size_t at, size_t n, size_t limit)
{
    for (; n && at < limit; n--)
        for (at++; at < limit && utf8_continues(input[at]);) at++;
    return at;
}

static size_t step_back(const char *input, size_t at, size_t n, size_t limit)
{
    for (; n && at > limit; n--)
        for (at--; at > limit && utf8_continues(input[at]);) at--;
    return at;
}

/* Offsets of a token shrink by its blanks, but not by the one that a prefix space put before the
 * first. */
static void trim_offsets(tern_encoding *seq, const char *const *inputs, bool add_prefix_space)
{
    for (size_t i = 0; i < seq->n; i++) {
        tern_token_info *t = &seq->info[i];
        if (t->sequence < 0) continue;
        const char *text = seq->text + t->text_at, *input = inputs[t->sequence];
        size_t leading = blanks(text, t->n_text_bytes, false), trailing = blanks(text, t->n_text_bytes, true);
        if (add_prefix_space && leading == 1 && (i == 0 || t->begin == 0)) leading = 0;
        t->begin = step_forward(input, t->begin, leading, t->end);
        t->end = step_back(input, t->end, trailing, t->begin);
    }
}

static tern_status run_byte_level(postprocessing *p, const component *c)
{
    for (size_t i = 0; p->detail && c->trim_offsets && !p->placed && i < p->n; i++)
        trim_offsets(&p->sequences[i], p->inputs, c->add_prefix_space);
    if (p->detail && c->trim_offsets && p->placed) trim_offsets(p->out, p->inputs, c->add_prefix_space);
    return TERN_OK;
}

static tern_status run_template(postprocessing *p, const component *c)
{
    tern_status st = TERN_OK;
    const template_part *parts = p->n == 2 ? c->pair : c->single;
    size_t n = p->n == 2 ? c->n_pair : c->n_single;
    if (p->n == 2 && !c->pair)
        return tern_fail(p->ctx, TERN_ERR_UNSUPPORTED, "the tokenizer's template has no form for a pair of texts");
    for (size_t i = 0; i < n; i++) {
        const template_part *part = &parts[i];
        if (part->sequence >= 0) {
            TERN_TRY(encoding_append(p->ctx, p->out, p->detail, &p->sequences[part->sequence], part->type_id));
            continue;
        }
        tern_token_info info = { .type_id = part->type_id, .sequence = -1, .special = true, .attend = true };
        for (size_t k = 0; p->add_special && k < part->n_ids; k++)
            TERN_TRY(encoding_add(p->ctx, p->out, p->detail, part->ids[k], &info, part->tokens[k],
                                  strlen(part->tokens[k])));
    }
    p->placed = true;
done:
    return st;
}

static tern_status run_roberta(postprocessing *p, const component *c)
{
    run_byte_level(p, c);
    return run_template(p, c);
}

tern_status postprocess(postprocessing *p, const components *list)
{
    tern_status st = TERN_OK;
    p->out->n = p->out->n_text_bytes = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (p->placed && list->at[i].n_single)
            return tern_fail(p->ctx, TERN_ERR_UNSUPPORTED, "two post-processors that place the sequences");
        TERN_TRY(list->at[i].kind->postprocess(p, &list->at[i]));
    }
    for (size_t i = 0; i < p->n && !p->placed; i++)
        TERN_TRY(encoding_append(p->ctx, p->out, p->detail, &p->sequences[i], (int32_t)i));
done:
    return st;
}

size_t postprocess_added(const components *list, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < list->n; i++) {
        const component *c = &list->at[i];
        const template_part *parts = n == 2 ? c->pair : c->single;
        for (size_t k = 0; k < (n == 2 ? c->n_pair : c->n_single); k++) count += parts[k].n_ids;
    }
    return count;
}

#define KEYS(...) (const char *const[]){ __VA_ARGS__, NULL }

static const component_kind kinds[] = {
    { .type = "TemplateProcessing", .keys = KEYS("single", "pair", "special_tokens"), .load = load_template,
      .postprocess = run_template },
    { .type = "BertProcessing", .keys = KEYS("sep", "cls"), .load = load_bert_processing, .postprocess = run_template },
    { .type = "RobertaProcessing", .keys = KEYS("sep", "cls", "trim_offsets", "add_prefix_space"), .load = load_roberta,
      .postprocess = run_roberta },
    { .type = "ByteLevel", .keys = KEYS("add_prefix_space", "trim_offsets", "use_regex"), .load = load_byte_level,
      .postprocess = run_byte_level },
};

const component_table postprocessor_table = { "post-processor", "processors", kinds, sizeof kinds / sizeof *kinds };
