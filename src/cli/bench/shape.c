/* Opens the model that is measured: a checkpoint, or random weights of a config.json's shape.
 * bench.c calls it; see bench.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

/* A checkpoint directory that holds nothing but a copy of the given config.json. It is a temporary
 * file until it is removed. */
static bool make_dir(const char *config, char *dir, size_t size)
{
    const char *parent = getenv("TMPDIR");
    char *text, path[4352];
    size_t n_bytes;
    if (!cli_read(config, &text, &n_bytes)) return false;
    snprintf(dir, size, "%s/tern-bench-XXXXXX", parent && *parent ? parent : "/tmp");
    FILE *file = NULL;
    bool made = mkdtemp(dir), ok = made;
    if (made) {
        snprintf(path, sizeof path, "%s/config.json", dir);
        bench_temp_files_add(path, dir);
        file = fopen(path, "we");
        ok = file && fwrite(text, 1, n_bytes, file) == n_bytes;
        if (file && fclose(file)) ok = false;
    }
    if (!ok) cli_fail("%s: %s", dir, strerror(errno));
    if (made && !ok) bench_temp_files_settle(false);
    free(text);
    return ok;
}

static tern_dtype stored_of(const cli_args *args)
{
    const char *text = args->value[FLAG_STORED].text;
    if (text && !strcmp(text, "f32")) return TERN_F32;
    if (text && !strcmp(text, "f16")) return TERN_F16;
    return TERN_BF16;
}

/* The sentence names the file that was given, not the copy of it. */
static void fail_of(const cli_session *s, const char *config, const char *dir)
{
    const char *message = tern_ctx_error(s->ctx), *at = strstr(message, dir);
    size_t n = strlen(dir);
    if (at && !strncmp(at + n, "/config.json", 12)) n += 12;
    if (at) cli_fail("%.*s%s%s", (int)(at - message), message, config, at + n);
    else cli_fail("%s: %s", config, message);
}

bool bench_open_model(const cli_args *args, cli_session *s)
{
    char dir[4096];
    const char *config = args->value[FLAG_SHAPE].text;
    if (!config) return cli_open_model(args, s);
    if (!make_dir(config, dir, sizeof dir)) return false;
    tern_model_options options = cli_model_options(args);
    options.random_weights = true;
    options.random_dtype = stored_of(args);
    bench_progress("drawing random weights");
    bool ok = tern_model_open(s->ctx, dir, &options, &s->model) == TERN_OK;
    bench_progress("%s", "");
    if (!ok) fail_of(s, config, dir);
    bench_temp_files_settle(false);
    return ok;
}
