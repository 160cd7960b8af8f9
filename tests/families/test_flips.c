/* Keys of config.json, changed one by one: each model computes what Hugging Face's class computes
 * for the value (tests/golden/flips), or is refused. A change that is the same to the reference is
 * the same here, and refused only where a class reads its key; one that the reference fails on is
 * refused, or means nothing here. TERN_FLIPS names another folder of recorded changes. */
#include <math.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <tern/embed.h>

#include "base/ctx.h"
#include "base/json.h"
#include "families/reference_keys.h"
#include "formats/checkpoint.h"
#include "model/model.h"

enum { MOST_IDS = 64, DIGEST = 10 };

typedef struct bed {
    char dir[300], work[64];
    tern_ctx *ctx;
    const char *name;
    json_t *config;
    int32_t id[MOST_IDS];
    int32_t n_id;
    double base[DIGEST];
    bool has_logits;
    const tern_reference_class *class;
    int n_right, n_refused, n_wrong, n_strict;
} bed;

/* What a model answers: the logits of every token, hidden states where it has no head, or the
 * logits of its labels. */
typedef struct answer {
    float *x;
    int64_t rows, columns;
    bool fails, has_logits;    /* a model that opens has to answer */
} answer;

static void copy_file(const char *from, const char *to)
{
    char block[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(block, 1, sizeof block, in)) > 0;) assert_int_equal(fwrite(block, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static void write_config(const bed *b, const json_t *config)
{
    char path[300];
    snprintf(path, sizeof path, "%s/config.json", b->work);
    unlink(path);    /* some file systems wait for the disk where a file is cut and written again */
    assert_int_equal(json_dump_file(config, path, 0), 0);
}

static bool answer_tokens(const bed *b, tern_model *m, const tern_model_info *info, answer *a)
{
    int32_t row[MOST_IDS], first = 0, past = 0, page = 0;
    const int32_t *pages[] = { &page };
    for (int32_t i = 0; i < b->n_id; i++) row[i] = i;
    tern_kv kv = tern_model_kv(m);
    kv.n_page = 1;
    kv.data = aligned_alloc(64, (tern_kv_bytes(&kv, 1) + 63) / 64 * 64);
    tern_ragged batch = { .n_seq = 1, .n_row = b->n_id, .row = &first, .n_tok = &b->n_id, .past = &past,
                          .page = pages };
    tern_step step = { .batch = &batch, .kv = &kv, .id = b->id, .out_row = row, .n_out = b->n_id };
    *(info->has_logits ? &step.logits : &step.hidden) = a->x;
    tern_status st = tern_model_step(m, &step);
    free(kv.data);
    return !st;
}

static bool answer_labels(const bed *b, tern_model *m, answer *a)
{
    tern_embedder *e;
    if (tern_embedder_create(b->ctx, m, NULL, &e)) return false;
    tern_embed_input input = { .ids = b->id, .n_ids = (size_t)b->n_id };
    tern_status st = tern_embedder_classify(e, &input, 1, a->x);
    tern_embedder_free(e);
    return !st;
}

/* x null: the model is refused, does not take so many tokens, or has lost its head. */
static answer answer_of(const bed *b)
{
    answer a = { 0 };
    tern_model *m;
    if (tern_model_open(b->ctx, b->work, &(tern_model_options){ .compute = TERN_COMPUTE_F32 }, &m)) return a;
    tern_model_info info = tern_model_get_info(m);
    bool fits = (!info.max_tokens || info.max_tokens >= b->n_id) && (info.has_logits || !b->has_logits);
    for (int32_t i = 0; i < b->n_id; i++) fits = fits && b->id[i] < info.vocab;
    if (fits) {
        a.rows = info.n_label ? 1 : b->n_id;
        if (info.n_label) a.columns = info.n_label;
        else if (info.has_logits) a.columns = info.vocab;
        else a.columns = info.dim;
        a.x = calloc((size_t)(a.rows * a.columns), sizeof *a.x);
        a.fails = !(info.n_label ? answer_labels(b, m, &a) : answer_tokens(b, m, &info, &a));
    }
    a.has_logits = info.has_logits;
    tern_model_free(m);
    return a;
}

/* The largest magnitude, the norm, a weighted sum, and seven values: as tools/make_key_flips.py has
 * it. */
static void digest(const answer *a, double *out)
{
    const int64_t n = a->rows, m = a->columns;
    const int64_t at[][2] = { { n - 1, 0 }, { n - 1, m / 3 }, { n - 1, m - 1 }, { n / 2, m / 2 }, { n / 2, m - 1 },
                              { n / 4, 0 }, { n > 1, m / 4 } };
    double largest = 0, squares = 0, sum = 0;
    for (int64_t t = 0; t < n; t++) {
        for (int64_t c = 0; c < m; c++) {
            double v = (double)a->x[t * m + c];
            largest = fmax(largest, fabs(v));
            squares += v * v;
            sum += v * (double)((7 * t + 3 * c) % 11 - 5);
        }
    }
    out[0] = largest;
    out[1] = sqrt(squares);
    out[2] = sum;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) out[3 + i] = (double)a->x[at[i][0] * m + at[i][1]];
}

/* Within 1e-4 of the largest value: sums in another order than the reference's, rounded to 6
 * digits. Of n values the errors add up like steps to both sides. */
static bool is_near(const answer *a, const double *want)
{
    double got[DIGEST], most = 1e-4 * want[0] + 1e-5, many = sqrt((double)(a->rows * a->columns));
    digest(a, got);
    for (int i = 0; i < DIGEST; i++) {
        double allowed = most + 1e-5 * fabs(want[i]) + (i == 1 ? most * many : 0) + (i == 2 ? 10 * most * many : 0);
        if (!(fabs(got[i] - want[i]) <= allowed)) return false;
    }
    return true;
}

static void read_digest(const json_t *list, double *out)
{
    assert_int_equal(json_array_size(list), DIGEST);
    for (size_t i = 0; i < DIGEST; i++) out[i] = json_number_value(json_array_get(list, i));
}

/* Sets a dotted path, or takes it away where it begins with "-". */
static void change(json_t *config, const char *path, const json_t *value)
{
    char part[200];
    bool removes = *path == '-';
    path += removes;
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - path), path);
        if (!json_is_object(json_object_get(config, part))) json_object_set_new(config, part, json_object());
        config = json_object_get(config, part);
    }
    if (removes) json_object_del(config, path);
    else json_object_set(config, path, (json_t *)value);
}

typedef enum expected { SAME, FAILS, OTHER } expected;

typedef struct exception {
    const char *model, *key, *why;
} exception;

/* Changes without effect that are refused although no class reads their key. */
static const exception strict[] = {
    { "*", "min_length", "changes what is generated, by versions before 5" },
    { "*", "no_repeat_ngram_size", "the same" },
    { "*", "bad_words_ids", "the same" },
    { "*", "*suppress_tokens", "the same" },
    { "*", "forced_*_token_id", "the same" },
    { "*", "exponential_decay_length_penalty", "the same" },
    { "*mpt*", "logit_scale", "the makers' own code scales logits" },
    { "*mpt*", "no_bias", "the makers' own code has biases" },
    { "*mpt*", "learned_pos_emb", "the makers' own code has learned positions" },
    { "*mpt*", "attn_config.*", "the makers' own code attends in other ways" },
};

/* Values with which something else is computed here. */
static const exception lenient[] = {
    { "mixtral-top2", "rope_*", "\"head_dim\": null, for which the reference's class has no size to give" },
    { "made-gpt2-by-layer", "scale_attn_by_inverse_layer_idx",
      "null is false, as Python and versions before 5 take it" },
};

static bool among(const exception *list, size_t n, const bed *b, const char *key)
{
    for (size_t i = 0; key && i < n; i++)
        if (tern_name_matches(list[i].model, b->name) && tern_name_matches(list[i].key, key)) return true;
    return false;
}

static bool may_be_refused(const bed *b, const char *key)
{
    const tern_reference_key *row = tern_reference_key_of(b->class, key);
    return (row && row->read) || among(strict, sizeof strict / sizeof *strict, b, key);
}

/* key: the one that changed; of several the first that is there. */
static void try_config(bed *b, const json_t *config, expected expects, const double *want, const json_t *told,
                       const char *key)
{
    static const char *const what[] = { "changes nothing", "fails", "gives other values" };
    write_config(b, config);
    answer a = answer_of(b);
    bool right = a.x && !a.fails && (is_near(&a, want) || among(lenient, sizeof lenient / sizeof *lenient, b, key)),
        wrong = a.x && !right;
    bool too_strict = !a.x && expects == SAME && key && !may_be_refused(b, key);
    b->n_wrong += wrong;
    b->n_strict += too_strict;
    b->n_refused += !a.x;
    b->n_right += right;
    if (wrong || too_strict) {
        char *text = json_dumps(told, JSON_COMPACT);
        print_error("%s: %s %.300s %s with the reference%s%.300s\n", b->name, wrong ? "wrong:" : "refused:", text,
                    what[expects], a.x && !a.fails ? "" : "; ", a.x && !a.fails ? "" : tern_ctx_error(b->ctx));
        free(text);
    }
    free(a.x);
}

/* A list of changes: ["key", value, value, ...], each value by itself, or an object of keys that
 * change together. */
static void try_changes(bed *b, const json_t *list, expected expects)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)list, i, entry) {
        double want[DIGEST];
        const json_t *told = expects == OTHER ? json_array_get(entry, 0) : entry, *value;
        const char *path;
        memcpy(want, b->base, sizeof want);
        if (expects == OTHER) read_digest(json_array_get(entry, 1), want);
        if (json_is_array(told)) {
            const char *key = json_string_value(json_array_get(told, 0));
            for (size_t k = 1; k < json_array_size(told); k++) {
                json_t *config = json_deep_copy(b->config), *one = json_pack("{s:O}", key, json_array_get(told, k));
                change(config, key, json_array_get(told, k));
                try_config(b, config, expects, want, one, key + (*key == '-'));
                json_decref(config);
                json_decref(one);
            }
            continue;
        }
        json_t *config = json_deep_copy(b->config);
        json_object_foreach((json_t *)told, path, value) if (*path == '-') change(config, path, value);
        json_object_foreach((json_t *)told, path, value) if (*path != '-') change(config, path, value);
        const char *first = NULL;
        json_object_foreach((json_t *)told, path, value) if (!first || *first == '-') first = path;
        try_config(b, config, expects, want, told, first + (*first == '-'));
        json_decref(config);
    }
}

static void copy_checkpoint(const bed *b)
{
    DIR *d = opendir(b->dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char from[600], to[600];
        if (!strstr(e->d_name, "safetensors")) continue;
        snprintf(from, sizeof from, "%s/%s", b->dir, e->d_name);
        snprintf(to, sizeof to, "%s/%s", b->work, e->d_name);
        copy_file(from, to);
    }
    closedir(d);
}

/* Whether all of a checkpoint's changes are right. */
static bool check_model(tern_ctx *ctx, const char *name)
{
    bed b = { .ctx = ctx, .name = name, .work = "/tmp/tern-flips-XXXXXX" };
    char path[400], command[400];
    const char *folder = getenv("TERN_FLIPS") ? getenv("TERN_FLIPS") : TERN_GOLDEN "/flips";
    snprintf(b.dir, sizeof b.dir, "%s/models/%s", TERN_GOLDEN, name);
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    json_t *flips = json_load_file(path, 0, NULL);
    if (!flips) fail_msg("%s", path);
    assert_non_null(mkdtemp(b.work));
    copy_checkpoint(&b);
    assert_int_equal(tern_json_read(ctx, b.dir, "config.json", 1 << 20, &b.config), TERN_OK);
    const json_t *ids = json_object_get(flips, "ids");
    b.n_id = (int32_t)json_array_size(ids);
    assert_true(b.n_id > 0 && b.n_id <= MOST_IDS);
    for (int32_t i = 0; i < b.n_id; i++) b.id[i] = (int32_t)json_integer_value(json_array_get(ids, (size_t)i));
    read_digest(json_object_get(flips, "base"), b.base);
    write_config(&b, b.config);
    answer a = answer_of(&b);
    if (!a.x) fail_msg("%s: %s", name, tern_ctx_error(ctx));
    b.has_logits = a.has_logits;
    b.class = tern_reference_class_of(json_string_value(json_object_get(b.config, "model_type")));
    if (!is_near(&a, b.base)) fail_msg("%s: the unchanged checkpoint gives other values", name);
    free(a.x);
    try_changes(&b, json_object_get(flips, "same"), SAME);
    try_changes(&b, json_object_get(flips, "error"), FAILS);
    try_changes(&b, json_object_get(flips, "other"), OTHER);
    print_message("%s: %d right, %d refused, %d wrong\n", name, b.n_right, b.n_refused, b.n_wrong);
    json_decref(b.config);
    json_decref(flips);
    snprintf(command, sizeof command, "rm -rf '%s'", b.work);
    assert_int_equal(system(command), 0);
    return !b.n_wrong && !b.n_strict;
}

static void every_change_is_the_references_or_refused(void **state)
{
    tern_ctx *ctx;
    struct dirent **entry;
    (void)state;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx), TERN_OK);
    const char *folder = getenv("TERN_FLIPS") ? getenv("TERN_FLIPS") : TERN_GOLDEN "/flips";
    int n = scandir(folder, &entry, NULL, alphasort), n_model = 0, n_failed = 0;
    for (int i = 0; i < n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s", entry[i]->d_name);
        char *end = strstr(name, ".json");
        if (end && !end[5]) {
            *end = 0;
            n_failed += !check_model(ctx, name);
            n_model++;
        }
        free(entry[i]);
    }
    free(entry);
    tern_ctx_free(ctx);
    assert_int_equal(n_failed, 0);
    assert_true(n_model >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_change_is_the_references_or_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
