/* Chat templates against what Python's jinja2 rendered under transformers' settings: the public
 * fixtures, templates in the style of the big families, and snippets over every construct
 * (tools/make_template_goldens.py records the last two). */
#include "text/template_rig.h"

#include <dirent.h>

/* One case of a golden file: the inputs as tern takes them. */
static char *inputs_of(const json_t *golden, const json_t *one)
{
    static const char *const keys[] = { "messages", "tools", "documents", "add_generation_prompt",
                                        "continue_final_message" };
    json_t *in = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(one, keys[i]);
        if (value) json_object_set(in, keys[i], value);
    }
    json_object_set(in, "special_tokens", json_object_get(golden, "special_tokens"));
    json_object_set(in, "chat_template_kwargs", json_object_get(one, "kwargs"));
    char *text = json_dumps(in, JSON_ENCODE_ANY);
    json_decref(in);
    return text;
}

/* Everything but the message of the error, which tern puts a place before: "NAME: line 1, column 2:
 * TypeError: ...". */
static bool same_error(const char *want, const char *got)
{
    return strstr(got, want) != NULL;
}

static size_t check_case(tern_template *t, const char *name, const char *what, const char *json, const char *now,
                         const json_t *one)
{
    const json_t *rendered = json_object_get(one, "rendered"), *error = json_object_get(one, "error");
    tern_rendered got = { 0 };
    tern_status st = tern_template_render(t, json, strlen(json), now, &got);
    bool same = false;
    if (json_is_string(rendered))
        same = st == TERN_OK && got.n_bytes == json_string_length(rendered) &&
               memcmp(got.text, json_string_value(rendered), got.n_bytes) == 0;
    else if (json_is_string(error)) same = st != TERN_OK && same_error(json_string_value(error), tern_ctx_error(ctx));
    if (!same) {
        print_message("%s, %s\n  want %s\n  got  %s\n", name, what,
                      json_string_value(json_is_string(rendered) ? rendered : error),
                      st == TERN_OK ? got.text : tern_ctx_error(ctx));
    }
    if (st == TERN_OK) check_spans_cover(&got);
    tern_rendered_free(&got);
    return !same;
}

/* The tokens of a rendered chat, where the golden file has them: special tokens count in the
 * template's words, and only there. */
static size_t check_ids(const char *tokenizer, const tern_rendered *r, const json_t *ids)
{
    char path[512];
    tern_tokenizer *tok;
    tern_encoding got = { 0 };
    snprintf(path, sizeof path, "%s/tokenizers/%s", TERN_GOLDEN, tokenizer);
    if (tern_tokenizer_open(ctx, path, &tok)) fail_msg("%s", tern_ctx_error(ctx));
    if (tern_tokenizer_encode_spans(tok, r->spans, r->n_spans, NULL, &got)) fail_msg("%s", tern_ctx_error(ctx));
    bool same = got.n == json_array_size(ids);
    for (size_t i = 0; same && i < got.n; i++) same = got.ids[i] == json_integer_value(json_array_get(ids, i));
    tern_encoding_free(&got);
    tern_tokenizer_free(tok);
    return !same;
}

static size_t check_tokens(tern_template *t, const char *json, const json_t *golden, const json_t *one)
{
    const json_t *ids = json_object_get(one, "ids");
    tern_rendered r;
    if (!json_is_array(ids) ||
        tern_template_render(t, json, strlen(json), json_string_value(json_object_get(golden, "now")), &r))
        return 0;
    size_t n_wrong = check_ids(json_string_value(json_object_get(golden, "tokenizer")), &r, ids);
    if (n_wrong) print_message("other tokens: %s\n", r.text);
    tern_rendered_free(&r);
    return n_wrong;
}

/* A folder's expected.json: { template, special_tokens, now, cases }. */
static size_t check_folder(const char *folder, size_t *n_cases)
{
    char path[512], what[64];
    json_t *golden, *one;
    tern_template *t;
    size_t i, n_wrong = 0;
    snprintf(path, sizeof path, "chat/%s/expected.json", folder);
    assert_int_equal(tern_json_read(ctx, TERN_GOLDEN, path, 64 << 20, &golden), TERN_OK);
    const json_t *text = json_object_get(golden, "template");
    if (tern_template_parse(ctx, folder, json_string_value(text), json_string_length(text), &t))
        fail_msg("%s", tern_ctx_error(ctx));
    json_array_foreach(json_object_get(golden, "cases"), i, one) {
        char *json = inputs_of(golden, one);
        snprintf(what, sizeof what, "case %zu", i);
        n_wrong += check_case(t, folder, what, json, json_string_value(json_object_get(golden, "now")), one);
        n_wrong += check_tokens(t, json, golden, one);
        free(json);
    }
    *n_cases += i;
    tern_template_free(t);
    json_decref(golden);
    return n_wrong;
}

static void folders_render_alike(void **state)
{
    DIR *dir = opendir(TERN_GOLDEN "/chat");
    size_t n_wrong = 0, n_cases = 0;
    (void)state;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && !strchr(entry->d_name, '.')) n_wrong += check_folder(entry->d_name, &n_cases);
    closedir(dir);
    assert_true(n_cases >= 55);
    assert_int_equal(n_wrong, 0);
}

/* A broken template: the line must be the one that Jinja gives. */
static size_t check_syntax(const char *text, const json_t *one)
{
    char line[32];
    tern_template *t = NULL;
    tern_status st = tern_template_parse(ctx, "snippet", text, strlen(text), &t);
    snprintf(line, sizeof line, "line %d,", (int)json_integer_value(json_object_get(one, "line")));
    bool same = (st == TERN_ERR_FORMAT || st == TERN_ERR_UNSUPPORTED) && strstr(tern_ctx_error(ctx), line);
    if (!same) {
        print_message("%s\n  want %s %s\n  got  %s\n", text, line,
                      json_string_value(json_object_get(one, "syntax_error")), st ? tern_ctx_error(ctx) : "a template");
    }
    tern_template_free(t);
    return !same;
}

static char *snippet_inputs(const json_t *golden, const json_t *one)
{
    json_t *kwargs = json_deep_copy(json_object_get(golden, "kwargs"));
    json_object_update(kwargs, json_object_get(one, "kwargs"));
    json_t *in = json_pack("{s:[{s:s, s:s}], s:o}", "messages", "role", "user", "content", "Hi", "chat_template_kwargs",
                           kwargs);
    char *text = json_dumps(in, JSON_ENCODE_ANY);
    json_decref(in);
    return text;
}

static void snippets_render_alike(void **state)
{
    json_t *golden, *one;
    size_t i, n_wrong = 0;
    (void)state;
    assert_int_equal(tern_json_read(ctx, TERN_GOLDEN, "chat/snippets.json", 64 << 20, &golden), TERN_OK);
    json_array_foreach(json_object_get(golden, "cases"), i, one) {
        const char *text = json_string_value(json_object_get(one, "template"));
        tern_template *t = NULL;
        if (json_object_get(one, "syntax_error")) {
            n_wrong += check_syntax(text, one);
            continue;
        }
        if (tern_template_parse(ctx, "snippet", text, json_string_length(json_object_get(one, "template")), &t)) {
            print_message("%s\n  want %s%s\n  got  %s\n", text, json_string_value(json_object_get(one, "rendered")),
                          json_string_value(json_object_get(one, "error")), tern_ctx_error(ctx));
            n_wrong++;
            continue;
        }
        char *json = snippet_inputs(golden, one);
        n_wrong += check_case(t, "snippet", text, json, json_string_value(json_object_get(golden, "now")), one);
        free(json);
        tern_template_free(t);
    }
    assert_true(i >= 700);
    json_decref(golden);
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(folders_render_alike),
                                        cmocka_unit_test(snippets_render_alike) };
    return cmocka_run_group_tests(tests, make_ctx, free_ctx);
}
