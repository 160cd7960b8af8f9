/* tern info: what a model is, what it needs, what fits in this machine's memory; what is wrong with
 * its directory, and which commands take it. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tern/config.h>

#include "cli/commands.h"
#include "cli/info_report.h"
#include "cli/machine.h"
#include "cli/session.h"

/* 2147483648 as "2.1 GB" */
static const char *bytes_text(double n, char *buffer, size_t size)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    size_t unit = 0;
    while (n >= 1000 && unit < 4) {
        n /= 1000;
        unit++;
    }
    snprintf(buffer, size, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
    return buffer;
}

static void row_bytes(const char *name, double n)
{
    char text[32];
    printf("%-22s%s\n", name, bytes_text(n, text, sizeof text));
}

static void print_text(const tern_model_info *m, const tern_engine_info *e, double memory, const cli_session *s)
{
    char text[32];
    printf("%-22s%s (family %s)\n", "architecture", m->architecture, m->family);
    printf("%-22s%.3g million\n", "parameters", (double)m->n_param / 1e6);
    printf("%-22s%lld layers, dim %lld, %lld heads, %lld KV heads of %lld, ffn %lld, vocabulary %lld\n", "shape",
           (long long)m->n_layer, (long long)m->dim, (long long)m->n_head, (long long)m->n_kv_head,
           (long long)m->head_dim, (long long)m->ffn, (long long)m->vocab);
    if (m->n_expert)
        printf("%-22s%lld, of which %lld a token\n", "experts", (long long)m->n_expert, (long long)m->n_expert_used);
    printf("%-22sstored %s, compute %s, KV cache %s\n", "types", m->stored, m->compute, m->kv);
    printf("%-22s%s", "weights", bytes_text((double)m->weight_bytes, text, sizeof text));
    printf(", %s of them copied\n", m->copied_bytes ? bytes_text((double)m->copied_bytes, text, sizeof text) : "none");
    row_bytes("read per token", (double)m->read_bytes_per_token);
    if (m->max_tokens) printf("%-22s%lld tokens\n", "made for", (long long)m->max_tokens);
    row_bytes("KV cache per token", (double)m->kv_bytes_per_token);
    if (e) {
        printf("%-22s%lld tokens, KV cache of %s", "context", (long long)e->context_tokens,
               bytes_text((double)e->kv_bytes, text, sizeof text));
        printf(" and workspace of %s\n", bytes_text((double)e->workspace_bytes, text, sizeof text));
    }
    if (memory < 0) printf("%-22sunknown: this system does not say how much memory is free\n", "fits");
    else if (m->kv_bytes_per_token)
        printf("%-22s%.0f tokens of KV cache in %s of free memory\n", "fits", memory / (double)m->kv_bytes_per_token,
               bytes_text(memory, text, sizeof text));
    printf("%-22s%s, %d thread%s\n", "runs on", tern_ctx_isa(s->ctx), tern_ctx_threads(s->ctx),
           tern_ctx_threads(s->ctx) == 1 ? "" : "s");
}

static void put_model(json_out *j, const tern_model_info *m, const tern_engine_info *e, double memory,
                      const cli_session *s)
{
    out_word(j, "architecture", m->architecture);
    out_word(j, "family", m->family);
    out_integer(j, "parameters", m->n_param);
    out_word(j, "stored", m->stored);
    out_word(j, "compute", m->compute);
    out_word(j, "kv", m->kv);
    const struct { const char *name; int64_t value; } numbers[] = {
        { "layers", m->n_layer }, { "dim", m->dim }, { "ffn", m->ffn }, { "heads", m->n_head },
        { "kv_heads", m->n_kv_head }, { "head_dim", m->head_dim },
        { "vocab", m->vocab }, { "experts", m->n_expert }, { "experts_used", m->n_expert_used },
        { "max_tokens", m->max_tokens },
        { "weight_bytes", (int64_t)m->weight_bytes }, { "copied_bytes", (int64_t)m->copied_bytes },
        { "read_bytes_per_token", (int64_t)m->read_bytes_per_token },
        { "kv_bytes_per_token", (int64_t)m->kv_bytes_per_token },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) out_integer(j, numbers[i].name, numbers[i].value);
    out_number(j, "flops_per_token", m->flops_per_token);
    if (e) {
        out_integer(j, "context_tokens", e->context_tokens);
        out_integer(j, "kv_bytes", (int64_t)e->kv_bytes);
        out_integer(j, "workspace_bytes", (int64_t)e->workspace_bytes);
    }
    if (memory < 0) out_word(j, "free_memory_bytes", NULL);
    else out_integer(j, "free_memory_bytes", (int64_t)memory);
    if (memory < 0) out_word(j, "fits_tokens", NULL);
    else if (m->kv_bytes_per_token) out_integer(j, "fits_tokens", (int64_t)(memory / (double)m->kv_bytes_per_token));
    out_word(j, "isa", tern_ctx_isa(s->ctx));
    out_integer(j, "threads", tern_ctx_threads(s->ctx));
}

/* The model's part of what is printed, or nothing where it does not open; then the report on the
 * directory. */
static void print_all(const cli_args *args, const cli_session *s, const tern_report *report)
{
    tern_model_info model = { 0 };
    tern_engine_info engine = { 0 };
    json_out j = { 0 };
    double memory = cli_free_memory();
    if (s->model) model = tern_model_get_info(s->model);
    if (s->engine) engine = tern_engine_get_info(s->engine);
    if (!args->value[FLAG_JSON].set) {
        if (s->model) print_text(&model, s->engine ? &engine : NULL, memory, s);
        cli_print_report(report);
        return;
    }
    out_open(&j, NULL, '{');
    if (s->model) put_model(&j, &model, s->engine ? &engine : NULL, memory, s);
    cli_put_report(&j, report);
    out_close(&j);
}

static bool weights_are_finite(const cli_args *args, const cli_session *s)
{
    if (!args->value[FLAG_CHECK].set || !tern_model_check_weights(s->model)) return true;
    cli_fail_ctx(s);
    return false;
}

/* Whether the command that the architecture is for takes the model; why not is one of the
 * reasons. */
static bool serves(const tern_report *report)
{
    tern_texts reasons = tern_report_reasons(report);
    if (tern_report_serves(report)) return true;
    cli_fail("%s", reasons.n ? reasons.text[0] : "no command takes this model");
    return false;
}

/* What fails says its sentence on stderr and hides nothing of the rest. */
int cli_info(const cli_args *args)
{
    cli_session s = { 0 };
    char demo[PATH_MAX];
    tern_report *report = NULL;
    int status = EXIT_FAILED;
    const char *dir = cli_model_dir(args, demo, sizeof demo);
    if (!dir || !cli_open_ctx(args, &s)) goto done;
    bool good = cli_open_model(args, &s);
    good = good && weights_are_finite(args, &s);
    tern_model_options options = cli_model_options(args);
    if (tern_report_create(s.ctx, dir, &options, s.model, &report)) {
        cli_fail_ctx(&s);
        goto done;
    }
    good = good && serves(report);
    if (s.model && !cli_check_context(args, &s)) good = false;
    else if (s.model && tern_model_get_info(s.model).causal && tern_model_get_info(s.model).has_logits &&
             !cli_open_engine(args, &s, 1))
        good = false;
    print_all(args, &s, report);
    if (good) status = EXIT_OK;
done:
    tern_report_free(report);
    cli_close(&s);
    return status;
}
