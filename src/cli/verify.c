/* tern verify: the path that this machine takes against the scalar kernels in f32, layer by layer,
 * on one prompt. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "model/model.h"

enum { PROMPT_TOKENS = 48, MOST_TOKENS = 4096 };

/* What a path made of the prompt: rows [n_layer + 1, n, dim] behind the embedding and each layer,
 * the logits of every token. */
typedef struct path {
    int64_t n, dim, vocab;
    float *rows, *logits;    /* owned; logits null: the model has none */
} path;

typedef struct gap {
    double largest, relative;    /* difference; its root mean square over the reference's */
} gap;

static void keep_rows(void *user, int64_t layer, const float *x)
{
    path *p = user;
    size_t count = (size_t)(p->n * p->dim);
    memcpy(p->rows + (size_t)(layer + 1) * count, x, count * sizeof *x);
}

static void free_path(path *p)
{
    free(p->rows);
    free(p->logits);
    *p = (path){ 0 };
}

static bool take(cli_session *s, path *p, const tern_kv *kv, tern_model_info info)
{
    *p = (path){ .n = p->n, .dim = info.dim, .vocab = info.vocab };
    p->rows = malloc((size_t)((info.n_layer + 1) * p->n * p->dim) * sizeof *p->rows);
    if (info.has_logits) p->logits = malloc((size_t)(p->n * p->vocab) * sizeof *p->logits);
    if (p->rows && kv->data && (p->logits || !info.has_logits)) return true;
    (void)s;
    cli_fail("no memory for the hidden states of %lld tokens in %lld layers", (long long)p->n, (long long)info.n_layer);
    return false;
}

/* Says where the first number of x [n, width] stands that is NaN or infinite; a logit (layer -2)
 * may be -infinity, which is a token that never comes. */
static bool all_finite(const char *which, const char *behind, int64_t layer, const float *x, int64_t n, int64_t width)
{
    for (int64_t i = 0; i < n * width; i++) {
        if (isfinite(x[i]) || (layer == -2 && isinf(x[i]) && x[i] < 0)) continue;
        char number[24] = "";
        if (layer >= 0) snprintf(number, sizeof number, " %lld", (long long)layer);
        cli_fail("%s: behind %s%s, number %lld of position %lld is %s", which, behind, number, (long long)(i % width),
                 (long long)(i / width), isnan(x[i]) ? "NaN" : "infinite");
        return false;
    }
    return true;
}

/* A NaN is no number to compare with: where a path has one, it fails. */
static bool check_path(const char *which, const path *p, int64_t n_layer)
{
    for (int64_t l = -1; l < n_layer; l++)
        if (!all_finite(which, l < 0 ? "the embedding" : "layer", l, p->rows + (l + 1) * p->n * p->dim, p->n, p->dim))
            return false;
    return !p->logits || all_finite(which, "the head", -2, p->logits, p->n, p->vocab);
}

/* The prompt once through s's model. */
static bool run_path(cli_session *s, const int32_t *ids, int32_t n, path *p)
{
    tern_model_info info = tern_model_get_info(s->model);
    tern_kv kv = tern_model_kv(s->model);
    int32_t row = 0, past = 0, *list = malloc(2 * (size_t)n * sizeof *list);
    kv.n_page = (n + TERN_KV_PAGE - 1) / TERN_KV_PAGE;
    kv.data = aligned_alloc(64, (tern_kv_bytes(&kv, kv.n_page) + 63) / 64 * 64);
    p->n = n;
    bool ok = take(s, p, &kv, info) && list;
    if (ok) {
        for (int32_t i = 0; i < n; i++) list[i] = list[n + i] = i;
        const int32_t *page = list;
        tern_ragged batch = { .n_seq = 1, .n_row = n, .row = &row, .n_tok = &n, .past = &past, .page = &page };
        tern_step step = { .batch = &batch, .kv = &kv, .id = ids, .out_row = list + n, .n_out = n, .logits = p->logits,
                           .after_layer = keep_rows, .after_layer_user = p };
        ok = tern_model_step(s->model, &step) == TERN_OK;
        if (!ok) cli_fail_ctx(s);
    }
    free(kv.data);
    free(list);
    return ok;
}

static gap gap_of(const float *x, const float *reference, int64_t n)
{
    gap g = { 0 };
    double off = 0, whole = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isinf(x[i]) && x[i] == reference[i]) continue;
        double d = fabs((double)x[i] - (double)reference[i]);
        if (d > g.largest) g.largest = d;
        off += d * d;
        whole += (double)reference[i] * (double)reference[i];
    }
    if (whole > 0) g.relative = sqrt(off / whole);
    else if (off > 0) g.relative = INFINITY;
    else g.relative = 0;
    return g;
}

static void print_gap(json_out *j, const char *name, int64_t layer, gap g)
{
    if (!j) {
        if (layer >= 0) printf("layer %-8lld", (long long)layer);
        else printf("%-14s", name);
        printf(" %-14.3g %.3g\n", g.largest, g.relative);
        return;
    }
    out_open(j, layer >= 0 ? NULL : name, '{');
    if (layer >= 0) out_integer(j, "layer", layer);
    out_number(j, "max_abs", g.largest);
    out_number(j, "relative", g.relative);
    out_close(j);
}

/* Sums in another order differ by some units in the last place a layer; types of 16 bits round
 * every input of a product or of attention. */
static double bound_of(tern_model_info info)
{
    if (!strcmp(info.compute, "bf16")) return 0.1;
    if (strcmp(info.compute, "f32") || strcmp(info.kv, "f32")) return 0.05;
    return 1e-4;
}

static int report(const cli_args *args, const cli_session *s, const path *fast, const path *slow)
{
    tern_model_info info = tern_model_get_info(s->model);
    int64_t count = fast->n * fast->dim;
    double bound = bound_of(info), worst = 0;
    json_out json = { 0 }, *j = args->value[FLAG_JSON].set ? &json : NULL;
    if (j) {
        out_open(j, NULL, '{');
        out_word(j, "isa", tern_ctx_isa(s->ctx));
        out_word(j, "compute", info.compute);
        out_word(j, "kv", info.kv);
        out_integer(j, "tokens", fast->n);
    } else {
        printf("%s, compute %s, KV cache %s, against scalar f32, %lld tokens\n%-14s %-14s %s\n", tern_ctx_isa(s->ctx),
               info.compute, info.kv, (long long)fast->n, "behind", "largest off", "relative off");
    }
    for (int64_t l = -1; l < info.n_layer; l++) {
        gap g = gap_of(fast->rows + (l + 1) * count, slow->rows + (l + 1) * count, count);
        print_gap(j, "embedding", l, g);
        if (j && l < 0) out_open(j, "layers", '[');
        if (!(g.relative <= worst)) worst = g.relative;
    }
    if (j) out_close(j);
    if (fast->logits) {
        gap g = gap_of(fast->logits, slow->logits, fast->n * fast->vocab);
        print_gap(j, "logits", -1, g);
        if (!(g.relative <= worst)) worst = g.relative;
    }
    bool ok = worst <= bound;
    if (j) {
        out_number(j, "bound", bound);
        out_bool(j, "ok", ok);
        out_close(j);
    } else if (ok) {
        printf("within the bound of %g\n", bound);
    }
    return ok ? EXIT_OK
              : cli_fail("%s leaves the scalar f32 path by %.3g, beyond %g", tern_ctx_isa(s->ctx), worst, bound);
}

/* The scalar kernels, f32, as many threads. */
static bool open_reference(const cli_args *args, const cli_session *s, cli_session *reference)
{
    tern_ctx_options options = { .threads = tern_ctx_threads(s->ctx), .isa = "scalar", .guard_files = 1 };
    tern_model_options exact = cli_model_options(args);
    exact.compute = TERN_COMPUTE_F32;
    exact.kv = TERN_KV_F32;
    if (tern_ctx_create(&options, &reference->ctx)) {
        cli_fail("%s", tern_create_error());
        return false;
    }
    if (!tern_model_open(reference->ctx, args->value[FLAG_MODEL].text, &exact, &reference->model)) return true;
    cli_fail_ctx(reference);
    return false;
}

/* The prompt that is given, else tokens from all over the vocabulary. */
static bool choose_ids(const cli_args *args, cli_session *s, int32_t **ids, size_t *n)
{
    tern_model_info info = tern_model_get_info(s->model);
    int64_t most = info.max_tokens && info.max_tokens < MOST_TOKENS ? info.max_tokens : MOST_TOKENS,
        context = args->value[FLAG_CONTEXT].integer;
    if (!cli_check_context(args, s)) return false;
    if (context && context < most) most = context;
    if (args->value[FLAG_IDS].set || args->value[FLAG_PROMPT].set || args->value[FLAG_FILE].set) {
        if (!cli_prompt_ids(args, s, ids, n)) return false;
    } else {
        *n = most < PROMPT_TOKENS ? (size_t)most : PROMPT_TOKENS;
        *ids = malloc(*n * sizeof **ids);
        /* Knuth's multiplicative hash */
        for (size_t i = 0; *ids && i < *n; i++) (*ids)[i] = (int32_t)((int64_t)(i + 1) * 2654435761 % info.vocab);
    }
    if (*ids && (int64_t)*n > most)
        cli_fail("%zu tokens are more than the %lld that are compared", *n, (long long)most);
    else if (!*ids) cli_fail("no memory for the token ids");
    for (size_t i = 0; *ids && i < *n; i++) {
        if ((*ids)[i] >= 0 && (*ids)[i] < info.vocab) continue;
        cli_fail("token id %d is outside the vocabulary of %lld", (int)(*ids)[i], (long long)info.vocab);
        return false;
    }
    return *ids && (int64_t)*n <= most;
}

int cli_verify(const cli_args *args)
{
    cli_session s = { 0 }, reference = { 0 };
    path fast = { 0 }, slow = { 0 };
    int32_t *ids = NULL;
    size_t n = 0;
    int status = EXIT_FAILED;
    if (!cli_one_prompt(args)) return EXIT_USAGE;
    if (cli_open_ctx(args, &s) && cli_open_model(args, &s) && choose_ids(args, &s, &ids, &n) &&
        open_reference(args, &s, &reference) && run_path(&s, ids, (int32_t)n, &fast) &&
        run_path(&reference, ids, (int32_t)n, &slow)) {
        int64_t n_layer = tern_model_get_info(s.model).n_layer;
        bool finite = check_path("the scalar f32 path", &slow, n_layer) &&
                      check_path(tern_ctx_isa(s.ctx), &fast, n_layer);
        if (finite) status = report(args, &s, &fast, &slow);
    }
    free_path(&fast);
    free_path(&slow);
    free(ids);
    cli_close(&reference);
    cli_close(&s);
    return status;
}
