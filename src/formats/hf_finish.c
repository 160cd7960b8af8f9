/* Finds the keys of a config that nobody asked for and no row explains: see hf_config.h. */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/json.h"
#include "formats/checkpoint.h"
#include "formats/hf_inside.h"

typedef struct search {
    tern_hf_config *config;
    const tern_hf_ignorable *own;
    size_t n_own;
    void (*found)(struct search *search, const char *path, const json_t *value);
    char *names;               /* where the found keys are listed, or null */
    size_t size, used, count;
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

static bool explained_by(const tern_hf_ignorable *rows, size_t n_rows, const char *key, const json_t *value)
{
    for (size_t i = 0; i < n_rows; i++) {
        if (tern_name_matches(rows[i].key, key) && (!rows[i].only || tern_hf_allows(value, rows[i].only))) return true;
    }
    return false;
}

/* path[0 .. length) is where object lies; names in the tables have no "text_config." before them. Depth is bounded by the JSON reader's
 * and by the length of a path. */
static void visit(search *s, const json_t *object, char *path, size_t length)
{
    const char *key;
    json_t *value;
    const size_t inner = sizeof TERN_HF_INNER;
    json_object_foreach((json_t *)object, key, value) {
        if (json_is_null(value)) continue;
        int n = snprintf(path + length, TERN_HF_KEY_BYTES - length, "%s%s", length ? "." : "", key);
        bool fits = length + (size_t)n < TERN_HF_KEY_BYTES, addressable = fits && !strchr(key, '.');
        const json_t *asked = addressable ? json_object_get(s->config->asked, path) : NULL;
        const char *name = !strncmp(path, TERN_HF_INNER ".", inner) ? path + inner : path;
        bool is_inner = s->config->inner && value == s->config->inner;
        if (json_is_true(asked)) continue;
        if (fits && (explained_by(tern_hf_ignorables, tern_hf_n_ignorables, name, value) || explained_by(s->own, s->n_own, name, value))) continue;
        if ((asked || is_inner) && json_is_object(value)) visit(s, value, path, length + (size_t)n);
        else s->found(s, path, value);
        path[length] = 0;
    }
}

static void refuse(search *s, const char *path, const json_t *value)
{
    char shown[80], name[TERN_SHOWN_BYTES];
    tern_faults_add(&s->config->faults, TERN_ERR_UNSUPPORTED, "unknown key \"%s\": %s", tern_show_name(path, name),
                    tern_json_show(value, shown, sizeof shown));
}

tern_status tern_hf_finish(tern_hf_config *c, const tern_hf_ignorable *ignorable, size_t n_ignorable)
{
    char path[TERN_HF_KEY_BYTES] = "";
    search s = { .config = c, .own = ignorable, .n_own = n_ignorable, .found = refuse };
    if (!c->finished) {
        visit(&s, c->root, path, 0);
        if (json_object_get(c->root, "auto_map")) tern_log(c->ctx, TERN_LOG_INFO, "%s: \"auto_map\" names code, which is never executed", c->path);
    }
    c->finished = true;
    return tern_faults_fail(c->ctx, &c->faults, c->path);
}

static void name_it(search *s, const char *path, const json_t *value)
{
    char name[TERN_SHOWN_BYTES];
    size_t left = s->size - s->used;
    (void)value;
    s->count++;
    if (left < 5) return;
    int n = snprintf(s->names + s->used, left - 4, "%s%s", s->used ? ", " : "", tern_show_name(path, name));
    if ((size_t)n >= left - 4) {
        strcpy(s->names + s->used, "...");
        s->used = s->size;
    } else {
        s->used += (size_t)n;
    }
}

size_t tern_hf_unexplained(tern_hf_config *c, const tern_hf_ignorable *ignorable, size_t n_ignorable, char *buffer, size_t size)
{
    char path[TERN_HF_KEY_BYTES] = "";
    search s = { .config = c, .own = ignorable, .n_own = n_ignorable, .found = name_it, .names = buffer, .size = size };
    buffer[0] = 0;
    visit(&s, c->root, path, 0);
    return s.count;
}
