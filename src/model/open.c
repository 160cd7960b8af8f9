/* Opens a checkpoint directory: config -> family -> bound weights -> layers; says what the model
 * is. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/fp.h"
#include "base/memory.h"
#include "base/model_folder.h"
#include "model/internal.h"

static tern_dtype dtype_of_compute(const tern_model *m, tern_compute wanted)
{
    if (wanted == TERN_COMPUTE_F32) return TERN_F32;
    if (wanted == TERN_COMPUTE_BF16) return TERN_BF16;
    if (wanted == TERN_COMPUTE_F16) return TERN_F16;
    return m->stored == TERN_BF16 ? TERN_BF16 : TERN_F32;
}

/* An encoder's keys and values are read once, by the step that writes them: there is nothing to
 * narrow them for. */
static tern_dtype dtype_of_kv(const tern_model *m, tern_kv_type wanted)
{
    switch (wanted) {
    case TERN_KV_F32: return TERN_F32;
    case TERN_KV_F16: return TERN_F16;
    case TERN_KV_BF16: return TERN_BF16;
    default: return tern_get(m->spec, S_CAUSAL) ? m->compute : TERN_F32;
    }
}

/* The type that most bytes of the files are stored in. */
static tern_dtype stored_dtype(const tern_model *m)
{
    if (m->random) return m->random_dtype;
    size_t bytes[TERN_ST_N_DTYPES] = { 0 };
    for (size_t i = 0; i < tern_checkpoint_count(m->checkpoint); i++) {
        const tern_stored *t = tern_checkpoint_at(m->checkpoint, i);
        bytes[t->dtype] += t->n_bytes;
    }
    if (bytes[TERN_ST_BF16] >= bytes[TERN_ST_F32] && bytes[TERN_ST_BF16] >= bytes[TERN_ST_F16]) return TERN_BF16;
    return bytes[TERN_ST_F16] > bytes[TERN_ST_F32] ? TERN_F16 : TERN_F32;
}

tern_spec_options tern_model_spec_options(const tern_model_options *o)
{
    return (tern_spec_options){ .strict = o && o->strict, .attention = o ? o->attention : TERN_ATTENTION_STORED };
}

/* One line about all keys that were ignored, and one about code. */
static void tell_ignored(const tern_model *m)
{
    char names[600] = "", more[40] = "";
    size_t n = 0, used = 0, left_out = 0;
    for (const char *key; (key = tern_hf_ignored(m->config, n)); n++) {
        bool fits = used + strlen(key) + 6 < sizeof names;
        if (fits) used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%s\"", used ? ", " : "", key);
        else left_out++;
    }
    if (left_out) snprintf(more, sizeof more, " and %zu more", left_out);
    if (n)
        tern_log(m->ctx, TERN_LOG_INFO, "%s: ignored, as transformers does not read %s: %s%s", tern_hf_path(m->config),
                 n == 1 ? "it" : "them", names, more);
    if (tern_hf_has(m->config, "auto_map"))
        tern_log(m->ctx, TERN_LOG_INFO, "%s: \"auto_map\" names code, which is never executed",
                 tern_hf_path(m->config));
}

static tern_status open_parts(tern_model *m, const tern_model_options *o)
{
    tern_status st = TERN_OK;
    tern_ctx *ctx = m->ctx;
    TERN_TRY(tern_directory_check(ctx, m->dir));
    TERN_TRY(tern_hf_config_open(ctx, m->dir, "config.json", &m->config));
    TERN_TRY(tern_spec_read(ctx, m->config, &m->wanted, &m->spec));
    TERN_TRY(tern_hf_generation_read(ctx, m->dir, m->config, tern_get(m->spec, S_VOCAB), &m->generation));
    for (size_t i = 0; i < m->generation.n_eos; i++) m->eos[i] = (int32_t)m->generation.eos[i];
    if (!m->random) TERN_TRY(tern_checkpoint_open(ctx, m->dir, &m->checkpoint));
    if (tern_file_exists(m->dir, "adapter_config.json"))
        tern_log(ctx, TERN_LOG_WARNING,
                 "%s/adapter_config.json: an adapter of PEFT beside the model's own weights is not applied", m->dir);
    m->stored = stored_dtype(m);
    m->compute = dtype_of_compute(m, o->compute);
    m->kv = dtype_of_kv(m, o->kv);
    m->layers = tern_alloc(ctx, (size_t)tern_get(m->spec, S_LAYERS), sizeof *m->layers, "layers");
    if (!m->layers) {
        st = TERN_ERR_MEMORY;
        goto done;
    }
    TERN_TRY(tern_model_read_labels(m));
    if (m->random) TERN_TRY(tern_model_weigh(m));
    st = tern_model_bind(m);
    if (st && !m->random) st = tern_model_fail_whole(m, st);    /* one tensor that does not fit is seldom alone */
    if (st) goto done;
    TERN_TRY(tern_model_assemble(m));
    tern_model_tell_f16(m);
    TERN_TRY(tern_model_cut(m));
    tell_ignored(m);
done:
    return st;
}

tern_status tern_model_open(tern_ctx *ctx, const char *dir, const tern_model_options *options, tern_model **out)
{
    tern_status st = TERN_OK;
    tern_model_options o = options ? *options : (tern_model_options){ 0 };
    tern_model *m = NULL;
    char demo[PATH_MAX];
    TERN_OWN_FP(ctx);
    if (!dir) dir = tern_demo_dir(demo, sizeof demo);
    if (!dir)
        return tern_fail(ctx, TERN_ERR_IO, "no model is named, and the demo model that comes with tern is not found; "
                         "TERN_DEMO_MODEL can say where it is");
    if ((unsigned)o.compute > TERN_COMPUTE_F16 || (unsigned)o.kv > TERN_KV_BF16)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "model options: compute %d or kv %d is no such type", (int)o.compute,
                         (int)o.kv);
    if ((unsigned)o.attention > TERN_ATTENTION_BIDIRECTIONAL)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "model options: attention %d is no such kind", (int)o.attention);
    m = tern_alloc(ctx, 1, sizeof *m, "a model");
    if (!m) return TERN_ERR_MEMORY;
    *m = (tern_model){ .ctx = ctx, .root = tern_strdup(ctx, dir), .wanted = tern_model_spec_options(&o),
                       .random = o.random_weights, .random_dtype = o.random_dtype };
    if (!m->root) st = TERN_ERR_MEMORY;
    else TERN_TRY(tern_model_folder(ctx, dir, &m->dir));
    if (!st) TERN_TRY(open_parts(m, &o));
    *out = st ? NULL : m;
    if (!st) m = NULL;
done:
    tern_model_free(m);
    return st;
}

void tern_model_free(tern_model *m)
{
    if (!m) return;
    for (int64_t l = 0; m->layers && l < tern_get(m->spec, S_LAYERS); l++) {
        tern_transformer_layer_free(m->layers[l].layer);
        for (int s = 0; s < N_SLOTS; s++) tern_free(m->layers[l].expert[s]);
        tern_experts_free(m->layers[l].experts);
    }
    tern_free(m->layers);
    tern_owned_free(&m->owned);
    tern_random_free(&m->random_maps);
    tern_checkpoint_close(m->checkpoint);
    tern_spec_free(m->spec);
    tern_hf_config_free(m->config);
    tern_free(m->dir);
    tern_free(m->root);
    tern_free(m);
}

tern_kv tern_model_kv(const tern_model *m)
{
    const tern_spec *s = m->spec;
    int64_t value_dim = tern_get(s, S_VALUE_DIM) ? tern_get(s, S_VALUE_DIM) : tern_get(s, S_HEAD_DIM);
    return (tern_kv){ .dtype = m->kv, .n_layer = tern_get(s, S_CAUSAL) ? (int32_t)tern_get(s, S_LAYERS) : 1,
                      .n_kv_head = (int32_t)tern_get(s, S_KV_HEADS),
                      .key_dim = (int32_t)tern_get(s, S_HEAD_DIM), .value_dim = (int32_t)value_dim };
}

const char *tern_model_ignored(const tern_model *m, size_t i)
{
    return tern_hf_ignored(m->config, i);
}

tern_ctx *tern_model_ctx(const tern_model *m)
{
    return m->ctx;
}

const tern_hf_generation *tern_model_generation(const tern_model *m)
{
    return &m->generation;
}

size_t tern_model_eos(const tern_model *m, const int32_t **ids)
{
    *ids = m->eos;
    return m->generation.n_eos;
}

int32_t tern_model_bos(const tern_model *m)
{
    return (int32_t)m->generation.bos;
}

int32_t tern_model_pad(const tern_model *m)
{
    return (int32_t)m->generation.pad;
}

/* A dynamic rope stretches to any length. */
static int64_t max_tokens(const tern_spec *s)
{
    return s->rope && s->rope->type == TERN_ROPE_DYNAMIC ? 0 : tern_get(s, S_MAX_POS);
}

tern_model_info tern_model_get_info(const tern_model *m)
{
    const tern_spec *s = m->spec;
    tern_kv kv = tern_model_kv(m);
    return (tern_model_info){
        .architecture = s->architecture, .family = s->family->name, .stored = tern_dtype_name(m->stored),
        .compute = tern_dtype_name(m->compute), .kv = tern_dtype_name(m->kv), .causal = tern_get(s, S_CAUSAL),
        .decoder = s->decoder, .has_logits = m->head.weight.data != NULL, .n_layer = tern_get(s, S_LAYERS),
        .dim = tern_get(s, S_DIM), .ffn = tern_get(s, S_FFN), .n_head = tern_get(s, S_HEADS),
        .n_kv_head = tern_get(s, S_KV_HEADS), .head_dim = tern_get(s, S_HEAD_DIM), .vocab = tern_get(s, S_VOCAB),
        .n_label = tern_get(s, S_LABELS), .n_type = tern_get(s, S_TYPES), .n_expert = tern_get(s, S_EXPERTS),
        .n_expert_used = tern_get(s, S_EXPERTS_USED), .max_tokens = max_tokens(s), .n_param = m->n_param,
        .weight_bytes = m->weight_bytes, .copied_bytes = m->random ? m->weight_bytes : m->owned.n_bytes,
        .kv_bytes_per_token = (size_t) kv.n_layer * (size_t)
        kv.n_kv_head * (size_t)(kv.key_dim + kv.value_dim) * tern_dtype_bytes(kv.dtype),
        .flops_per_token = 2 * m->matmul_params, .read_bytes_per_token = (size_t) m->read_bytes,
        .expert_bytes = (size_t) m->expert_bytes,
    };
}
