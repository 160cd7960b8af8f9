/* What is wrong with a checkpoint directory and what it can be used for: see tern/report.h. Called
 * by programs (tern info); opens each part as the commands do and keeps what each says. */
#include <limits.h>
#include <string.h>
#include <tern/embed.h>
#include <tern/report.h>
#include <tern/template.h>

#include "base/ctx.h"
#include "base/directory.h"
#include "base/memory.h"
#include "formats/sentence.h"
#include "formats/faults.h"
#include "model/model.h"

enum { MOST_ABILITIES = 16 };

struct tern_report {
    tern_faults reasons, details;   /* details: of the abilities, and keys that are ignored */
    tern_ignored *ignored;
    size_t n_ignored, capacity;
    tern_ability list[MOST_ABILITIES];
    size_t n;
    bool serves;
};

/* A part of the directory: whether it is there and opens, else the sentence that says why not.
 * Sentences are owned by the report's lists. */
typedef struct part {
    bool ok;
    const char *why;
} part;

typedef struct look {
    tern_ctx *ctx;
    const char *dir;
    const tern_model_options *options;
    tern_model *model;      /* null: it does not open */
    tern_model_info info;
    tern_tokenizer *text;   /* null: it does not open */
    tern_report *report;
    part opens, tokenizer, template, vectors;
    const char *embeds;     /* of the vectors: pooling, dim, and what compares them where that is not the cosine */
    const char *no_vector;  /* why the modules make none; null: they do */
    int64_t n_label;        /* of a head, or of a CrossEncoder's modules */
} look;

/* The sentence as the list keeps it; the same one is kept once. */
static const char *keep(tern_faults *list, const char *sentence)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->sentences[i], sentence)) return list->sentences[i];
    tern_faults_add(list, TERN_ERR_FORMAT, "%s", sentence);
    return list->out_of_memory ? "" : list->sentences[list->count - 1];
}

/* A part that failed: what the context says is a reason. */
static part failed(look *l, tern_status st)
{
    if (st == TERN_ERR_MEMORY) return (part){ false, keep(&l->report->details, tern_ctx_error(l->ctx)) };
    return (part){ false, keep(&l->report->reasons, tern_ctx_error(l->ctx)) };
}

static part missing(look *l, const char *why)
{
    return (part){ false, keep(&l->report->details, why) };
}

/* ---- The parts ---- */

/* A directory without a tokenizer has no fault: token ids do. */
static void look_at_tokenizer(look *l)
{
    bool has_files = tern_directory_has_tokenizer(l->ctx, l->dir);
    tern_status st = tern_tokenizer_open(l->ctx, l->dir, &l->text);
    if (!st) {
        l->tokenizer = (part){ true, "" };
    } else if ((st == TERN_ERR_IO || st == TERN_ERR_UNSUPPORTED) && !has_files) {
        l->tokenizer = missing(l,
                               st == TERN_ERR_UNSUPPORTED ? tern_ctx_error(l->ctx) : "the directory has no tokenizer");
    } else {
        failed(l, st);
        l->tokenizer = (part){ false, "the tokenizer does not open" };
    }
}

static tern_status render(tern_template *template, const char *messages)
{
    char json[256];
    tern_rendered rendered = { 0 };
    size_t n = tern_show(json, sizeof json, "{\"messages\": [%s], \"add_generation_prompt\": true}", messages);
    tern_status st = tern_template_render(template, json, n, NULL, &rendered);
    tern_rendered_free(&rendered);
    return st;
}

/* What a template refuses is known when it is rendered: with a user's message, as a chat begins;
 * else with a system's message before it, as --system begins one. */
static void look_at_template(look *l)
{
    static const char alone[] = "{\"role\": \"user\", \"content\": \"Hi\"}",
        led[] = "{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hi\"}";
    tern_template *template = NULL;
    tern_status st = tern_template_open(l->ctx, l->dir, &template);
    if (!st && !template) {
        l->template = missing(l, "the directory has no chat template");
    } else if (!st && render(template, alone) == TERN_ERR_ARGUMENT && !render(template, led)) {
        l->template = (part){ true, "with a system message only" };
    } else {
        if (!st) st = render(template, alone);
        l->template = st ? failed(l, st) : (part){ true, "" };
    }
    tern_template_free(template);
}

/* What the report keeps of an embedder, which ends before it. */
static void describe(look *l, tern_embedder *embedder)
{
    char details[256];
    const char *similarity = tern_embedder_similarity(embedder);
    bool other = strcmp(similarity, "cosine");
    tern_show(details, sizeof details, "%s, %lld%s%s", tern_embedder_pooling(embedder),
              (long long)tern_embedder_dim(embedder), other ? ", compared by " : "", other ? similarity : "");
    l->embeds = keep(&l->report->details, details);
    l->n_label = tern_embedder_labels(embedder);
    if (!tern_embedder_dim(embedder) && tern_embedder_run(embedder, NULL, 0, NULL))
        l->no_vector = keep(&l->report->reasons, tern_ctx_error(l->ctx));
}

/* An embedder reads the module files and checks them against the model; without a model they are
 * read alone. */
static void look_at_vectors(look *l)
{
    tern_embedder *embedder = NULL;
    tern_sentence modules = { 0 };
    if (!l->model) {
        tern_status found = tern_sentence_read(l->ctx, l->dir, &modules);
        if (found) failed(l, found);
        tern_sentence_free(&modules);
        return;
    }
    tern_status st = tern_embedder_create(l->ctx, l->model, NULL, &embedder);
    l->vectors = st ? failed(l, st) : (part){ true, "" };
    if (!st) describe(l, embedder);
    tern_embedder_free(embedder);
}

static tern_status ignore(look *l, const char *file, const char *key)
{
    tern_report *r = l->report;
    if (r->n_ignored == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 16;
        tern_status st = tern_grow(l->ctx, (void **)&r->ignored, r->capacity, sizeof *r->ignored, "a list of keys");
        if (st) return st;
    }
    r->ignored[r->n_ignored++] = (tern_ignored){ file, keep(&r->details, key) };
    return TERN_OK;
}

/* Every file whose keys may be left out has its loop here: the model's files, and the
 * tokenizer's. */
static tern_status look_at_ignored(look *l)
{
    tern_status st = TERN_OK;
    char key[sizeof ((tern_hf_generation *)0)->ignored];
    for (size_t i = 0; l->model && !st && tern_model_ignored(l->model, i); i++)
        st = ignore(l, "config.json", tern_model_ignored(l->model, i));
    const char *at = l->model ? tern_model_generation(l->model)->ignored : "";
    while (*at && !st) {
        size_t n = strcspn(at, "\n");
        tern_show(key, sizeof key, "%.*s", (int)n, at);
        st = ignore(l, "generation_config.json", key);
        at += n + (at[n] == '\n');
    }
    for (size_t i = 0; l->text && !st && tern_tokenizer_ignored(l->text, i); i++)
        st = ignore(l, "tokenizer.json", tern_tokenizer_ignored(l->text, i));
    return st;
}

/* The reasons of tern_model_explain, a line each. */
static tern_status explain(look *l)
{
    char *text = NULL;
    tern_status st = tern_model_explain(l->ctx, l->dir, l->options, &text);
    if (st) return st;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        /* tensors by the thousand, each named once */
        tern_faults_add(&l->report->reasons, TERN_ERR_FORMAT, "%s", line);
    }
    tern_text_free(text);
    return TERN_OK;
}

static tern_status look_at_model(look *l, tern_model **own)
{
    tern_status st = TERN_OK;
    if (!l->model) {
        st = explain(l);
        if (!st && !l->report->reasons.count) st = tern_model_open(l->ctx, l->dir, l->options, own);
        if (st == TERN_ERR_MEMORY) return st;
        if (st) failed(l, st);
        l->model = *own;
    }
    l->opens = (part){ l->model != NULL, "" };
    if (!l->model) l->opens.why = keep(&l->report->details, "the model does not open");
    else l->info = tern_model_get_info(l->model);
    return TERN_OK;
}

/* ---- The abilities ---- */

static void add(look *l, const char *command, bool able, const char *format, ...) TERN_PRINTF(4, 5);

static void add(look *l, const char *command, bool able, const char *format, ...)
{
    char details[1024];
    va_list args;
    va_start(args, format);
    tern_show_v(details, sizeof details, format, args);
    va_end(args);
    l->report->list[l->report->n++] = (tern_ability){ command, able, keep(&l->report->details, details) };
}

/* What the model can do, with texts where its tokenizer opens and by ids alone where not. */
static void add_with_text(look *l, const char *command, const char *details)
{
    if (l->tokenizer.ok) add(l, command, true, "%s", details);
    else add(l, command, true, "%s%sby token ids alone: %s", details, *details ? "; " : "", l->tokenizer.why);
}

/* Null, or why the model has no next token to give. */
static const char *no_next_token(const look *l)
{
    if (!l->opens.ok) return l->opens.why;
    if (!l->info.causal) return l->info.decoder ? "its tokens see those behind them" : "an encoder";
    return l->info.has_logits ? NULL : "no head over the vocabulary";
}

static void add_generation(look *l)
{
    const char *no = no_next_token(l);
    if (no) add(l, "generate", false, "%s", no);
    else add_with_text(l, "generate", "");
    if (!no && !l->tokenizer.ok) no = l->tokenizer.why;
    if (!no && !l->template.ok) no = l->template.why;
    add(l, "chat", !no, "%s", no ? no : l->template.why);
    no = no_next_token(l);
    if (l->opens.ok && !l->info.causal && l->info.has_logits && l->vectors.ok)
        add(l, "logits", true, "of each token, by token ids");
    else if (l->opens.ok && !l->info.causal)
        add(l, "logits", false, "%s", l->info.has_logits ? l->vectors.why : "no head over the vocabulary");
    else if (no) add(l, "logits", false, "%s", no);
    else add_with_text(l, "logits", "");
    if (no) add(l, "perplexity", false, "%s", no);
    else add_with_text(l, "perplexity", "");
}

static void add_text(look *l)
{
    add(l, "tokenize", l->tokenizer.ok, "%s", l->tokenizer.why);
    add(l, "detokenize", l->tokenizer.ok, "%s", l->tokenizer.why);
    add(l, "render", l->template.ok, "%s", l->template.why);
}

static void add_vectors(look *l)
{
    char details[96];
    long long n_label = (long long)l->n_label;
    const char *no = l->opens.ok ? NULL : l->opens.why;
    if (!no && !l->vectors.ok) no = l->vectors.why;
    if (no || l->no_vector) add(l, "embed", false, "%s", no ? no : l->no_vector);
    else add_with_text(l, "embed", l->embeds);
    if (!no && !n_label) no = "no classification head";
    tern_show(details, sizeof details, "%lld label%s", n_label, n_label == 1 ? "" : "s");
    if (no) add(l, "classify", false, "%s", no);
    else add_with_text(l, "classify", details);
    if (!no && !l->tokenizer.ok) no = l->tokenizer.why;
    add(l, "rerank", !no, "%s", no ? no : details);
}

static void add_all(look *l)
{
    add_generation(l);
    add_text(l);
    add_vectors(l);
    add(l, "verify", l->opens.ok, "%s", l->opens.why);
    add(l, "bench", l->opens.ok, "%s", l->opens.why);
}

/* By the architecture: what it is for comes first. */
static const char *main_command(const look *l)
{
    if (l->info.n_label || l->n_label) return "classify";
    if (!l->info.has_logits) return "embed";
    return l->info.causal ? "generate" : "logits";
}

static tern_status look_at_all(look *l, tern_model **own)
{
    tern_status st = TERN_OK;
    TERN_TRY(look_at_model(l, own));
    if (tern_directory_there(l->ctx, l->dir)) return TERN_OK;
    look_at_tokenizer(l);
    look_at_template(l);
    /* nothing that has to do with a model */
    if (!l->model && tern_directory_check(l->ctx, l->dir) && !l->tokenizer.ok) return TERN_OK;
    look_at_vectors(l);
    TERN_TRY(look_at_ignored(l));
    add_all(l);
    for (size_t i = 0; l->model && i < l->report->n; i++)
        if (!strcmp(l->report->list[i].command, main_command(l))) l->report->serves = l->report->list[i].able;
done:
    return st;
}

tern_status tern_report_create(tern_ctx *ctx, const char *dir, const tern_model_options *options, tern_model *model,
                               tern_report **out)
{
    char demo[PATH_MAX];
    tern_model *own = NULL;
    if (!dir) dir = tern_demo_dir(demo, sizeof demo);
    if (!dir)
        return tern_fail(ctx, TERN_ERR_IO, "no model is named, and the demo model that comes with tern is not found");
    tern_report *r = tern_alloc(ctx, 1, sizeof *r, "a report");
    if (!r) return TERN_ERR_MEMORY;
    look l = { .ctx = ctx, .dir = dir, .options = options, .model = model, .report = r };
    tern_status st = look_at_all(&l, &own);
    tern_tokenizer_free(l.text);
    tern_model_free(own);
    if (!st && (r->reasons.out_of_memory || r->details.out_of_memory))
        st = tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for a report", dir);
    *out = st ? NULL : r;
    if (st) tern_report_free(r);
    return st;
}

void tern_report_free(tern_report *r)
{
    if (!r) return;
    tern_faults_free(&r->reasons);
    tern_free(r->ignored);
    tern_faults_free(&r->details);
    tern_free(r);
}

tern_texts tern_report_reasons(const tern_report *r)
{
    return (tern_texts){ (const char *const *)r->reasons.sentences, r->reasons.count };
}

size_t tern_report_ignored(const tern_report *r, const tern_ignored **list)
{
    *list = r->ignored;
    return r->n_ignored;
}

size_t tern_report_abilities(const tern_report *r, const tern_ability **list)
{
    *list = r->list;
    return r->n;
}

bool tern_report_serves(const tern_report *r)
{
    return r->serves;
}
