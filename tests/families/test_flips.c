/* Every key of every fixture's config.json, changed: the model must answer differently or be refused. What may do neither stands in a table with its reason:
 * src/formats/hf_ignorable.c for all families, no_effect of the family, and here. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ctx.h"
#include "base/json.h"
#include "families/family.h"
#include "formats/checkpoint.h"
#include "model/model.h"

enum { TOKENS = 40, MOST_CHANGES = 6 };

/* Keys that neither have to move an answer nor to be refused, for fixtures whose name matches. */
static const struct { const char *model, *key, *why; } still[] = {
    { "*", "max_position_embeddings", "with ropes it is a limit of length; tables of learned positions check it by their shape" },
    { "*-model", "tie_word_embeddings", "no head" },
    { "*-classes", "tie_word_embeddings", "no head over the vocabulary" },
    { "*-score", "tie_word_embeddings", "no head over the vocabulary" },
    { "*-classes", "final_logit_softcapping", "no head over the vocabulary" },
    { "*gemma3*", "*sliding_window_pattern", "layer_types says it layer by layer" },
    { "*qwen*", "use_sliding_window", "layer_types says it layer by layer, or there is no sliding_window" },
    { "*qwen*", "max_window_layers", "layer_types says it layer by layer, or there is no window" },
    { "*qwen2-moe*", "sliding_window", "use_sliding_window is false" },
    { "*smollm3", "use_sliding_window", "there is no sliding_window" },
    { "*smollm3", "no_rope_layer_interval", "no_rope_layers says it layer by layer" },
    { "gpt-neo", "attention_types", "attention_layers says it layer by layer" },
    { "*-moe", "intermediate_size", "every layer has experts" },
    { "opt-post-proj", "_remove_final_layer_norm", "a post-norm model has none" },
    { "*falcon*", "multi_query", "new_decoder_architecture counts its key and value heads by num_kv_heads" },
    { "*falcon-rw", "rope_parameters.*", "alibi" },
    { "*falcon-alibi-mq", "rope_parameters.*", "alibi" },
    { "made-stablelm-parallel", "rope_parameters.rope_theta", "two channels turn, by 1 whatever theta is" },
    { "made-phi3-longrope", "rope_parameters.original_max_position_embeddings", "Phi-3's own key outside goes first" },
    { "deepseek-v2-lite", "*_group", "greedy choice knows no groups" },
    { "deepseek-v2-lite", "n_group", "greedy choice knows no groups" },
    { "made-deepseek-v2-yarn", "rope_parameters.beta_*", "four pairs turn: the ramp ends at the same ones" },
    { "made-deepseek-v2-yarn", "n_group", "greedy choice knows no groups" },
    { "made-deepseek-v2-yarn", "*_group", "greedy choice knows no groups" },
};

typedef struct bed {
    char dir[256], work[256];
    tern_ctx *ctx;
    const char *name;
    int n_key, n_moved, n_refused, n_still;
} bed;

/* What the model answers: hidden states and logits of every token, or the classes. Null: it cannot be opened. */
typedef struct answer {
    float *x;
    size_t n;
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
    assert_int_equal(json_dump_file(config, path, 0), 0);
}

/* A head that is stored and differs from the embedding counts, whatever "tie_word_embeddings" says: that it says otherwise is told of. */
static int n_told;

static void hear(void *user, tern_log_level level, const char *line)
{
    (void)user;
    n_told += level == TERN_LOG_WARNING && strstr(line, "ties the head to the embedding");
}

static answer ask(const bed *b)
{
    answer a = { 0 };
    tern_model *m;
    int32_t id[TOKENS], row[TOKENS], first = 0, past = 0, page = 0;
    const int32_t *pages[] = { &page };
    if (tern_model_open(b->ctx, b->work, &(tern_model_options){ .compute = TERN_COMPUTE_F32 }, &m)) return a;
    tern_model_info info = tern_model_get_info(m);
    int32_t n = info.max_tokens && info.max_tokens < TOKENS ? (int32_t)info.max_tokens : TOKENS;
    for (int32_t i = 0; i < n; i++) {
        id[i] = (int32_t)((3 + 7 * (int64_t)i) % info.vocab);
        row[i] = i;
    }
    tern_kv kv = tern_model_kv(m);
    kv.n_page = 1;
    kv.data = aligned_alloc(64, (tern_kv_bytes(&kv, 1) + 63) / 64 * 64);
    size_t hidden = (size_t)n * (size_t)info.dim, logits = info.has_logits ? (size_t)n * (size_t)info.vocab : 0;
    a.n = hidden + logits + (size_t)info.n_label + 2;
    a.x = calloc(a.n, sizeof *a.x);
    tern_ragged batch = { .n_seq = 1, .n_row = n, .row = &first, .n_tok = &n, .past = &past, .page = pages };
    tern_step step = { .batch = &batch, .kv = &kv, .id = id, .out_row = row, .n_out = n, .hidden = a.x, .logits = logits ? a.x + hidden : NULL };
    if (tern_model_step(m, &step)) fail_msg("%s", tern_ctx_error(b->ctx));
    if (info.n_label && tern_model_classify(m, 1, a.x, a.x + hidden + logits)) fail_msg("%s", tern_ctx_error(b->ctx));
    a.x[a.n - 2] = (float)tern_model_has_pooler(m);
    a.x[a.n - 1] = (float)info.max_tokens;
    free(kv.data);
    tern_model_free(m);
    return a;
}

/* Other values for a key, by what it has. */
static int changes_of(const json_t *v, json_t *out[MOST_CHANGES])
{
    int n = 0;
    if (json_is_boolean(v)) {
        out[n++] = json_boolean(!json_is_true(v));
    } else if (json_is_integer(v)) {
        out[n++] = json_integer(json_integer_value(v) + 1);
        out[n++] = json_integer(json_integer_value(v) > 2 ? json_integer_value(v) / 2 : json_integer_value(v) + 2);
        out[n++] = json_integer(json_integer_value(v) * 16 + 5);
    } else if (json_is_real(v)) {
        out[n++] = json_real(json_real_value(v) * 1.5 + 0.25);
        out[n++] = json_real(json_real_value(v) * 40);
        out[n++] = json_real(json_real_value(v) / 40);
    } else if (json_is_string(v)) {
        out[n++] = json_string(strcmp(json_string_value(v), "relu") ? "relu" : "silu");
        out[n++] = json_string("another");
    } else if (json_is_array(v)) {
        out[n] = json_deep_copy(v);
        if (json_array_size(v)) json_array_remove(out[n], 0);
        else json_array_append_new(out[n], json_integer(1));
        n++;
    } else if (json_is_null(v)) {
        out[n++] = json_integer(3);
        out[n++] = json_true();
        out[n++] = json_pack("{s:s,s:f}", "type", "linear", "factor", 2.0);
    }
    return n;
}

/* Whether a row of ignorable keys, or of this test, explains that a key does nothing. */
static bool may_be_still(const bed *b, const tern_family *f, const char *path)
{
    for (size_t i = 0; i < tern_hf_n_ignorables; i++)
        if (tern_name_matches(tern_hf_ignorables[i].key, path)) return true;
    for (size_t i = 0; i < sizeof f->no_effect / sizeof *f->no_effect && f->no_effect[i]; i++)
        if (tern_name_matches(f->no_effect[i], path)) return true;
    for (size_t i = 0; i < sizeof still / sizeof *still; i++)
        if (tern_name_matches(still[i].model, b->name) && tern_name_matches(still[i].key, path)) return true;
    return false;
}

static void flip(bed *b, const json_t *root, json_t *object, const char *key, const char *path, const answer *base, const tern_family *f)
{
    json_t *change[MOST_CHANGES], *before = json_incref(json_object_get(object, key));
    int n = changes_of(before, change);
    bool did = false;
    for (int i = 0; i < n; i++) {
        int told = n_told;
        json_object_set_new(object, key, change[i]);
        write_config(b, root);
        answer a = ask(b);
        bool moved = a.x && (a.n != base->n || memcmp(a.x, base->x, a.n * sizeof *a.x));
        b->n_moved += moved;
        b->n_refused += !a.x;
        did |= moved || !a.x || n_told > told;
        free(a.x);
    }
    json_object_set_new(object, key, before);
    b->n_key++;
    if (n && !did && !may_be_still(b, f, path)) {
        print_error("%s: \"%s\" can be changed, and nothing moves or refuses\n", b->name, path);
        b->n_still++;
    }
}

static void flip_all(bed *b, const json_t *root, json_t *object, const char *prefix, const answer *base, const tern_family *f)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value) {
        char path[200];
        snprintf(path, sizeof path, "%s%s", prefix, key);
        if (may_be_still(b, f, path)) continue;
        if (!json_is_object(value)) {
            flip(b, root, object, key, path, base, f);
            continue;
        }
        snprintf(path, sizeof path, "%s%s.", prefix, key);
        flip_all(b, root, value, path, base, f);
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

static bool check_model(tern_ctx *ctx, const char *name)
{
    bed b = { .ctx = ctx, .name = name, .work = "/tmp/tern-flips-XXXXXX" };
    char command[400];
    json_t *config;
    snprintf(b.dir, sizeof b.dir, "%s/models/%s", TERN_GOLDEN, name);
    assert_non_null(mkdtemp(b.work));
    copy_checkpoint(&b);
    assert_int_equal(tern_json_read(ctx, b.dir, "config.json", 1 << 20, &config), TERN_OK);
    write_config(&b, config);
    const tern_family *f = tern_family_find(json_string_value(json_array_get(json_object_get(config, "architectures"), 0)), NULL);
    assert_non_null(f);
    answer base = ask(&b);
    if (!base.x) fail_msg("%s", tern_ctx_error(ctx));
    flip_all(&b, config, config, "", &base, f);
    if (!b.n_moved || !b.n_refused) fail_msg("%s: of %d keys %d changes moved the answer and %d were refused", name, b.n_key, b.n_moved, b.n_refused);
    free(base.x);
    json_decref(config);
    snprintf(command, sizeof command, "rm -rf '%s'", b.work);
    assert_int_equal(system(command), 0);
    return !b.n_still;
}

static void every_key_changes_the_answer_or_is_refused(void **state)
{
    tern_ctx *ctx;
    struct dirent **entry;
    (void)state;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1, .log = hear }, &ctx), TERN_OK);
    int n = scandir(TERN_GOLDEN "/models", &entry, NULL, alphasort), n_model = 0, n_failed = 0;
    for (int i = 0; i < n; i++) {
        if (entry[i]->d_type == DT_DIR && entry[i]->d_name[0] != '.') {
            n_failed += !check_model(ctx, entry[i]->d_name);
            n_model++;
        }
        free(entry[i]);
    }
    free(entry);
    tern_ctx_free(ctx);
    assert_int_equal(n_failed, 0);
    assert_true(n_model >= 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_key_changes_the_answer_or_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
