/* Every allocation fails once: the first, the second, and so on, in each way of opening or writing files. The call then either manages without
 * it or returns TERN_ERR_MEMORY, and nothing is left allocated.
 * Source of the idea: curl's torture tests. */
#include "formats/support.h"

#include "formats/checkpoint.h"
#include "formats/generation_config.h"
#include "formats/rope.h"
#include "torture.h"

static char *folder;

/* A refusal is what these calls end in when nothing fails; taking the file is wrong. */
static tern_status refused_as(tern_status wanted, tern_status st)
{
    return st == wanted ? TERN_OK : st == TERN_OK ? TERN_ERR_STATE : st;
}

static tern_status open_shards(void)
{
    tern_checkpoint *c = NULL;
    tern_status st = tern_checkpoint_open(&words, TERN_GOLDEN "/models/llama-sharded", &c);
    if (!st) st = tern_checkpoint_finish(&words, c, (const char *const[]){ "*" }, 1);
    tern_checkpoint_close(c);
    return st;
}

/* Every tensor is a fault here, so that lists grow. */
static tern_status refuse_tensors(void)
{
    tern_checkpoint *c = NULL;
    tern_status st = tern_checkpoint_open(&words, TERN_GOLDEN "/models/llama-mha", &c);
    if (!st) st = tern_checkpoint_finish(&words, c, NULL, 0);
    tern_checkpoint_close(c);
    return refused_as(TERN_ERR_FORMAT, st);
}

static tern_status refuse_an_index(void)
{
    tern_checkpoint *c = NULL;
    tern_status st = tern_checkpoint_open(&words, folder, &c);
    tern_checkpoint_close(c);
    return refused_as(TERN_ERR_FORMAT, st);
}

static tern_status read_metadata(void)
{
    static const char header[] = "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\",\"e\":\"5\",\"f\":\"6\",\"g\":\"7\",\"h\":\"8\",\"i\":\"9\"}}";
    size_t n;
    tern_safetensors *file = NULL;
    unsigned char *bytes = safetensors_bytes(header, strlen(header), 0, &n);
    tern_status st = tern_safetensors_parse(&words, "x", bytes, n, &file);
    tern_safetensors_close(file);
    free(bytes);
    return st;
}

static tern_status read_config(void)
{
    tern_hf_config *c = NULL;
    tern_rope_plan rope = { 0 };
    tern_hf_generation g;
    float frequencies[8];
    tern_status st = tern_hf_config_open(&words, folder, "config.json", &c);
    if (!st) {
        tern_rope_read(c, &(tern_rope_source){ .theta = 10000, .head_dim = 8, .max_tokens = 4096 }, &rope);
        tern_rope_frequencies(&rope, 9000, frequencies);
        tern_rope_free(&rope);
        st = tern_hf_generation_read(&words, folder, c, 100, &g);
    }
    if (!st) st = tern_hf_finish(c, NULL, 0);
    tern_hf_config_free(c);
    return refused_as(TERN_ERR_UNSUPPORTED, st);
}

static tern_status write_file(void)
{
    static const float numbers[6] = { 1, 2, 3, 4, 5, 6 };
    const struct tern_st_pair pairs[] = { { "format", "pt" } };
    const tern_named_tensor tensors[] = {
        { "a", tern_tensor_of((void *)numbers, TERN_F32, 2, (int64_t[]){ 2, 3 }) },
        { "b", tern_tensor_of((void *)numbers, TERN_F32, 1, (int64_t[]){ 6 }) },
    };
    char path[128];
    tern_safetensors_writer *w = NULL;
    snprintf(path, sizeof path, "%s/out.safetensors", folder);
    tern_status st = tern_safetensors_write_begin(&words, path, tensors, 2, pairs, 1, &w);
    for (size_t i = 0; !st && i < 2; i++) st = tern_safetensors_write_put(&words, w, i, &tensors[i].tensor);
    if (!st) st = tern_safetensors_write_commit(&words, w);
    tern_safetensors_write_close(w);
    return st;
}

static const struct { const char *name; tern_status (*call)(void); size_t least; } calls[] = {
    { "open_shards", open_shards, 100 },   { "refuse_tensors", refuse_tensors, 20 }, { "refuse_an_index", refuse_an_index, 5 },
    { "read_metadata", read_metadata, 4 }, { "read_config", read_config, 40 },       { "write_file", write_file, 20 },
};

static void every_allocation_may_fail(void **state)
{
    (void)state;
    torture_jansson();
    folder = make_folder();
    write_text(folder, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\",\"c\":\"../x\"}}");
    write_text(folder, "config.json", "{\"eos_token_id\":[1,2],\"unknown\":{\"x\":1},\"other\":2,\"original_max_position_embeddings\":512,"
                                      "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1],\"long_factor\":[2,2,2,2]}}");
    write_text(folder, "generation_config.json", "{\"do_sample\":true,\"top_p\":0.9,\"strange\":1}");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        size_t k = 0;
        bool failed = true;
        while (failed) {
            countdown = ++k;
            words.error[0] = 0;
            tern_status st = calls[i].call();
            failed = !countdown;
            countdown = 0;
            if (n_live) fail_msg("%s: %zu allocations are left when the %zuth fails", calls[i].name, n_live, k);
            if (st && (!failed || st != TERN_ERR_MEMORY || !words.error[0])) {
                fail_msg("%s: allocation %zu: %s: %s", calls[i].name, k, tern_status_name(st), words.error);
            }
        }
        print_message("%s: %zu allocations\n", calls[i].name, k - 1);
        assert_true(k - 1 >= calls[i].least);
    }
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_allocation_may_fail) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
