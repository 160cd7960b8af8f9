/* A model's file that is cut, written to or replaced while it is in use fails the next step by name, with no page behind its end read; one whose name is
 * gone serves on. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models.h"

#define MODEL TERN_SOURCE_DIR "/tests/golden/models/llama-mha"

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char path[256], bytes[4096];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", from_dir, name);
    FILE *from = fopen(path, "rb");
    snprintf(path, sizeof path, "%s/%s", to_dir, name);
    FILE *to = fopen(path, "wb");
    assert_true(from && to);
    while ((n = fread(bytes, 1, sizeof bytes, from))) assert_int_equal(fwrite(bytes, 1, n, to), n);
    fclose(from), fclose(to);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 4096), 0);
}

static void cut_to_nothing(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void write_into(const char *path)
{
    const struct timespec later[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };    /* the clock that files are stamped with may stand still for some milliseconds */
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 200000), 1);
    assert_int_equal(futimens(fd, later), 0);
    close(fd);
}

static void replace(const char *path)
{
    char dir[256];
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    copy_file(MODEL, dir, "config.json");
    snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "/config.json");
    assert_int_equal(rename(dir, path), 0);
}

static void take_away(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static const struct {
    void (*change)(const char *path);
    const char *words;    /* of the failure; null: there is none */
    const char *why;
} rows[] = {
    { cut, "4096 bytes now", "pages behind the end are gone" },
    { cut_to_nothing, "0 bytes now", "all pages are gone" },
    { write_into, "written to", "other weights under the same size" },
    { replace, "replaced", "another file under the name" },
    { take_away, NULL, "without its name the file is what it was" },
};

static bool go_on(void *user, const tern_event *event)
{
    (void)user, (void)event;
    return true;
}

static tern_status ask(tern_engine *e)
{
    const int32_t ids[] = { 1, 2, 3 };
    tern_request r = { .ids = ids, .n_ids = 3, .max_new_tokens = 2, .sampling = tern_sampling_greedy(), .ignore_eos = true, .on_event = go_on };
    tern_status st = tern_engine_submit(e, &r, NULL);
    return st ? st : tern_engine_run(e);
}

static void check_row(size_t i)
{
    char dir[] = "/tmp/tern-test-XXXXXX", path[64], words[600] = "";
    bench b;
    assert_non_null(mkdtemp(dir));
    copy_file(MODEL, dir, "config.json");
    copy_file(MODEL, dir, "model.safetensors");
    bench_open(&b, dir, NULL, 1, TERN_COMPUTE_F32);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ .context_tokens = 16, .max_requests = 1 });
    if (ask(e)) fail_msg("%s", tern_ctx_error(b.ctx));
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    rows[i].change(path);
    tern_status st = ask(e), weights = tern_model_check_weights(b.model);
    snprintf(words, sizeof words, "%s", tern_ctx_error(b.ctx));
    tern_engine_free(e);
    bench_close(&b);
    unlink(path);
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    rmdir(dir);
    if (st != (rows[i].words ? TERN_ERR_STATE : TERN_OK) || weights != st) fail_msg("%s: %d and %d, \"%s\"", rows[i].why, (int)st, (int)weights, words);
    if (st && (!strstr(words, rows[i].words) || !strstr(words, "model.safetensors"))) fail_msg("%s: \"%s\"", rows[i].why, words);
}

static void a_changed_file_fails_the_next_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(i);
}

/* The file is looked for where it was opened, not where the process has gone to. */
static void another_directory_changes_nothing(void **state)
{
    char before[4096];
    bench b;
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(TERN_SOURCE_DIR "/tests/golden/models"), 0);
    bench_open(&b, "llama-mha", NULL, 1, TERN_COMPUTE_F32);
    assert_int_equal(chdir("/"), 0);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ .context_tokens = 16, .max_requests = 1 });
    if (ask(e)) fail_msg("%s", tern_ctx_error(b.ctx));
    tern_engine_free(e);
    bench_close(&b);
    assert_int_equal(chdir(before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_changed_file_fails_the_next_step), cmocka_unit_test(another_directory_changes_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
