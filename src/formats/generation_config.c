/* Reads generation_config.json: see generation_config.h. */
#include "formats/generation_config.h"

#include "base/ctx.h"
#include "base/file.h"

static const char file_name[] = "generation_config.json";

/* Keys that say nothing about which tokens come next, beside those of hf_ignorable.c. */
static const tern_hf_ignorable silent[] = {
    { "output_logits", NULL }, { "cache_config", NULL }, { "compile_config", NULL }, { "disable_compile", NULL }, { "max_time", NULL },
    { "low_memory", NULL }, { "prefill_chunk_size", NULL }, { "renormalize_logits", NULL }, { "is_assistant", NULL }, { "num_assistant_tokens", NULL },
    { "num_assistant_tokens_schedule", NULL }, { "assistant_*", NULL }, { "prompt_lookup_num_tokens", NULL }, { "target_lookbehind", NULL },
    { "max_matching_ngram_size", NULL }, { "chat_format", NULL }, { "max_window_size", NULL }, { "trust_remote_code", NULL },
};

static void read_ids(tern_hf_config *c, int64_t vocab, tern_hf_generation *out)
{
    const int64_t last = vocab > 0 ? vocab - 1 : INT32_MAX;
    tern_hf_ints(c, "eos_token_id", 0, last, out->eos, TERN_MAX_EOS, &out->n_eos);
    tern_hf_int(c, "bos_token_id", 0, last, &out->bos);
    tern_hf_int(c, "pad_token_id", -1, last, &out->pad);
}

static void read_sampling(tern_hf_config *c, tern_hf_generation *out)
{
    tern_hf_bool(c, "do_sample", &out->do_sample);
    tern_hf_number(c, "temperature", 0, 1e4, &out->temperature);
    if (out->do_sample) out->top_k = 50;
    tern_hf_int(c, "top_k", 0, INT32_MAX, &out->top_k);
    tern_hf_number(c, "top_p", 0, 1, &out->top_p);
    tern_hf_number(c, "min_p", 0, 1, &out->min_p);
    tern_hf_number(c, "repetition_penalty", 1e-3, 1e3, &out->repetition_penalty);
    tern_hf_int(c, "max_new_tokens", 1, INT32_MAX, &out->max_new_tokens);
}

static tern_status check_faults(tern_ctx *ctx, const tern_hf_config *c)
{
    return tern_faults_fail(ctx, tern_hf_faults(c), tern_hf_path(c));
}

tern_status tern_hf_generation_read(tern_ctx *ctx, const char *dir, tern_hf_config *config, int64_t vocab, tern_hf_generation *out)
{
    tern_hf_config *own = NULL;
    tern_file_id id;
    tern_status st = TERN_OK;
    tern_hf_generation g = { .bos = -1, .pad = -1, .temperature = 1, .top_p = 1, .repetition_penalty = 1 };
    if (config) {
        read_ids(config, vocab, &g);
        TERN_TRY(check_faults(ctx, config));
    }
    if (!tern_file_identify(NULL, dir, file_name, &id)) {
        TERN_TRY(tern_hf_config_open(ctx, dir, file_name, &own));
        read_ids(own, vocab, &g);
        read_sampling(own, &g);
        TERN_TRY(check_faults(ctx, own));
        if (tern_hf_unexplained(own, silent, sizeof silent / sizeof *silent, g.ignored, sizeof g.ignored)) {
            tern_log(ctx, TERN_LOG_WARNING, "%s: ignored: %s", tern_hf_path(own), g.ignored);
        }
    }
    *out = g;
done:
    tern_hf_config_free(own);
    return st;
}
