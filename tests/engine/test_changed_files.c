/* A model's file that is cut or written to while it is in use fails the next step by name, with no
 * page behind its end read; one whose name is gone, or belongs to another file, serves on. A file
 * cut in the middle of a step fails that step where the context guards files. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models.h"
#include "model/model.h"

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
    fclose(from);
    fclose(to);
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
    /* the clock that files are stamped with may stand still for some milliseconds */
    const struct timespec later[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
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
    const char *message;    /* of the failure; null: there is none */
    const char *why;
} rows[] = {
    { cut, "4096 bytes now", "pages behind the end are gone" },
    { cut_to_nothing, "0 bytes now", "all pages are gone" },
    { write_into, "written to", "other weights under the same size" },
    { replace, NULL, "another file under the name: the mapped one is what it was" },
    { take_away, NULL, "without its name the file is what it was" },
};

static bool go_on(void *user, const tern_event *event)
{
    (void)user;
    (void)event;
    return true;
}

static tern_status submit_one(tern_engine *e)
{
    const int32_t ids[] = { 1, 2, 3 };
    tern_request r = { .ids = ids, .n_ids = 3, .max_new_tokens = 2, .sampling = tern_sampling_greedy(),
                       .ignore_eos = true, .on_event = go_on };
    tern_status st = tern_engine_submit(e, &r, NULL);
    return st ? st : tern_engine_run(e);
}

/* A copy of the model in a new directory; path, of 64 bytes, gets its file of weights. */
static void make_copy(char *dir, char *path)
{
    assert_non_null(mkdtemp(dir));
    copy_file(MODEL, dir, "config.json");
    copy_file(MODEL, dir, "model.safetensors");
    snprintf(path, 64, "%s/model.safetensors", dir);
}

static void remove_copy(const char *dir, char *path)
{
    unlink(path);
    snprintf(path, 64, "%s/config.json", dir);
    unlink(path);
    rmdir(dir);
}

static void check_row(size_t i)
{
    char dir[] = "/tmp/tern-test-XXXXXX", path[64], message[600] = "";
    bench b;
    make_copy(dir, path);
    bench_open(&b, dir, NULL, 1, TERN_COMPUTE_F32);
    tern_engine *e = bench_engine(&b, (tern_engine_options){ .context_tokens = 16, .max_requests = 1 });
    if (submit_one(e)) fail_msg("%s", tern_ctx_error(b.ctx));
    rows[i].change(path);
    tern_status st = submit_one(e), weights = tern_model_check_weights(b.model);
    snprintf(message, sizeof message, "%s", tern_ctx_error(b.ctx));
    tern_engine_free(e);
    bench_close(&b);
    remove_copy(dir, path);
    if (st != (rows[i].message ? TERN_ERR_STATE : TERN_OK) || weights != st)
        fail_msg("%s: %d and %d, \"%s\"", rows[i].why, (int)st, (int)weights, message);
    if (st && (!strstr(message, rows[i].message) || !strstr(message, "model.safetensors")))
        fail_msg("%s: \"%s\"", rows[i].why, message);
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
    if (submit_one(e)) fail_msg("%s", tern_ctx_error(b.ctx));
    tern_engine_free(e);
    bench_close(&b);
    assert_int_equal(chdir(before), 0);
}

/* ---- A file that is cut while a step reads it ---- */

static void cut_behind_the_embedding(void *path, int64_t layer, const float *x)
{
    (void)x;
    if (layer < 0) cut(path);
}

static void a_cut_within_a_step_fails_it(void **state)
{
    char dir[] = "/tmp/tern-test-XXXXXX", path[64];
    const int32_t id[3] = { 1, 2, 3 }, page[1] = { 0 }, row[1] = { 0 }, n_tok[1] = { 3 }, past[1] = { 0 },
        out[1] = { 2 };
    const int32_t *pages[1] = { page };
    (void)state;
    make_copy(dir, path);
    bench b;
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .threads = 2, .guard_files = 1 }, &b.ctx), TERN_OK);
    assert_int_equal(tern_model_open(b.ctx, dir, &(tern_model_options){ .compute = TERN_COMPUTE_F32 }, &b.model),
                     TERN_OK);
    tern_kv kv = tern_model_kv(b.model);
    kv.n_page = 1;
    kv.data = calloc(1, tern_kv_bytes(&kv, 1));
    float *logits = calloc((size_t)tern_model_get_info(b.model).vocab, sizeof *logits);
    assert_true(kv.data && logits);
    tern_ragged batch = { .n_seq = 1, .n_row = 3, .row = row, .n_tok = n_tok, .past = past, .page = pages };
    tern_step step = { .batch = &batch, .kv = &kv, .id = id, .out_row = out, .n_out = 1, .logits = logits };
    assert_int_equal(tern_model_step(b.model, &step), TERN_OK);
    step.after_layer = cut_behind_the_embedding;
    step.after_layer_user = path;
    assert_int_equal(tern_model_step(b.model, &step), TERN_ERR_STATE);
    assert_non_null(strstr(tern_ctx_error(b.ctx), "model.safetensors: cut"));
    step.after_layer = NULL;
    assert_int_equal(tern_model_step(b.model, &step), TERN_ERR_STATE);    /* and so does each one after it */
    free(kv.data);
    free(logits);
    bench_close(&b);
    remove_copy(dir, path);
}

/* ---- The handler of SIGBUS is a guest ---- */

static sigjmp_buf back;

static void host_handler(int number)
{
    siglongjmp(back, number);
}

/* Reads behind the end of a file of the host's own. */
static int fault(void)
{
    char name[] = "/tmp/tern-test-XXXXXX";
    int fd = mkstemp(name), caught = sigsetjmp(back, 1);
    static volatile char *data;
    if (!caught) {
        assert_int_equal(ftruncate(fd, 4096), 0);
        data = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        assert_int_equal(ftruncate(fd, 0), 0);
        if (data[0]) fail_msg("a byte behind the end of a file");
    }
    munmap((void *)data, 4096);
    close(fd);
    unlink(name);
    return caught;
}

static void faults_of_the_host_are_the_hosts(void **state)
{
    struct sigaction host = { .sa_handler = host_handler }, before, now;
    tern_ctx *plain, *first, *second;
    (void)state;
    sigaction(SIGBUS, &host, &before);
    assert_int_equal(tern_ctx_create(NULL, &plain), TERN_OK);
    sigaction(SIGBUS, NULL, &now);
    assert_true(now.sa_handler == host_handler);    /* not asked for, not installed */
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .guard_files = 1 }, &first), TERN_OK);
    assert_int_equal(tern_ctx_create(&(tern_ctx_options){ .guard_files = 1 }, &second), TERN_OK);
    assert_int_equal(fault(), SIGBUS);
    tern_ctx_free(first);
    assert_int_equal(fault(), SIGBUS);
    tern_ctx_free(second);
    sigaction(SIGBUS, NULL, &now);
    assert_true(now.sa_handler == host_handler);
    assert_int_equal(fault(), SIGBUS);
    tern_ctx_free(plain);
    sigaction(SIGBUS, &before, NULL);
}

/* How a process ends that holds a guard and is sent a SIGBUS, which is no fault. */
static int end_of_sent(void (*before)(int))
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        tern_ctx *guarded;
        signal(SIGBUS, before);
        if (tern_ctx_create(&(tern_ctx_options){ .threads = 1, .guard_files = 1 }, &guarded)) _exit(1);
        kill(getpid(), SIGBUS);
        tern_ctx_free(guarded);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void a_sent_signal_does_what_it_did_without_the_guard(void **state)
{
    (void)state;
    int status = end_of_sent(SIG_DFL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    assert_int_equal(end_of_sent(SIG_IGN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] =
        { cmocka_unit_test(a_changed_file_fails_the_next_step), cmocka_unit_test(another_directory_changes_nothing),
          cmocka_unit_test(a_cut_within_a_step_fails_it), cmocka_unit_test(faults_of_the_host_are_the_hosts),
          cmocka_unit_test(a_sent_signal_does_what_it_did_without_the_guard) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
