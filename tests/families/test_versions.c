/* One model's config.json as many versions of transformers write it: the same settings from each.
 * Expected values stand in the table. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ctx.h"
#include "families/spec.h"

static const struct row {
    const char *name;
    int least;                      /* files of so many versions at least */
    int64_t dim, kv_heads, head_dim, ffn, max_pos, window;
    double eps, theta, factor;      /* theta 0: no rope */
    int64_t rotated;                 /* channels of a head */
    bool tied;
    const char *why;
} rows[] = {
    { "llama-mha", 8, 32, 4, 8, 48, 256, 0, 1e-5, 10000, 1, 8, false,
      "before there was num_key_value_heads or rope_theta" },
    { "llama", 7, 32, 2, 8, 48, 256, 0, 1e-5, 50000, 1, 8, false, "rope_theta outside, then within rope_parameters" },
    { "llama-linear", 7, 32, 2, 8, 48, 256, 0, 1e-5, 10000, 2, 8, false,
      "rope_scaling.type, then rope_type, then rope_parameters" },
    { "mistral", 6, 32, 2, 8, 48, 256, 64, 1e-5, 20000, 1, 8, false, "head_dim written or not" },
    { "qwen2", 5, 32, 2, 8, 48, 256, 0, 1e-5, 30000, 1, 8, false, "layer_types written or not" },
    { "qwen3", 3, 32, 2, 12, 48, 256, 0, 1e-5, 10000, 1, 12, false, "layer_types written or not" },
    { "stablelm", 5, 32, 2, 8, 48, 256, 0, 1e-5, 10000, 1, 4, false,
      "partial_rotary_factor outside, then within rope_parameters" },
    { "gemma2", 4, 32, 2, 12, 48, 256, 6, 1e-5, 10000, 1, 12, true, "layer_types written or not" },
    { "phi3", 4, 32, 2, 8, 48, 256, 0, 1e-5, 10000, 1, 8, false, "original_max_position_embeddings at its default" },
    { "gpt-neox", 8, 32, 4, 8, 48, 64, 0, 1e-5, 10000, 1, 4, false, "rotary_pct, then partial_rotary_factor" },
    { "gpt2", 8, 32, 4, 8, 128, 64, 0, 1e-5, 0, 1, 0, true, "the n_ keys" },
    { "opt", 8, 32, 4, 8, 64, 64, 0, 1e-5, 0, 1, 0, true, "defaults left out" },
    { "bert", 8, 32, 4, 8, 48, 64, 0, 1e-12, 0, 1, 0, true, "defaults left out" },
};

static tern_ctx *ctx;

static void check_value(const char *file, const char *what, double got, double want)
{
    if (got != want) fail_msg("%s: %s is %g, not %g", file, what, got, want);
}

static void check_spec(const struct row *r, const char *file, const tern_spec *s)
{
    check_value(file, "dim", s->value[S_DIM], (double)r->dim);
    check_value(file, "layers", s->value[S_LAYERS], 2);
    check_value(file, "heads", s->value[S_HEADS], 4);
    check_value(file, "KV heads", s->value[S_KV_HEADS], (double)r->kv_heads);
    check_value(file, "head_dim", s->value[S_HEAD_DIM], (double)r->head_dim);
    check_value(file, "ffn", s->value[S_FFN], (double)r->ffn);
    check_value(file, "vocab", s->value[S_VOCAB], 96);
    check_value(file, "positions", s->value[S_MAX_POS], (double)r->max_pos);
    check_value(file, "eps", s->value[S_EPS], r->eps);
    check_value(file, "tied", s->value[S_TIED], r->tied);
    if (r->window) check_value(file, "window", s->value[S_WINDOW], (double)r->window);
    for (int l = 0; l < 2; l++)
        check_value(file, "a layer's window", s->windowed[l], r->window && !(l == 1 && !strcmp(r->name, "gemma2")));
    assert_int_equal(s->rope != NULL, r->theta != 0);
    if (!s->rope) return;
    check_value(file, "theta", s->rope->theta, r->theta);
    check_value(file, "factor", s->rope->factor, r->factor);
    check_value(file, "rotated channels", (double)s->rope->n_dims, (double)r->rotated);
    check_value(file, "rope type", s->rope->type, r->factor > 1 ? TERN_ROPE_LINEAR : TERN_ROPE_DEFAULT);
}

/* Every setting, also those that have no column above; but the window's width, which is looked at
 * where a layer has it. */
static void check_same(const char *file, const tern_spec *first, const tern_spec *s)
{
    for (int i = 0; i < N_SETTINGS; i++)
        if (i != S_WINDOW && first->value[i] != s->value[i])
            fail_msg("%s: setting %d is %g, and %g by the oldest version", file, i, s->value[i], first->value[i]);
    assert_ptr_equal(first->family, s->family);
}

static void check_row(const struct row *r)
{
    char dir[256];
    struct dirent **entry;
    tern_hf_config *config[16];
    tern_spec *spec[16];
    int n_file = 0;
    snprintf(dir, sizeof dir, "%s/configs/%s", TERN_GOLDEN, r->name);
    int n = scandir(dir, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (strstr(entry[i]->d_name, ".json") && n_file < 16) {
            if (tern_hf_config_open(ctx, dir, entry[i]->d_name, &config[n_file]) ||
                tern_spec_read(ctx, config[n_file], &(tern_spec_options){ 0 }, &spec[n_file]))
                fail_msg("%s", tern_ctx_error(ctx));
            check_spec(r, tern_hf_path(config[n_file]), spec[n_file]);
            check_same(tern_hf_path(config[n_file]), spec[0], spec[n_file]);
            n_file++;
        }
        free(entry[i]);
    }
    free(entry);
    if (n_file < r->least) fail_msg("%s: %d files, and there were %d", dir, n_file, r->least);
    for (int i = 0; i < n_file; i++) {
        tern_spec_free(spec[i]);
        tern_hf_config_free(config[i]);
    }
}

static void every_version_says_the_same(void **state)
{
    (void)state;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 1 }, &ctx), TERN_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
    tern_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_version_says_the_same) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
