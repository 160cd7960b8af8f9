/* Reads generation_config.json, or what config.json says in its place: see generation_config.h. */
#include "formats/generation_config.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/pattern.h"
#include "formats/hf_inside.h"

static const char file_name[] = "generation_config.json";

/* The keys of transformers' GenerationConfig (4.30 to 5.24) that read_ids and read_sampling do not
 * read. only: the values under which it draws the same tokens as without the key, as JSON texts
 * separated by "|"; "": none but null; null: any value. */
static const tern_hf_ignorable others[] = {
    /* length */
    { "min_length", "0" }, { "min_new_tokens", "0" }, { "max_time", "" }, { "stop_strings", "[]" },
    /* searches other than drawing token by token; what only beams look at has no effect without
     * them */
    { "num_beams", "1" }, { "num_beam_groups", "1" }, { "diversity_penalty", "0" }, { "early_stopping", NULL },
    { "length_penalty", NULL },
    { "penalty_alpha", "0" }, { "dola_layers", "" }, { "constraints", "" }, { "force_words_ids", "" },
    { "num_return_sequences", "1" },
    /* changes of the logits */
    { "typical_p", "1" }, { "top_h", "" }, { "epsilon_cutoff", "0|1" }, { "eta_cutoff", "0|1" },
    { "encoder_repetition_penalty", "1" },
    { "no_repeat_ngram_size", "0" }, { "encoder_no_repeat_ngram_size", "0" }, { "bad_words_ids", "[]" },
    { "forced_bos_token_id", "" },
    { "forced_eos_token_id", "" }, { "force_bos_token_to_be_generated", "false" }, { "remove_invalid_values", "false" },
    { "exponential_decay_length_penalty", "" },
    { "suppress_tokens", "[]" }, { "begin_suppress_tokens", "[]" }, { "sequence_bias", "[]|{}" },
    { "token_healing", "false" }, { "guidance_scale", "1" },
    { "watermarking_config", "" }, { "renormalize_logits", NULL },
    /* how it is computed, and what a Python call returns */
    { "use_cache", NULL }, { "cache_implementation", NULL }, { "cache_config", NULL }, { "return_legacy_cache", NULL },
    { "max_cache_len", NULL }, { "low_memory", NULL },
    { "prefill_chunk_size", NULL }, { "compile_config", NULL }, { "disable_compile", NULL },
    { "continuous_batching_config", NULL }, { "output_*", NULL },
    { "return_dict_in_generate", NULL }, { "decoder_start_token_id", NULL },
    /* a second model that proposes tokens, which the first one checks */
    { "is_assistant", NULL }, { "num_assistant_tokens", NULL }, { "num_assistant_tokens_schedule", NULL },
    { "assistant_*", NULL }, { "prompt_lookup_num_tokens", NULL },
    { "max_matching_ngram_size", NULL }, { "target_lookbehind", NULL }, { "use_mtp", NULL },
    { "speculation_type", NULL },
    /* where the file comes from */
    { "_from_model_config", NULL }, { "transformers_version", NULL }, { "_commit_hash", NULL },
    { "_name_or_path", NULL }, { "trust_remote_code", NULL },
    { "chat_format", NULL }, { "max_window_size", NULL },
};

/* An id that no row of the vocabulary has never comes, and is never put in; the reference opens
 * such files, so they are only told of. A pad of -1 is none. */
static bool usable(tern_hf_config *c, const char *key, int64_t id, int64_t vocab)
{
    if (id >= 0 && id < vocab) return true;
    if (id != -1 || strcmp(key, "pad_token_id"))
        tern_log(tern_hf_ctx(c), TERN_LOG_WARNING, "%s: \"%s\" %lld is outside the vocabulary of %lld, and without "
                 "effect", tern_hf_path(c), key, (long long)id, (long long)vocab);
    return false;
}

/* over: a config whose own value wins; null: none. */
static void read_id(tern_hf_config *c, const tern_hf_config *over, const char *key, int64_t vocab, int64_t *out)
{
    int64_t id;
    if (over && tern_hf_has(over, key)) return;
    if (tern_hf_int(c, key, INT64_MIN, INT64_MAX, &id)) *out = usable(c, key, id, vocab) ? id : -1;
}

static void read_ids(tern_hf_config *c, const tern_hf_config *over, int64_t vocab, tern_hf_generation *out)
{
    size_t n = 0;
    int64_t eos[TERN_MAX_EOS];
    bool own_eos = !over || !tern_hf_has(over, "eos_token_id");
    if (vocab < 1) vocab = INT32_MAX;
    if (own_eos && tern_hf_ints(c, "eos_token_id", INT64_MIN, INT64_MAX, eos, TERN_MAX_EOS, &n)) {
        out->n_eos = 0;
        for (size_t i = 0; i < n; i++)
            if (usable(c, "eos_token_id", eos[i], vocab)) out->eos[out->n_eos++] = eos[i];
    }
    read_id(c, over, "bos_token_id", vocab, &out->bos);
    read_id(c, over, "pad_token_id", vocab, &out->pad);
}

static void read_sampling(tern_hf_config *c, tern_hf_generation *out)
{
    tern_hf_bool(c, "do_sample", &out->do_sample);
    tern_hf_number(c, "temperature", 0, 1e4, &out->temperature);
    if (out->do_sample) out->top_k = 50;
    tern_hf_int(c, "top_k", 0, INT32_MAX, &out->top_k);
    tern_hf_number(c, "top_p", 0, 1e30, &out->top_p);
    if (out->top_p > 1) out->top_p = 1;    /* as there: beyond 1 nothing is left out */
    tern_hf_number(c, "min_p", 0, 1, &out->min_p);
    tern_hf_number(c, "repetition_penalty", 1e-3, 1e3, &out->repetition_penalty);
    tern_hf_int(c, "max_new_tokens", 1, INT32_MAX, &out->max_new_tokens);
}

/* config.json's own keys, in place of the file. They decide nothing of what the model computes, so
 * that a value of another kind or out of range is only told of. */
static tern_status read_sampling_of_model(tern_ctx *ctx, tern_hf_config *config, tern_hf_generation *out)
{
    static const char *const keys[] = { "do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty",
                                        "max_new_tokens" };
    tern_hf_config *own = NULL;
    tern_status st = TERN_OK;
    json_t *some = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = config->inner ? json_object_get(config->inner, keys[i]) : NULL;
        if (!value) value = json_object_get(config->root, keys[i]);
        if (value && json_object_set(some, keys[i], value)) st = TERN_ERR_MEMORY;
    }
    size_t n = st ? 0 : json_dumpb(some, NULL, 0, JSON_REAL_PRECISION(17));
    char *text = n ? tern_alloc(ctx, n, 1, "the keys of sampling") : NULL;
    bool whole = text && json_dumpb(some, text, n, JSON_REAL_PRECISION(17)) == n;
    json_decref(some);
    if (!whole) {
        st = tern_fail(ctx, TERN_ERR_MEMORY, "%s: no memory for the keys of sampling", tern_hf_path(config));
        goto done;
    }
    TERN_TRY(tern_hf_config_parse(ctx, tern_hf_path(config), text, n, &own));
    read_sampling(own, out);
    const tern_faults *faults = tern_hf_faults(own);
    for (size_t i = 0; i < faults->count; i++)
        tern_log(ctx, TERN_LOG_WARNING, "%s: without effect: %s", tern_hf_path(config), faults->sentences[i]);
done:
    tern_hf_config_free(own);
    tern_free(text);
    return st;
}

/* A list of words; what does not fit is left out and marked "...". */
typedef struct names {
    char text[sizeof ((tern_hf_generation *)0)->ignored];
    size_t n;
} names;

static void add_name(names *to, const char *between, const char *name)
{
    if (to->n + sizeof "..." >= sizeof to->text) return;
    to->n += tern_show(to->text + to->n, sizeof to->text - to->n, "%s%s", to->n ? between : "", name);
}

static const tern_hf_ignorable *row_of(const char *key)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (tern_name_matches(others[i].key, key)) return &others[i];
    return NULL;
}

/* What would change the tokens if it were followed, in one line; and keys that no version of the
 * class has, in another. In config.json only the first are looked for. */
static void report(tern_ctx *ctx, const tern_hf_config *c, bool whole, tern_hf_generation *out)
{
    names effective = { 0 }, unknown = { 0 }, all = { 0 };
    const char *key;
    json_t *value;
    json_object_foreach(c->root, key, value) {
        char shown[TERN_SHOWN_BYTES], text[64], pair[TERN_SHOWN_BYTES + 72];
        const tern_hf_ignorable *row = row_of(key);
        bool read = json_is_true(json_object_get(c->asked, key));
        if (json_is_null(value) || (read && (whole || !row))) continue;
        bool changes = row && row->only && !tern_hf_allows(value, row->only);
        snprintf(pair, sizeof pair, "\"%s\" %s", tern_show_name(key, shown), tern_json_show(value, text, sizeof text));
        if (!changes && (row || !whole)) continue;
        add_name(changes ? &effective : &unknown, ", ", changes ? pair : shown);
        add_name(&all, "\n", changes ? pair : shown);
    }
    if (effective.n)
        tern_log(ctx, TERN_LOG_WARNING, "%s: not followed, though it would change the text: %s", c->path,
                 effective.text);
    if (unknown.n) tern_log(ctx, TERN_LOG_INFO, "%s: ignored: %s", c->path, unknown.text);
    memcpy(out->ignored, all.text, sizeof out->ignored);
}

tern_status tern_hf_generation_read(tern_ctx *ctx, const char *dir, tern_hf_config *config, int64_t vocab,
                                    tern_hf_generation *out)
{
    tern_hf_config *own = NULL;
    tern_status st = TERN_OK;
    tern_hf_generation g = { .bos = -1, .pad = -1, .temperature = 1, .top_p = 1, .repetition_penalty = 1 };
    bool there = tern_file_exists(dir, file_name);
    if (there) TERN_TRY(tern_hf_config_open(ctx, dir, file_name, &own));
    if (config) {
        read_ids(config, own, vocab, &g);
        if (!there) TERN_TRY(read_sampling_of_model(ctx, config, &g));
        TERN_TRY(tern_faults_fail(ctx, tern_hf_faults(config), tern_hf_path(config)));
        if (!there) report(ctx, config, false, &g);
    }
    if (own) {
        read_ids(own, NULL, vocab, &g);
        read_sampling(own, &g);
        /* config.json's is a default of old versions, written into every file */
        tern_hf_int(own, "max_length", 1, INT64_MAX, &g.max_length);
        TERN_TRY(tern_faults_fail(ctx, tern_hf_faults(own), tern_hf_path(own)));
        report(ctx, own, true, &g);
    }
    *out = g;
done:
    tern_hf_config_free(own);
    return st;
}
