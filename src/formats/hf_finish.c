/* Finds the keys of a config that were not looked up and that no row explains: see hf_config.h. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "base/pattern.h"
#include "formats/hf_inside.h"

typedef struct search {
    tern_hf_config *config;
    const tern_hf_ignorable *own;
    size_t n_own;
} search;

/* Numbers are equal by value, so that 0 and 0.0 are the same. */
static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

bool tern_hf_allows(const json_t *value, const char *only)
{
    for (const char *from = only; from; from = strchr(from, '|')) {
        if (*from == '|') from++;
        json_t *one = json_loadb(from, strcspn(from, "|"), JSON_DECODE_ANY, NULL);
        bool same = one && same_value(one, value);
        json_decref(one);
        if (same) return true;
    }
    return false;
}

typedef enum verdict { UNKNOWN, EXPLAINED, OTHER_VALUE } verdict;

/* OTHER_VALUE: a row has the key, and none allows the value. */
static verdict explained_by(const tern_hf_ignorable *rows, size_t n_rows, const char *key, const json_t *value)
{
    verdict so_far = UNKNOWN;
    for (size_t i = 0; i < n_rows; i++) {
        if (!tern_name_matches(rows[i].key, key)) continue;
        if (!rows[i].only || tern_hf_allows(value, rows[i].only)) return EXPLAINED;
        so_far = OTHER_VALUE;
    }
    return so_far;
}

static verdict explain(const search *s, const char *key, const json_t *value)
{
    verdict common = explained_by(tern_hf_ignorables, tern_hf_n_ignorables, key, value),
        own = explained_by(s->own, s->n_own, key, value);
    if (common == EXPLAINED || own == EXPLAINED) return EXPLAINED;
    return common == OTHER_VALUE || own == OTHER_VALUE ? OTHER_VALUE : UNKNOWN;
}

/* The path as the tables have it. */
static const char *name_of(const char *path)
{
    const size_t inner = sizeof TERN_HF_INNER;
    return !strncmp(path, TERN_HF_INNER ".", inner) ? path + inner : path;
}

static void refuse(search *s, const char *path, const json_t *value, const char *before, const char *after)
{
    char shown[80], name[TERN_SHOWN_BYTES];
    tern_faults_add(&s->config->faults, TERN_ERR_UNSUPPORTED, "%s \"%s\": %s%s", before, tern_show_name(path, name),
                    tern_json_show(value, shown, sizeof shown), after);
}

static bool equals_text(tern_hf_config *c, const json_t *value, const char *text)
{
    json_t *other = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    bool same = other && same_value(other, value);
    c->faults.out_of_memory |= text && !other;
    json_decref(other);
    return same;
}

/* Whether the class reads a key. A rope's description has an older name. */
static bool class_reads(const tern_hf_config *c, const char *key, const char **fallback)
{
    static const char old[] = "rope_scaling.";
    char renamed[TERN_HF_KEY_BYTES];
    *fallback = NULL;
    if (c->class.reads(c->class.user, key, fallback)) return true;
    if (strncmp(key, old, sizeof old - 1)) return false;
    int n = snprintf(renamed, sizeof renamed, "rope_parameters.%s", key + sizeof old - 1);
    return (size_t)n < sizeof renamed && c->class.reads(c->class.user, renamed, fallback);
}

/* A key that is without effect at other values. */
static void refuse_value(search *s, const char *path, const json_t *value)
{
    const char *name = name_of(path);
    if (!strcmp(name, "quantization_config") || !strcmp(name, "compression_config"))
        refuse(s, path, value, "the weights are quantized, which this version does not read:", "");
    else
        refuse(s, path, value, "key", " changes the result, and is not supported");
}

/* Refuses, passes over or ignores one unexplained key. */
static void judge(search *s, const char *path, const json_t *value)
{
    tern_hf_config *c = s->config;
    const char *fallback = NULL;
    char shown[TERN_SHOWN_BYTES];
    if (explain(s, name_of(path), value) == OTHER_VALUE) {
        refuse_value(s, path, value);
    } else if (!c->class.reads) {
        refuse(s, path, value, "unknown key", "");
    } else if (class_reads(c, name_of(path), &fallback)) {
        if (!equals_text(c, value, fallback))
            refuse(s, path, value, "key", " changes the result, and is not supported");
    } else if (c->strict) {
        refuse(s, path, value, "unknown key", "");
    } else if (json_array_append_new(c->ignored, json_string_nocheck(tern_show_name(path, shown)))) {
        c->faults.out_of_memory = true;
    }
}

/* path[0 .. length) is where object lies; names in the tables have no "text_config." before them.
 * Depth is bounded by the JSON reader's and by the length of a path. */
static void visit(search *s, const json_t *object, char *path, size_t length)
{
    const char *key;
    size_t key_length;
    json_t *value;
    json_object_keylen_foreach((json_t *)object, key, key_length, value) {
        if (json_is_null(value)) continue;
        int n = snprintf(path + length, TERN_HF_KEY_BYTES - length, "%s%s", length ? "." : "", key);
        /* a key with a NUL is not the one before it */
        bool fits = length + (size_t)n < TERN_HF_KEY_BYTES && strlen(key) == key_length;
        bool addressable = fits && !strchr(key, '.');
        const json_t *asked = addressable ? json_object_get(s->config->asked, path) : NULL;
        bool is_inner = s->config->inner && value == s->config->inner;
        if (json_is_true(asked)) continue;
        if (fits && explain(s, name_of(path), value) == EXPLAINED) continue;
        if ((asked || is_inner) && json_is_object(value)) visit(s, value, path, length + (size_t)n);
        else judge(s, path, value);
        path[length] = 0;
    }
}

tern_status tern_hf_finish(tern_hf_config *c, const tern_hf_ignorable *ignorable, size_t n_ignorable)
{
    char path[TERN_HF_KEY_BYTES] = "";
    search s = { .config = c, .own = ignorable, .n_own = n_ignorable };
    if (!c->finished) visit(&s, c->root, path, 0);
    c->finished = true;
    return tern_faults_fail(c->ctx, &c->faults, c->path);
}
