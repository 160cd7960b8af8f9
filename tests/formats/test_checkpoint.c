/* Checkpoint directories: which files they take, and with which message an index, a link or a
 * pickle is refused. Numbers in brackets are the cases of the list of bad inputs that a row stands
 * for. */
#include "formats/support.h"

#include <fcntl.h>

#include "formats/checkpoint.h"

#define ONE(name) "{\"" name "\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
#define TWO(a, b)                                                             \
    "{\"" a "\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"" b \
        "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}"

static const char index_name[] = "model.safetensors.index.json";

/* Two shards: s1 holds a and b, s2 holds c. */
static char *make_shards(void)
{
    char *dir = make_folder();
    write_safetensors(dir, "s1.safetensors", TWO("a", "b"), 3);
    write_safetensors(dir, "s2.safetensors", ONE("c"), 2);
    return dir;
}

typedef struct index_row {
    const char *index;
    tern_status status;
    const char *message, *why;
} index_row;

static const index_row index_rows[] = {
    { "{\"metadata\":{\"total_size\":5},\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s1.safetensors\","
      "\"c\":\"s2.safetensors\"}}", TERN_OK, NULL, "a good index" },
    { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}", TERN_OK, NULL,
      "a shard may hold more than the index says: b is there" },
    { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"z\":\"s9.safetensors\"}}", TERN_ERR_IO,
      "s9.safetensors: No such file", "[12] a missing shard" },
    { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"y\":\"s2.safetensors\"}}", TERN_ERR_FORMAT,
      "\"y\" is not in s2.safetensors", "[12] a tensor that its shard lacks" },
    { "{\"weight_map\":{\"a\":\"s2.safetensors\",\"b\":\"s1.safetensors\",\"z\":\"s9.safetensors\"}}", TERN_ERR_FORMAT,
      "2 faults|\"a\" is not in s2.safetensors|s9.safetensors", "[12] both at once" },
    { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"x\":\"../../etc/passwd\"}}", TERN_ERR_FORMAT,
      "../../etc/passwd|leads out", "[13] a path that climbs" },
    { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"x\":\"/etc/passwd\"}}", TERN_ERR_FORMAT, "/etc/passwd|leads out",
      "[13] an absolute path" },
    { "{\"weight_map\":{\"x\":\"sub/../../s\"}}", TERN_ERR_FORMAT, "leads out", "[13] climbing from below" },
    { "{\"weight_map\":{\"x\":\"\"}}", TERN_ERR_FORMAT, "leads out", "[13] no name at all" },
    { "{\"weight_map\":{\"x\":\"link\"}}", TERN_ERR_FORMAT, "the shard \"link\" leads out of the directory by a link",
      "[13] a link out of the directory" },
    { "{\"weight_map\":{\"x\":\"fifo\"}}", TERN_ERR_FORMAT, "FIFO", "[13] a FIFO, without waiting on it" },
    { "{\"weight_map\":{\"x\":\"sub\"}}", TERN_ERR_FORMAT, "a directory", "[13] a directory" },
    { "{\"weight_map\":{\"x\":\"s\\u0000.safetensors\"}}", TERN_ERR_FORMAT, "\"x\"|a string, not a file's name",
      "a name that NUL cuts" },
    { "{\"weight_map\":{\"x\":7}}", TERN_ERR_FORMAT, "\"x\"|an integer", "a shard that is no string" },
    { "{\"weight_map\":[]}", TERN_ERR_FORMAT, "weight_map|a list", "a map that is a list" },
    { "{}", TERN_ERR_FORMAT, "weight_map|nothing", "no map" },
    { "[]", TERN_ERR_FORMAT, "weight_map", "no object" },
    { "{\"weight_map\":{\"a\":\"s1.safetensors\",\"a\":\"s2.safetensors\"}}", TERN_ERR_FORMAT,
      "index.json: line 1|duplicate", "[12] a tensor twice in the index" },
    { "{\"weight_map\":", TERN_ERR_FORMAT, "index.json: line 1", "cut text" },
    { "", TERN_ERR_FORMAT, "index.json: an empty file", "[1] an empty index" },
};

static void checks_the_index(void **state)
{
    (void)state;
    char *dir = make_shards(), path[128];
    snprintf(path, sizeof path, "%s/link", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof path, "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/sub", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < sizeof index_rows / sizeof *index_rows; i++) {
        const index_row *row = &index_rows[i];
        tern_checkpoint *c = NULL;
        write_text(dir, index_name, row->index);
        expect_message(tern_checkpoint_open(&message, dir, &c), row->status, row->message, row->why);
        assert_true(!c == (row->status != TERN_OK));
        if (c) assert_int_equal(tern_checkpoint_count(c), 3);
        tern_checkpoint_close(c);
    }
    remove_folder(dir);
}

static void refuses_a_tensor_in_two_shards(void **state)
{
    (void)state;
    char *dir = make_shards();
    tern_checkpoint *c;
    write_safetensors(dir, "s2.safetensors", ONE("a"), 2);
    write_safetensors(dir, "s3.safetensors", TWO("a", "b"), 3);
    write_text(dir, index_name, "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s3.safetensors\"}}");
    expect_message(tern_checkpoint_open(&message, dir, &c), TERN_ERR_FORMAT,
                   "2 faults|\"a\" is in both|\"b\" is in both|s1.safetensors|s3.safetensors", "[12]");
    remove_folder(dir);
}

/* Forty tensors that are not there: as many as fit are named, the others counted. */
static void counts_the_faults_that_do_not_fit(void **state)
{
    (void)state;
    char *dir = make_shards(), text[4096];
    int n = sprintf(text, "{\"weight_map\":{");
    tern_checkpoint *c;
    for (int i = 0; i < 40; i++)
        n += sprintf(text + n, "%s\"model.layers.%d.weight\":\"s1.safetensors\"", i ? "," : "", i);
    strcpy(text + n, "}}");
    write_text(dir, index_name, text);
    expect_message(tern_checkpoint_open(&message, dir, &c), TERN_ERR_FORMAT,
                   "40 faults|\"model.layers.0.weight\"|; and | more", "[12] a long list");
    remove_folder(dir);
}

typedef struct other_row {
    const char *name;
    tern_status status;
    const char *message, *why;
} other_row;

static const other_row other_rows[] = {
    { "pytorch_model.bin", TERN_ERR_UNSUPPORTED, "pytorch_model.bin|pickle|executes", "[17] torch's own format" },
    { "consolidated.00.pth", TERN_ERR_UNSUPPORTED, "pickle", "[17] by its other names" },
    { "model.pt", TERN_ERR_UNSUPPORTED, "pickle", "[17]" },
    { "model.ckpt", TERN_ERR_UNSUPPORTED, "pickle", "[17]" },
    { "pytorch_model.bin.index.json", TERN_ERR_UNSUPPORTED, "index of pickles", "[17] in shards" },
    { "model-q4.gguf", TERN_ERR_UNSUPPORTED, "GGUF", "another format" },
    { "tf_model.h5", TERN_ERR_UNSUPPORTED, "TensorFlow", "another format" },
    { "flax_model.msgpack", TERN_ERR_UNSUPPORTED, "Flax", "another format" },
    { "model-00001-of-00002.safetensors", TERN_ERR_UNSUPPORTED, "no index", "shards whose index is missing" },
    { "config.json", TERN_ERR_IO, "neither model.safetensors nor model.safetensors.index.json", "no weights at all" },
};

static void says_what_it_looked_for(void **state)
{
    (void)state;
    tern_checkpoint *c;
    for (size_t i = 0; i < sizeof other_rows / sizeof *other_rows; i++) {
        char *dir = make_folder();
        write_text(dir, other_rows[i].name, "x");
        expect_message(tern_checkpoint_open(&message, dir, &c), other_rows[i].status, other_rows[i].message,
                       other_rows[i].why);
        remove_folder(dir);
    }
    expect_message(tern_checkpoint_open(&message, "/nonexistent/dir", &c), TERN_ERR_IO,
                   "/nonexistent/dir: No such file", "no such directory");
    char *dir = make_folder();
    write_text(dir, "file", "x");
    char path[128];
    snprintf(path, sizeof path, "%s/file", dir);
    expect_message(tern_checkpoint_open(&message, path, &c), TERN_ERR_FORMAT, "/file: a file, not a directory",
                   "a file in place of a directory");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_message(tern_checkpoint_open(&message, dir, &c), TERN_ERR_FORMAT, "model.safetensors: is a directory",
                   "[13] the file's name is a directory");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    expect_message(tern_checkpoint_open(&message, dir, &c), TERN_ERR_IO, "model.safetensors: No such file",
                   "a link to nothing");
    remove_folder(dir);
}

/* repo/snapshots/rev/shard -> ../../blobs/x, as download caches lay their files out. */
static void follows_the_links_of_a_download_cache(void **state)
{
    (void)state;
    char *repo = make_folder(), dir[128], path[256];
    tern_checkpoint *c;
    static const char *const folders[] = { "blobs", "snapshots", "snapshots/rev" };
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", repo, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(dir, sizeof dir, "%s/snapshots/rev", repo);
    write_safetensors(repo, "blobs/x", ONE("a"), 2);
    snprintf(path, sizeof path, "%s/s1.safetensors", dir);
    assert_int_equal(symlink("../../blobs/x", path), 0);
    write_text(dir, index_name, "{\"weight_map\":{\"a\":\"s1.safetensors\"}}");
    expect_message(tern_checkpoint_open(&message, dir, &c), TERN_OK, NULL, "a link into blobs");
    tern_checkpoint_close(c);
    unlink(path);
    write_safetensors(repo, "outside", ONE("a"), 2);
    assert_int_equal(symlink("../../outside", path), 0);
    expect_message(tern_checkpoint_open(&message, dir, &c), TERN_ERR_FORMAT, "leads out", "[13] a link beside blobs");
    remove_folder(repo);
}

static void explains_every_tensor(void **state)
{
    (void)state;
    char *dir = make_folder();
    tern_checkpoint *c;
    tern_tensor t;
    write_safetensors(dir, "model.safetensors", "{\"h.0.w\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                      "\"h.0.masked_bias\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
                      "\"h.1.w\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[9,10]}}", 10);
    assert_int_equal(tern_checkpoint_open(&message, dir, &c), TERN_OK);
    assert_int_equal(tern_checkpoint_bytes(c), 10);
    assert_string_equal(tern_checkpoint_at(c, 0)->name, "h.0.masked_bias");
    assert_non_null(strstr(tern_checkpoint_path_of(c, 0), "/model.safetensors"));
    expect_message(tern_checkpoint_take(&message, c, "h.2.w", &t), TERN_ERR_FORMAT, "\"h.2.w\" is missing",
                   "a tensor that is not there");
    expect_message(tern_checkpoint_take(&message, c, "h.0.w", &t), TERN_ERR_UNSUPPORTED,
                   "model.safetensors|\"h.0.w\"|F64", "[10] a type that tern has not");
    assert_int_equal(tern_checkpoint_take(&message, c, "h.1.w", &t), TERN_OK);
    assert_true(t.dtype == TERN_I8 && *(const unsigned char *)t.data == 9);
    expect_message(tern_checkpoint_finish(&message, c, NULL, 0), TERN_ERR_FORMAT,
                   "2 faults|\"h.0.masked_bias\"|\"h.0.w\"", "two that were not looked up");
    const char *const ignorable[] = { "x", "h.*.masked_bias" };
    expect_message(tern_checkpoint_finish(&message, c, ignorable, 2), TERN_ERR_FORMAT, "\"h.0.w\"", "one is left");
    assert_null(strstr(tern_ctx_error(&message), "masked"));
    assert_true(tern_checkpoint_mark(c, "h.0.w") && !tern_checkpoint_mark(c, "h.0"));
    assert_true(!tern_checkpoint_used(c, 0) && tern_checkpoint_used(c, 1) && tern_checkpoint_used(c, 2));
    assert_int_equal(tern_checkpoint_finish(&message, c, ignorable, 2), TERN_OK);
    tern_checkpoint_close(c);
    remove_folder(dir);
}

static const struct { const char *pattern, *text; bool match; const char *why; } name_rows[] = {
    { "a.b", "a.b", true, "plain" },          { "a.b", "a.bc", false, "longer text" },
    { "a.bc", "a.b", false, "longer pattern" },
    { "*", "", true, "nothing" },             { "*", "a.b", true, "anything" },
    { "", "", true, "two nothings" },
    { "h.*.bias", "h.12.bias", true, "inside" }, { "h.*.bias", "h.bias", false, "both dots" },
    { "*.bias", "a.bias.bias", true, "the last one counts" },
    { "*a*b*", "xxaxxbxx", true, "several" }, { "*a*b*", "xxbxxaxx", false, "in order" },
    { "a*a", "a", false, "no overlap" },
};

static void matches_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof name_rows / sizeof *name_rows; i++) {
        if (tern_name_matches(name_rows[i].pattern, name_rows[i].text) != name_rows[i].match)
            fail_msg("%s on %s: %s", name_rows[i].pattern, name_rows[i].text, name_rows[i].why);
    }
}

static void notices_changed_files(void **state)
{
    (void)state;
    char *dir = make_shards(), path[128];
    tern_checkpoint *c;
    write_text(dir, index_name, "{\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}");
    snprintf(path, sizeof path, "%s/s2.safetensors", dir);
    assert_int_equal(tern_checkpoint_open(&message, dir, &c), TERN_OK);
    assert_int_equal(tern_checkpoint_unchanged(&message, c), TERN_OK);
    assert_int_equal(truncate(path, 20), 0);
    expect_message(tern_checkpoint_unchanged(&message, c), TERN_ERR_STATE, "s2.safetensors: 20 bytes now",
                   "[14] cut after it was mapped");
    tern_checkpoint_close(c);
    write_safetensors(dir, "s2.safetensors", ONE("c"), 2);
    assert_int_equal(tern_checkpoint_open(&message, dir, &c), TERN_OK);
    const struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    expect_message(tern_checkpoint_unchanged(&message, c), TERN_ERR_STATE, "s2.safetensors: written to",
                   "[15] rewritten in place");
    write_safetensors(dir, "new", ONE("c"), 2);
    char from[128];
    snprintf(from, sizeof from, "%s/new", dir);
    assert_int_equal(rename(from, path), 0);
    expect_message(tern_checkpoint_unchanged(&message, c), TERN_OK, NULL,
                   "[15] another file under the name: what is mapped is whole");
    unlink(path);
    expect_message(tern_checkpoint_unchanged(&message, c), TERN_OK, NULL, "[15] gone: so it is");
    tern_checkpoint_close(c);
    remove_folder(dir);
}

static const struct { const char *name; size_t count, n_bytes; const char *first, *last; } golden_rows[] = {
    { "llama-mha", 21, 262560, "lm_head.weight", "model.norm.weight" },
    { "llama-gqa-tied-llama3rope", 20, 221760, "model.embed_tokens.weight", "model.norm.weight" },
    { "llama-sharded", 30, 237920, "lm_head.weight", "model.norm.weight" },
};

static void opens_what_transformers_wrote(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden_rows / sizeof *golden_rows; i++) {
        char dir[512];
        tern_checkpoint *c;
        snprintf(dir, sizeof dir, "%s/models/%s", TERN_GOLDEN, golden_rows[i].name);
        expect_message(tern_checkpoint_open(&message, dir, &c), TERN_OK, NULL, golden_rows[i].name);
        assert_int_equal(tern_checkpoint_count(c), golden_rows[i].count);
        assert_int_equal(tern_checkpoint_bytes(c), golden_rows[i].n_bytes);
        assert_string_equal(tern_checkpoint_at(c, 0)->name, golden_rows[i].first);
        assert_string_equal(tern_checkpoint_at(c, golden_rows[i].count - 1)->name, golden_rows[i].last);
        assert_int_equal(tern_checkpoint_unchanged(&message, c), TERN_OK);
        tern_checkpoint_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_the_index),
        cmocka_unit_test(refuses_a_tensor_in_two_shards),
        cmocka_unit_test(counts_the_faults_that_do_not_fit),
        cmocka_unit_test(says_what_it_looked_for),
        cmocka_unit_test(follows_the_links_of_a_download_cache),
        cmocka_unit_test(explains_every_tensor),
        cmocka_unit_test(matches_names),
        cmocka_unit_test(notices_changed_files),
        cmocka_unit_test(opens_what_transformers_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
