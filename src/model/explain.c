/* Why a directory cannot be opened, every reason at once: config.json, generation_config.json, the
 * files and each tensor, by their headers alone. Called by open.c and by programs (tern info);
 * calls src/families, src/formats and bind.c. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/ctx.h"
#include "base/directory.h"
#include "base/dtype.h"
#include "base/memory.h"
#include "base/model_folder.h"
#include "base/available_memory.h"
#include "model/internal.h"

/* The settings, or the faults of config.json one by one. */
static bool read_spec(tern_model *m, tern_faults *faults)
{
    tern_status st = tern_hf_config_open(m->ctx, m->dir, "config.json", &m->config);
    if (!st) st = tern_spec_read(m->ctx, m->config, &m->wanted, &m->spec);
    if (!st) return true;
    const tern_faults *own = m->config ? tern_hf_faults(m->config) : NULL;
    for (size_t i = 0; own && i < own->count; i++)
        tern_faults_add(faults, own->status, "config.json: %s", own->sentences[i]);
    if (!own || !own->count) tern_faults_add_error(faults, m->ctx, st);
    return false;
}

static tern_status collect_faults(tern_model *m, tern_faults *faults)
{
    tern_status st = tern_directory_check(m->ctx, m->dir);
    if (st) {
        tern_faults_add_error(faults, m->ctx, st);
        return TERN_OK;
    }
    bool known = read_spec(m, faults);
    if (!m->random && (st = tern_checkpoint_open(m->ctx, m->dir, &m->checkpoint)))
        tern_faults_add_error(faults, m->ctx, st);
    if (!known) return TERN_OK;
    if (!m->random) st = tern_hf_generation_read(m->ctx, m->dir, m->config, tern_get(m->spec, S_VOCAB), &m->generation);
    if (st) tern_faults_add_error(faults, m->ctx, st);
    if (!m->checkpoint && !m->random) return TERN_OK;
    m->layers = tern_alloc(m->ctx, (size_t)tern_get(m->spec, S_LAYERS), sizeof *m->layers, "layers");
    if (!m->layers) return TERN_ERR_MEMORY;
    m->faults = faults;
    return tern_model_bind(m);
}

tern_status tern_model_weigh(const tern_model *m)
{
    tern_faults faults = { 0 };
    tern_model *light = tern_alloc(m->ctx, 1, sizeof *light, "a model");
    if (!light) return TERN_ERR_MEMORY;
    *light = (tern_model){ .ctx = m->ctx, .dir = tern_strdup(m->ctx, m->dir), .wanted = m->wanted, .random = true,
                           .random_dtype = m->random_dtype };
    tern_status st = light->dir ? collect_faults(light, &faults) : TERN_ERR_MEMORY;
    size_t drawn = light->weight_bytes,
        made = m->compute == TERN_F32 || m->compute == m->random_dtype
                   ? 0 : drawn / tern_dtype_bytes(m->random_dtype) * tern_dtype_bytes(m->compute);
    tern_available_memory memory = tern_available_memory_now("", 0);
    if (!st && drawn + made > memory.bytes)
        st = tern_fail(m->ctx, TERN_ERR_MEMORY, "%s: random weights of this shape need %zu bytes, and %" PRIu64
                       " are available (%s)", m->dir, drawn + made, memory.bytes, memory.limit);
    tern_model_free(light);
    tern_faults_free(&faults);
    return st;
}

/* The sentences, a line each. */
static tern_status join(tern_ctx *ctx, const tern_faults *faults, char **text)
{
    size_t n = 1;
    if (faults->out_of_memory) return tern_fail(ctx, TERN_ERR_MEMORY, "no memory for the reasons");
    for (size_t i = 0; i < faults->count; i++) n += strlen(faults->sentences[i]) + 1;
    char *out = *text = tern_alloc(ctx, n, 1, "the reasons");
    if (!out) return TERN_ERR_MEMORY;
    for (size_t i = 0; i < faults->count; i++) {
        size_t length = strlen(faults->sentences[i]);
        memcpy(out, faults->sentences[i], length);
        out += length;
        *out++ = '\n';
    }
    *out = 0;
    return TERN_OK;
}

/* All that is wrong with dir, by its headers alone. */
static tern_status collect_faults_of(tern_ctx *ctx, const char *dir, const tern_spec_options *wanted,
                                     tern_faults *faults)
{
    tern_model *m = tern_alloc(ctx, 1, sizeof *m, "a model");
    if (!m) return TERN_ERR_MEMORY;
    *m = (tern_model){ .ctx = ctx, .wanted = *wanted };
    tern_status st = tern_model_folder(ctx, dir, &m->dir);
    if (!st) {
        st = collect_faults(m, faults);
    } else if (st != TERN_ERR_MEMORY) {
        tern_faults_add_error(faults, ctx, st);
        st = TERN_OK;
    }
    tern_model_free(m);
    return st;
}

tern_status tern_model_fail_whole(const tern_model *m, tern_status first)
{
    tern_faults faults = { 0 };
    tern_log_fn *log = m->ctx->log;
    m->ctx->log = NULL;    /* what the files are warned of has been said */
    tern_status st = first == TERN_ERR_MEMORY ? first : collect_faults_of(m->ctx, m->dir, &m->wanted, &faults);
    m->ctx->log = log;
    if (!st) st = tern_faults_fail(m->ctx, &faults, m->dir);
    tern_faults_free(&faults);
    return st ? st : first;
}

tern_status tern_model_explain(tern_ctx *ctx, const char *dir, const tern_model_options *options, char **text)
{
    tern_faults faults = { 0 };
    tern_spec_options wanted = tern_model_spec_options(options);
    char demo[PATH_MAX];
    if (!dir) dir = tern_demo_dir(demo, sizeof demo);
    if (!dir)
        return tern_fail(ctx, TERN_ERR_IO, "no model is named, and the demo model that comes with tern is not found");
    tern_status st = collect_faults_of(ctx, dir, &wanted, &faults);
    if (!st) st = join(ctx, &faults, text);
    tern_faults_free(&faults);
    return st;
}
