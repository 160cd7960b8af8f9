/* tern embed: a line of text in, a vector out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/texts.h"

enum { BATCH = 64 };

static tern_embed_options options_of(const cli_args *args)
{
    static const struct { const char *word; tern_pooling pooling; } words[] = {
        { "mean", TERN_POOL_MEAN }, { "cls", TERN_POOL_CLS }, { "last", TERN_POOL_LAST }, { "max", TERN_POOL_MAX }, { "pooler", TERN_POOL_POOLER },
        { "mean_sqrt_len_tokens", TERN_POOL_MEAN_SQRT_LEN }, { "weightedmean", TERN_POOL_WEIGHTED_MEAN },
    };
    tern_embed_options options = { .normalize = args->value[FLAG_NORMALIZE].set ? TERN_NORMALIZE_YES : TERN_NORMALIZE_AUTO, .truncate_dim = args->value[FLAG_TRUNCATE_DIM].integer };
    for (size_t i = 0; args->value[FLAG_POOLING].set && i < sizeof words / sizeof *words; i++)
        if (!strcmp(args->value[FLAG_POOLING].text, words[i].word)) options.pooling = words[i].pooling;
    return options;
}

static void print_row(json_out *j, const char *key, const float *row, int64_t n)
{
    if (j) out_open(j, key, '[');
    for (int64_t i = 0; i < n; i++) {
        if (j) {
            out_number(j, NULL, (double)row[i]);
            continue;
        }
        out_float(row[i]);
        putchar(i + 1 < n ? ' ' : '\n');
    }
    if (j) out_close(j);
}

/* One vector: a line of numbers, or a document of its own in a line. */
static void print_vector(bool as_json, const float *vector, int64_t n)
{
    json_out j = { 0 };
    if (!as_json) {
        print_row(NULL, NULL, vector, n);
        return;
    }
    out_open(&j, NULL, '{');
    print_row(&j, "embedding", vector, n);
    out_close(&j);
}

/* NumPy's format 1.0: a magic word, the length of the header, a Python dictionary padded with blanks to 64 bytes; then the numbers. */
static void print_npy_header(size_t n, int64_t dim)
{
    char header[128], padded[128];
    int length = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %lld), }", n, (long long)dim);
    memset(padded, ' ', sizeof padded);
    memcpy(padded, header, (size_t)length);
    padded[117] = '\n';
    cli_put("\x93NUMPY\x01\x00\x76\x00", 10);
    cli_put(padded, 118);
}

static int print_vectors(const cli_args *args, cli_session *s, tern_embedder *embedder, const cli_texts *t)
{
    int64_t dim = tern_embedder_dim(embedder);
    bool npy = args->value[FLAG_NPY].set;
    if (!dim && tern_embedder_run(embedder, NULL, 0, NULL)) return cli_fail_ctx(s);
    float *vectors = malloc(BATCH * (size_t)dim * sizeof *vectors);
    if (!vectors) return cli_fail("no memory for %d vectors of %lld", BATCH, (long long)dim);
    int status = EXIT_OK;
    if (npy) print_npy_header(t->n, dim);
    for (size_t at = 0; at < t->n && status == EXIT_OK; at += BATCH) {
        size_t n = t->n - at < BATCH ? t->n - at : BATCH;
        if (tern_embedder_run(embedder, t->inputs + at, n, vectors)) status = cli_fail_ctx(s);
        else if (npy) cli_put((const char *)vectors, n * (size_t)dim * sizeof *vectors);
        for (size_t i = 0; !npy && status == EXIT_OK && i < n; i++) print_vector(args->value[FLAG_JSON].set, vectors + i * (size_t)dim, dim);
        if (!cli_put("", 0)) break;
    }
    free(vectors);
    return status;
}

/* The hidden states of each line's tokens, and of a masked model its logits: a document a line, or rows. */
static int print_hidden(const cli_args *args, cli_session *s, tern_embedder *embedder, const cli_texts *t)
{
    int64_t dim = tern_model_get_info(s->model).dim;
    int status = EXIT_OK;
    for (size_t i = 0; i < t->n && status == EXIT_OK; i++) {
        size_t n = t->inputs[i].n_ids;
        json_out j = { 0 }, *out = args->value[FLAG_JSON].set ? &j : NULL;
        float *rows = malloc(n * (size_t)dim * sizeof *rows + 1);
        if (!rows) return cli_fail("no memory for %zu hidden states of %lld", n, (long long)dim);
        if (tern_embedder_hidden(embedder, &t->inputs[i], rows)) status = cli_fail_ctx(s);
        if (status == EXIT_OK && out) out_open(out, NULL, '{');
        if (status == EXIT_OK && out) out_open(out, "hidden", '[');
        for (size_t row = 0; row < n && status == EXIT_OK; row++) print_row(out, NULL, rows + row * (size_t)dim, dim);
        if (status == EXIT_OK && out) out_close(out);
        if (status == EXIT_OK && out) out_close(out);
        free(rows);
    }
    return status;
}

static bool open_parts(const cli_args *args, cli_session *s, tern_embedder **embedder)
{
    tern_embed_options options = options_of(args);
    if (!cli_open_ctx(args, s) || !cli_open_model(args, s)) return false;
    if (!tern_embedder_create(s->ctx, s->model, &options, embedder)) return true;
    cli_fail_ctx(s);
    return false;
}

static bool read_inputs(const cli_args *args, cli_session *s, const tern_embedder *embedder, cli_texts *t)
{
    const char *name = args->value[FLAG_PROMPT_NAME].text;
    cli_texts_how how = cli_texts_how_of(args, embedder);
    if (args->value[FLAG_IDS].set) return cli_texts_of_ids(args, t);
    if (name && !how.prefix) {
        cli_fail("the model has no prompt \"%s\"", name);
        return false;
    }
    return cli_open_tokenizer(args, s, true) && cli_texts_read(s, &how, t);
}

int cli_embed(const cli_args *args)
{
    cli_session s = { 0 };
    cli_texts texts = { 0 };
    tern_embedder *embedder = NULL;
    int status = EXIT_FAILED;
    if (args->value[FLAG_TYPE_IDS].set && !args->value[FLAG_IDS].set) return cli_usage("--type-ids goes with --ids");
    if (args->value[FLAG_NPY].set && (args->value[FLAG_JSON].set || args->value[FLAG_HIDDEN].set)) return cli_usage("--npy is a format of its own: without --json and --hidden");
    if (open_parts(args, &s, &embedder) && read_inputs(args, &s, embedder, &texts))
        status = args->value[FLAG_HIDDEN].set ? print_hidden(args, &s, embedder, &texts) : print_vectors(args, &s, embedder, &texts);
    cli_texts_free(&texts);
    tern_embedder_free(embedder);
    cli_close(&s);
    return status;
}
