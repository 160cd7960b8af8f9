/* Opens what the common flags ask for: see session.h. */
#include "cli/session.h"

#include <limits.h>
#include <string.h>

#include "cli/commands.h"

/* Notes are left out by --quiet, and by info, which prints what they say. */
static void on_log(void *user, tern_log_level level, const char *line)
{
    const cli_args *args = user;
    bool notes = !args->value[FLAG_QUIET].set && args->command->run != cli_info;
    if (level == TERN_LOG_WARNING) cli_say("warning: %s", line);
    else if (notes) cli_say("%s", line);
}

bool cli_open_ctx_of(const cli_args *args, int threads, cli_session *s)
{
    tern_ctx_options options = { .threads = threads, .isa = args->value[FLAG_ISA].text, .log = on_log,
                                 .log_user = (void *)(uintptr_t)args,
                                 .guard_files = 1 };
    *s = (cli_session){ 0 };
    if (tern_ctx_create(&options, &s->ctx) == TERN_OK) return true;
    cli_fail("%s", tern_create_error());
    return false;
}

bool cli_open_ctx(const cli_args *args, cli_session *s)
{
    return cli_open_ctx_of(args, (int)args->value[FLAG_THREADS].integer, s);
}

int cli_fail_ctx(const cli_session *s)
{
    return cli_fail("%s", tern_ctx_error(s->ctx));
}

const char *cli_model_dir(const cli_args *args, char *buffer, size_t size)
{
    if (args->value[FLAG_MODEL].set) return args->value[FLAG_MODEL].text;
    const char *dir = tern_demo_dir(buffer, size);
    if (!dir)
        cli_fail("the demo model that comes with tern is not found; -m DIR names another, or TERN_DEMO_MODEL says "
                 "where it is");
    return dir;
}

static tern_compute compute_of(const cli_args *args)
{
    const char *text = args->value[FLAG_COMPUTE].text;
    if (!text) return TERN_COMPUTE_STORED;
    if (!strcmp(text, "f32")) return TERN_COMPUTE_F32;
    if (!strcmp(text, "f16")) return TERN_COMPUTE_F16;
    return TERN_COMPUTE_BF16;
}

static tern_kv_type kv_of(const cli_args *args)
{
    const char *text = args->value[FLAG_KV].text;
    if (!text) return TERN_KV_DEFAULT;
    if (!strcmp(text, "f32")) return TERN_KV_F32;
    if (!strcmp(text, "f16")) return TERN_KV_F16;
    return TERN_KV_BF16;
}

static tern_attention_mask attention_of(const cli_args *args)
{
    const char *text = args->value[FLAG_ATTENTION].text;
    if (!text) return TERN_ATTENTION_STORED;
    return strcmp(text, "causal") ? TERN_ATTENTION_BIDIRECTIONAL : TERN_ATTENTION_CAUSAL;
}

tern_model_options cli_model_options(const cli_args *args)
{
    return (tern_model_options){ .compute = compute_of(args), .kv = kv_of(args), .strict = args->value[FLAG_STRICT].set,
                                 .attention = attention_of(args) };
}

bool cli_open_model(const cli_args *args, cli_session *s)
{
    char demo[PATH_MAX];
    const char *dir = cli_model_dir(args, demo, sizeof demo);
    tern_model_options options = cli_model_options(args);
    if (!dir) return false;
    if (tern_model_open(s->ctx, dir, &options, &s->model) == TERN_OK) return true;
    cli_fail_ctx(s);
    return false;
}

bool cli_open_engine(const cli_args *args, cli_session *s, int32_t max_requests)
{
    tern_engine_options options = { .context_tokens = args->value[FLAG_CONTEXT].integer, .max_requests = max_requests };
    if (tern_engine_create(s->ctx, s->model, &options, &s->engine) == TERN_OK) return true;
    cli_fail_ctx(s);
    return false;
}

bool cli_check_context(const cli_args *args, const cli_session *s)
{
    int64_t most = tern_model_get_info(s->model).max_tokens, context = args->value[FLAG_CONTEXT].integer;
    if (!most || context <= most) return true;
    cli_fail("a context of %lld tokens is more than the %lld that the model was made for", (long long)context,
             (long long)most);
    return false;
}

void cli_close(cli_session *s)
{
    tern_engine_free(s->engine);
    tern_tokenizer_free(s->tokenizer);
    tern_model_free(s->model);
    tern_ctx_free(s->ctx);
    *s = (cli_session){ 0 };
}
