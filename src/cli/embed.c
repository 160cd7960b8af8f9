/* tern embed: a line of text in, a vector out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/texts.h"

static tern_embed_options options_of(const cli_args *args)
{
    static const struct { const char *word; tern_pooling pooling; } choices[] = {
        { "mean", TERN_POOL_MEAN }, { "cls", TERN_POOL_CLS }, { "last", TERN_POOL_LAST }, { "max", TERN_POOL_MAX },
        { "pooler", TERN_POOL_POOLER },
        { "mean_sqrt_len_tokens", TERN_POOL_MEAN_SQRT_LEN }, { "weightedmean", TERN_POOL_WEIGHTED_MEAN },
    };
    tern_embed_options options = { .normalize = args->value[FLAG_NORMALIZE].set
                                                    ? TERN_NORMALIZE_YES : TERN_NORMALIZE_AUTO,
                                   .truncate_dim = args->value[FLAG_TRUNCATE_DIM].integer,
                                   .context_tokens = args->value[FLAG_CONTEXT].integer };
    for (size_t i = 0; args->value[FLAG_POOLING].set && i < sizeof choices / sizeof *choices; i++)
        if (!strcmp(args->value[FLAG_POOLING].text, choices[i].word)) options.pooling = choices[i].pooling;
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

/* NumPy's format 1.0: a magic word, the length of the header, a Python dictionary padded with
 * blanks to 64 bytes; then the numbers. */
static void print_npy_header(size_t n, int64_t dim)
{
    char header[128], padded[128];
    int length = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %lld), }", n,
                          (long long)dim);
    memset(padded, ' ', sizeof padded);
    memcpy(padded, header, (size_t)length);
    padded[117] = '\n';
    cli_put("\x93NUMPY\x01\x00\x76\x00", 10);
    cli_put(padded, 118);
}

typedef struct printing {
    bool json, npy;
    int64_t dim;
} printing;

/* One vector: a line of numbers, or a document of its own in a line. An array has a row of NaN
 * where there is none. */
static void print_vector(void *user, size_t i, const float *vector, const char *why)
{
    const printing *p = user;
    json_out j = { 0 };
    (void)i;
    if (p->npy) {
        const float nan = NAN;
        for (int64_t k = 0; k < p->dim; k++) fwrite(vector ? &vector[k] : &nan, sizeof nan, 1, stdout);
    } else if (!vector) {
        cli_texts_put_error(p->json, why);
    } else if (!p->json) {
        print_row(NULL, NULL, vector, p->dim);
    } else {
        out_open(&j, NULL, '{');
        print_row(&j, "embedding", vector, p->dim);
        out_close(&j);
    }
}

static int print_vectors(const cli_args *args, cli_session *s, tern_embedder *embedder, const cli_texts *t)
{
    printing p = { .json = args->value[FLAG_JSON].set, .npy = args->value[FLAG_NPY].set,
                   .dim = tern_embedder_dim(embedder) };
    if (!p.dim && tern_embedder_run(embedder, NULL, 0, NULL)) return cli_fail_ctx(s);
    if (p.npy) print_npy_header(t->n, p.dim);
    return cli_texts_each(s, embedder, t, tern_embedder_run, p.dim, print_vector, &p);
}

/* The hidden states of a line's tokens: a document, or rows. False: nothing more can be
 * computed. */
static bool print_states(const cli_args *args, cli_session *s, tern_embedder *embedder, const cli_texts *t, size_t i,
                         int *status)
{
    size_t n = t->inputs[i].n_ids, dim = (size_t)tern_model_get_info(s->model).dim;
    json_out j = { 0 }, *out = args->value[FLAG_JSON].set ? &j : NULL;
    float *rows = malloc(n * dim * sizeof *rows + 1);
    tern_status st = TERN_ERR_ARGUMENT;
    if (!rows) st = TERN_ERR_MEMORY;
    else if (t->inputs[i].ids) st = tern_embedder_hidden(embedder, &t->inputs[i], rows);
    if (!rows) cli_fail("no memory for %zu hidden states of %zu", n, dim);
    else if (st && !cli_texts_is_own(st)) cli_fail_ctx(s);
    else if (st)
        cli_texts_put_error(out != NULL, t->inputs[i].ids ? cli_texts_complain(s, t, i) : "it could not be encoded");
    if (!st && out) out_open(out, NULL, '{');
    if (!st && out) out_open(out, "hidden", '[');
    for (size_t row = 0; row < n && !st; row++) print_row(out, NULL, rows + row * dim, (int64_t)dim);
    if (!st && out) out_close(out);
    if (!st && out) out_close(out);
    free(rows);
    if (st) *status = EXIT_FAILED;
    return !st || cli_texts_is_own(st);
}

static int print_hidden(const cli_args *args, cli_session *s, tern_embedder *embedder, const cli_texts *t)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < t->n && print_states(args, s, embedder, t, i, &status) && cli_put("", 0); i++) {}
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
    cli_texts_how how;
    if (args->value[FLAG_IDS].set) return cli_texts_of_ids(args, s, t);
    return cli_texts_how_of(args, embedder, &how) && cli_open_tokenizer(args, s, true) && cli_texts_read(s, &how, t);
}

int cli_embed(const cli_args *args)
{
    cli_session s = { 0 };
    cli_texts texts = { 0 };
    tern_embedder *embedder = NULL;
    int status = EXIT_FAILED;
    if (open_parts(args, &s, &embedder) && read_inputs(args, &s, embedder, &texts))
        status = args->value[FLAG_HIDDEN].set ? print_hidden(args, &s, embedder, &texts)
                                              : print_vectors(args, &s, embedder, &texts);
    cli_texts_free(&texts);
    tern_embedder_free(embedder);
    cli_close(&s);
    return status;
}
