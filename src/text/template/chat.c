/* Renders a chat: JSON in, text with its untrusted spans out. Called by users (tern/template.h).
 *
 * What happens to the inputs on the way to the template is what transformers 5.23's
 * apply_chat_template does: keys of a message whose value is null are dropped, reasoning goes by
 * all of its names, and the final message to be continued is found again by a tag behind it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/memory.h"
#include "text/template/template.h"

#define TAG "CONTINUE_FINAL_MESSAGE_TAG "

static const char *const reasoning_fields[] = { "reasoning_content", "thinking", "reasoning" };

typedef struct chat {
    tpl_render *r;
    const json_t *in;             /* the object, or the list of messages */
    tpl_value messages, final;    /* final: the text that is to be continued, MISSING: none */
} chat;

static bool refuse(tpl_render *r, const char *kind, const char *reason)
{
    if (!r->pool.status)
        r->pool.status = tern_fail(r->pool.ctx, TERN_ERR_ARGUMENT, "%s: %s: %s", r->v ? r->v->label : "chat template",
                                   kind, reason);
    return false;
}

/* ---- JSON to values ---- */

static bool from_json(tpl_render *r, const json_t *json, bool trusted, tpl_value *out);

static bool string_from(tpl_render *r, const char *data, size_t n, bool trusted, tpl_value *out)
{
    tpl_text *text = tpl_text_borrow(&r->pool, data, n, trusted);
    if (text) *out = tpl_text_value(text);
    return text != NULL;
}

static bool array_from(tpl_render *r, const json_t *json, bool trusted, tpl_value *out)
{
    tpl_array *array = tpl_array_new(&r->pool, json_array_size(json));
    for (size_t i = 0; array && i < json_array_size(json); i++) {
        tpl_value item;
        if (!from_json(r, json_array_get(json, i), trusted, &item) || !tpl_append(&r->pool, array, item)) return false;
    }
    if (array) *out = tpl_list_of(array, TPL_LIST);
    return array != NULL;
}

static bool set_from(tpl_render *r, tpl_dict *dict, const char *key, size_t key_bytes, const json_t *json, bool trusted)
{
    tpl_value name, value;
    return string_from(r, key, key_bytes, false, &name) && from_json(r, json, trusted, &value) &&
           tpl_dict_set(&r->pool, dict, name, value);
}

static bool object_from(tpl_render *r, const json_t *json, bool trusted, tpl_value *out)
{
    tpl_dict *dict = tpl_dict_new(&r->pool);
    if (!dict) return false;
    for (void *at = json_object_iter((json_t *)(uintptr_t)json); at; at =
        json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        const char *key = json_object_iter_key(at);
        if (!set_from(r, dict, key, strlen(key), json_object_iter_value(at), trusted)) return false;
    }
    *out = (tpl_value){ .kind = TPL_DICT, .dict = dict };
    return true;
}

static bool from_json(tpl_render *r, const json_t *json, bool trusted, tpl_value *out)
{
    if (!tpl_work(&r->pool, 1)) return false;
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_OBJECT: return object_from(r, json, trusted, out);
    case JSON_ARRAY: return array_from(r, json, trusted, out);
    case JSON_STRING: return string_from(r, json_string_value(json), json_string_length(json), trusted, out);
    case JSON_INTEGER: *out = tpl_int(json_integer_value(json)); return true;
    case JSON_REAL: *out = tpl_float(tern_json_number(json)); return true;
    case JSON_TRUE: *out = tpl_bool(true); return true;
    case JSON_FALSE: *out = tpl_bool(false); return true;
    default: *out = tpl_none(); return true;
    }
}

/* ---- messages ---- */

/* A role that templates may build control tokens from. */
static bool is_word(const json_t *role)
{
    const char *s = json_string_value(role);
    size_t n = json_string_length(role);
    for (size_t i = 0; i < n; i++)
        if (!(s[i] == '-' || (s[i] > 0 && tpl_is_name_part(s[i])))) return false;
    return n > 0 && n < 64;
}

/* What transformers calls the reasoning: the first of its names that has a value. */
static const json_t *reasoning_of(const json_t *message)
{
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(message, reasoning_fields[i]);
        if (value && !json_is_null(value)) return value;
    }
    return NULL;
}

static bool message_from(tpl_render *r, const json_t *json, tpl_value *out)
{
    tpl_dict *dict = tpl_dict_new(&r->pool);
    const json_t *reasoning = reasoning_of(json);
    if (!dict) return false;
    if (reasoning && !set_from(r, dict, "thinking", 8, reasoning, false)) return false;
    for (void *at = json_object_iter((json_t *)(uintptr_t)json); at; at =
        json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        bool role = strcmp(key, "role") == 0 && json_is_string(value) && is_word(value);
        if (!json_is_null(value) && !set_from(r, dict, key, strlen(key), value, role)) return false;
    }
    if (reasoning && !set_from(r, dict, "reasoning_content", 17, reasoning, false)) return false;
    *out = (tpl_value){ .kind = TPL_DICT, .dict = dict };
    return true;
}

static bool messages_from(chat *c, const json_t *list)
{
    tpl_render *r = c->r;
    tpl_array *array = tpl_array_new(&r->pool, json_array_size(list));
    if (!array) return false;
    if (!json_is_array(list)) return refuse(r, "TypeError", "\"messages\" must be a list of messages");
    if (!json_array_size(list))
        return refuse(r, "ValueError",
                      "Cannot apply chat template to an empty conversation. Provide at least one message.");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        char reason[200];
        tpl_value message;
        if (!json_is_object(item)) {
            snprintf(reason, sizeof reason, "Chat messages should be objects, but messages[%zu] is %s", i,
                     tern_json_kind(item));
            return refuse(r, "TypeError", reason);
        }
        if (!message_from(r, item, &message) || !tpl_append(&r->pool, array, message)) return false;
    }
    c->messages = tpl_list_of(array, TPL_LIST);
    return true;
}

/* tools and documents: null, or a list of objects. */
static bool objects_from(chat *c, const char *key, const char *kind, const char *reason, tpl_value *out)
{
    const json_t *list = json_object_get(c->in, key);
    if (list && !json_is_null(list) && !json_is_array(list)) return refuse(c->r, kind, reason);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_object(json_array_get(list, i))) return refuse(c->r, kind, reason);
    return from_json(c->r, list, false, out);
}

/* ---- the final message, continued ---- */

static bool tag_text(chat *c, tpl_dict *holder, const char *key)
{
    tpl_value tag, *text = tpl_dict_get(holder, key), tagged;
    if (!tpl_str(&c->r->pool, TAG, &tag)) return false;
    if (!tpl_binary(c->r, '+', *text, tag, &tagged)) return false;      /* Python's TypeError where it is no text */
    c->final = *text;
    *text = tagged;
    return true;
}

static bool tag_last_block(chat *c, tpl_value blocks)
{
    for (uint32_t i = blocks.n; i-- > 0;) {
        tpl_value block = tpl_items(blocks)[i];
        if (block.kind == TPL_DICT && tpl_dict_get(block.dict, "text")) return tag_text(c, block.dict, "text");
    }
    return refuse(c->r, "ValueError",
                  "continue_final_message is set but we could not find any text to continue in the final message!");
}

/* The reasoning goes by several names: all that have the same text are tagged, whichever the
 * template reads. */
static bool tag_fields(chat *c, tpl_dict *last, const char *field, tpl_value text)
{
    bool is_reasoning = false;
    for (size_t i = 0; i < 3; i++) is_reasoning |= strcmp(field, reasoning_fields[i]) == 0;
    for (size_t i = 0; is_reasoning && i < 3; i++) {
        tpl_value *same = tpl_dict_get(last, reasoning_fields[i]);
        if (same && strcmp(field, reasoning_fields[i]) && tpl_equal(NULL, *same, text) &&
            !tag_text(c, last, reasoning_fields[i]))
            return false;
    }
    return tag_text(c, last, field);
}

static bool names_field(const chat *c, tpl_dict *last, const char *field, tpl_value text)
{
    bool named = strstr(c->r->v->source, field) != NULL, is_reasoning = false;
    for (size_t i = 0; i < 3; i++) is_reasoning |= strcmp(field, reasoning_fields[i]) == 0;
    for (size_t i = 0; is_reasoning && i < 3; i++) {
        tpl_value *same = tpl_dict_get(last, reasoning_fields[i]);
        named = named || (same && tpl_equal(NULL, *same, text) && strstr(c->r->v->source, reasoning_fields[i]));
    }
    return named;
}

static bool prepare_continuation(chat *c, const json_t *wanted)
{
    char reason[300];
    const char *field = json_is_string(wanted) ? json_string_value(wanted) : "content";
    tpl_value last = tpl_items(c->messages)[c->messages.n - 1], *text = tpl_dict_get(last.dict, field);
    if (!text || text->kind == TPL_NONE) {
        tern_show(reason, sizeof reason,
                  "continue_final_message is set but the final message has no \"%s\" to continue!", field);
        return refuse(c->r, "ValueError", reason);
    }
    if (!names_field(c, last.dict, field, *text)) {
        tern_show(reason, sizeof reason, "continue_final_message is set to \"%s\" but this is not an accepted field in "
                  "the chat_template", field);
        return refuse(c->r, "ValueError", reason);
    }
    return text->kind == TPL_LIST ? tag_last_block(c, *text) : tag_fields(c, last.dict, field, *text);
}

static bool strip(tpl_render *r, const char *method, tpl_value s, tpl_value *out)
{
    return tpl_find_method(TPL_STR, method)->run(r, s, &(tpl_args){ 0 }, out);
}

/* Cuts the rendered text where the final message ends. */
static bool cut_continuation(chat *c, tpl_value rendered, tpl_value *out)
{
    tpl_value final;
    const char *data = tpl_data(rendered), *tag = NULL;
    size_t tag_bytes = strlen(TAG);
    if (!strip(c->r, "strip", c->final, &final)) return false;
    for (const char *p = data; (p = memmem(p, rendered.n - (size_t)(p - data), TAG, tag_bytes - 1)); p++) tag = p;
    if (!tag || !memmem(data, rendered.n, tpl_data(final), final.n))
        return refuse(c->r, "ValueError",
                      "continue_final_message is set but the final message does not appear in the chat after applying "
                      "the chat template! This can happen if the chat template deletes portions of the final message. "
                      "Please verify the chat template and final message in your chat to ensure they are compatible.");
    size_t at = (size_t)(tag - data);
    bool spacing_kept = rendered.n - at >= tag_bytes && memcmp(tag, TAG, tag_bytes) == 0;
    *out = tpl_cut(rendered, 0, at);
    return spacing_kept || strip(c->r, "rstrip", *out, out);
}

/* ---- what the template sees ---- */

static bool input_of(chat *c, const char *name, const tpl_value *fixed, tpl_value *out)
{
    static const char *const names[] = { "messages", "tools", "documents", "add_generation_prompt" };
    const json_t *given;
    *out = (tpl_value){ 0 };
    for (size_t i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return *out = fixed[i], true;
    if ((given = json_object_get(json_object_get(c->in, "chat_template_kwargs"), name)))
        return from_json(c->r, given, false, out);
    const json_t *tokens = json_object_get(c->in, "special_tokens");
    if (!json_is_object(tokens)) tokens = c->r->t->special_tokens;
    if ((given = json_object_get(tokens, name)) && json_is_object(given)) given = json_object_get(given, "content");
    if (given) return json_is_null(given) || from_json(c->r, given, true, out);
    const tpl_function *global = tpl_find_global(name);
    if (global) *out = (tpl_value){ .kind = TPL_FUNCTION, .function = global };
    return true;
}

static bool prepare(chat *c)
{
    tpl_render *r = c->r;
    const json_t *list = json_is_object(c->in) ? json_object_get(c->in, "messages") : c->in;
    const json_t *kwargs = json_object_get(c->in, "chat_template_kwargs"),
        *go_on = json_object_get(c->in, "continue_final_message");
    bool continues = json_is_true(go_on) || (json_is_string(go_on) && json_string_length(go_on));
    tpl_value fixed[4];
    if (kwargs && !json_is_null(kwargs) && !json_is_object(kwargs))
        return refuse(r, "TypeError", "\"chat_template_kwargs\" must be an object");
    if (!messages_from(c, list)) return false;
    if (continues && json_is_true(json_object_get(c->in, "add_generation_prompt")))
        return refuse(r, "ValueError",
                      "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message "
                      "when you want the model to continue the final message, and add_generation_prompt when you want "
                      "to add a header that will prompt it to start a new assistant message instead.");
    if (!objects_from(c, "tools", "ValueError", "Tools should be a list of JSON schemas", &fixed[1])) return false;
    if (!objects_from(c, "documents", "TypeError", "Documents should be a list of dicts with 'title' and 'text' keys!",
                      &fixed[2]))
        return false;
    if (continues && !prepare_continuation(c, go_on)) return false;
    fixed[0] = c->messages;
    fixed[3] = tpl_bool(json_is_true(json_object_get(c->in, "add_generation_prompt")));
    if (!(r->inputs = tpl_get(&r->pool, r->v->n_names, sizeof *r->inputs))) return false;
    for (uint32_t i = 0; i < r->v->n_names; i++)
        if (!input_of(c, r->v->names[i], fixed, &r->inputs[i])) return false;
    return true;
}

static tern_status choose(const tern_template *t, const json_t *in, tpl_variant **out)
{
    const json_t *tools = json_object_get(in, "tools"), *asked = json_object_get(in, "chat_template");
    const char *name = json_is_string(asked) ? json_string_value(asked) : NULL;
    tpl_variant *usual = NULL, *with_tools = NULL;
    if (!t->named && !name) return *out = &t->variants[0], TERN_OK;
    for (size_t i = 0; i < t->n_variants; i++) {
        tpl_variant *v = &t->variants[i];
        if (name && strcmp(v->name, name) == 0) return *out = v, TERN_OK;
        if (strcmp(v->name, "default") == 0) usual = v;
        if (strcmp(v->name, "tool_use") == 0) with_tools = v;
    }
    if (name) return tern_fail(t->ctx, TERN_ERR_ARGUMENT, "no chat template is named '%s'", name);
    *out = tools && !json_is_null(tools) && with_tools ? with_tools : usual;
    if (*out) return TERN_OK;
    return tern_fail(t->ctx, TERN_ERR_ARGUMENT, "ValueError: This model has multiple chat templates with no default "
                     "specified! Name one of them, such as '%s'", t->variants[0].name);
}

/* ---- the clock ---- */

static tern_status read_clock(tern_ctx *ctx, const char *now, tern_clock *clock)
{
    int year, month, day, hour = 0, minute = 0, second = 0, n = 0, more = 0, month_days;
    char fraction[8] = "";
    if (!now) {
        time_t seconds = time(NULL);
        struct tm tm;
        localtime_r(&seconds, &tm);
        *clock = (tern_clock){ tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                               tm.tm_sec > 59 ? 59 : tm.tm_sec, 0 };
        return TERN_OK;
    }
    bool ok = sscanf(now, "%4d-%2d-%2d%n", &year, &month, &day, &n) == 3;
    if (ok && now[n]) {
        ok = (now[n] == 'T' || now[n] == ' ') &&
             sscanf(now + n + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &more) == 3;
        n += 1 + more;
        more = 0;
        if (ok && now[n] == '.') ok = sscanf(now + n, ".%6[0-9]%n", fraction, &more) == 1;
        ok = ok && !now[n + more];
    }
    if (ok && month == 2) month_days = 28 + ((year % 4 == 0 && year % 100) || year % 400 == 0);
    else if (ok && (month == 4 || month == 6 || month == 9 || month == 11)) month_days = 30;
    else month_days = 31;
    if (!ok || year < 1 || month < 1 || month > 12 || day < 1 || day > month_days || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 59)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "'%s' is no time such as 2025-03-09T07:05:03", now);
    int micro = 0;
    for (int i = 0, end = 0; i < 6; i++) {
        end = end || !fraction[i];
        micro = micro * 10 + (end ? 0 : fraction[i] - '0');
    }
    *clock = (tern_clock){ year, month, day, hour, minute, second, micro };
    return TERN_OK;
}

/* ---- the result ---- */

static tern_status hand_over(tern_ctx *ctx, tpl_value s, tern_rendered *out)
{
    uint32_t from = 0;
    *out = (tern_rendered){ .text = tern_strndup(ctx, tpl_data(s), s.n), .n_bytes = s.n };
    out->spans = out->text ? tern_alloc(ctx, s.text->n_runs, sizeof *out->spans, "spans of a chat") : NULL;
    if (!out->spans) {
        tern_rendered_free(out);
        return TERN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < s.text->n_runs && from < s.n; i++) {
        uint32_t end = s.text->runs[i].end < s.n ? s.text->runs[i].end : s.n;
        out->spans[out->n_spans++] = (tern_span){ out->text + from, end - from, s.text->runs[i].trusted };
        from = end;
    }
    return TERN_OK;
}

void tern_rendered_free(tern_rendered *rendered)
{
    if (!rendered) return;
    tern_free(rendered->text);
    tern_free(rendered->spans);
    *rendered = (tern_rendered){ 0 };
}

static tern_status run(const tern_template *t, const tpl_variant *v, const json_t *in, tern_clock *clock,
                       tern_rendered *out)
{
    tpl_render r = { .t = t, .v = v, .clock = clock, .max_depth = t->limits.depth };
    chat c = { .r = &r, .in = in };
    tpl_value text;
    r.pool = (tpl_pool){ .ctx = t->ctx, .max_bytes = t->limits.memory_bytes, .max_work = t->limits.steps,
                         .max_text_bytes = t->limits.output_bytes };
    bool ok = prepare(&c) && (r.root = tpl_frame_new(&r, NULL)) && (r.out = tpl_text_new(&r.pool, 4096)) &&
              tpl_exec(&r, &v->body, r.root) == FLOW_ON;
    if (ok) text = tpl_text_value(r.out);
    if (ok && c.final.kind != TPL_MISSING) ok = cut_continuation(&c, text, &text);
    tern_status st = ok ? hand_over(t->ctx, text, out) : r.pool.status;
    tpl_pool_free(&r.pool);
    return st;
}

tern_status tern_template_render(tern_template *t, const char *json, size_t n_bytes, const char *now,
                                 tern_rendered *out)
{
    json_t *in = NULL;
    tern_clock clock;
    tpl_variant *v;
    tern_status st;
    TERN_TRY(read_clock(t->ctx, now, &clock));
    TERN_TRY(tern_json_parse_exact(t->ctx, "messages", json, n_bytes, &in));
    TERN_TRY(choose(t, in, &v));
    TERN_TRY(tpl_compile(t, v));
    st = run(t, v, in, &clock, out);
done:
    json_decref(in);
    return st;
}
