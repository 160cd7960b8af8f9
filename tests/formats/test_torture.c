/* Every allocation fails once: the first, the second, and so on, in each way of opening or writing
 * files. The call then either manages without it or returns TERN_ERR_MEMORY, and nothing is left
 * allocated.
 * Source of the idea: curl's torture tests. */
#include "formats/support.h"

#include "base/model_folder.h"
#include "formats/checkpoint.h"
#include "formats/generation_config.h"
#include "formats/rope.h"
#include "formats/sentence.h"
#include "torture.h"

static char *folder;

/* A refusal is what these calls end in when nothing fails; taking the file is wrong. */
static tern_status refused_as(tern_status wanted, tern_status st)
{
    if (st == wanted) return TERN_OK;
    if (st == TERN_OK) return TERN_ERR_STATE;
    return st;
}

static tern_status open_shards(void)
{
    tern_checkpoint *c = NULL;
    tern_status st = tern_checkpoint_open(&message, TERN_GOLDEN "/models/llama-sharded", &c);
    if (!st) st = tern_checkpoint_finish(&message, c, (const char *const[]){ "*" }, 1);
    tern_checkpoint_close(c);
    return st;
}

/* Every tensor is a fault here, so that lists grow. */
static tern_status refuse_tensors(void)
{
    tern_checkpoint *c = NULL;
    tern_status st = tern_checkpoint_open(&message, TERN_GOLDEN "/models/llama-mha", &c);
    if (!st) st = tern_checkpoint_finish(&message, c, NULL, 0);
    tern_checkpoint_close(c);
    return refused_as(TERN_ERR_FORMAT, st);
}

static tern_status refuse_an_index(void)
{
    tern_checkpoint *c = NULL;
    tern_status st = tern_checkpoint_open(&message, folder, &c);
    tern_checkpoint_close(c);
    return refused_as(TERN_ERR_FORMAT, st);
}

static tern_status read_metadata(void)
{
    static const char header[] = "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\",\"d\":\"4\",\"e\":\"5\","
                                 "\"f\":\"6\",\"g\":\"7\",\"h\":\"8\",\"i\":\"9\"}}";
    size_t n;
    tern_safetensors *file = NULL;
    unsigned char *bytes = safetensors_bytes(header, strlen(header), 0, &n);
    tern_status st = tern_safetensors_parse(&message, "x", bytes, n, &file);
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
    tern_status st = tern_hf_config_open(&message, folder, "config.json", &c);
    if (!st) {
        tern_rope_read(c, &(tern_rope_source){ .theta = 10000, .head_dim = 8, .max_tokens = 4096 }, &rope);
        tern_rope_frequencies(&rope, 9000, frequencies);
        tern_rope_free(&rope);
        st = tern_hf_generation_read(&message, folder, c, 100, &g);
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
    tern_status st = tern_safetensors_write_begin(&message, path, tensors, 2, pairs, 1, &w);
    for (size_t i = 0; !st && i < 2; i++) st = tern_safetensors_write_put(&message, w, i, &tensors[i].tensor);
    if (!st) st = tern_safetensors_write_commit(&message, w);
    tern_safetensors_write_close(w);
    return st;
}

#define MODULE(kind, path, name) \
    "{\"name\":\"" name "\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models." kind "\"}"

/* A list of modules with weights, prompts and settings of each kind. */
static void write_sentence(void)
{
    static const char header[] = "{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                                 "\"linear.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}}";
    char command[256];
    size_t n;
    unsigned char *weights = safetensors_bytes(header, strlen(header), 32, &n);
    snprintf(command, sizeof command, "mkdir '%s/1_Pooling' '%s/2_Dense' '%s/4_Dropout'", folder, folder, folder);
    assert_int_equal(system(command), 0);
    write_text(folder, "modules.json", "[" MODULE("Transformer", "", "0") "," MODULE("Pooling", "1_Pooling", "1") ","
               MODULE("Dense", "2_Dense", "2") "," MODULE("Normalize", "3_Normalize", "3") ","
               MODULE("Dropout", "4_Dropout", "4") "]");
    write_text(folder, "1_Pooling/config.json", "{\"embedding_dimension\":3,\"pooling_mode\":[\"mean\",\"cls\"]}");
    write_text(folder, "2_Dense/config.json", "{\"in_features\":3,\"out_features\":2,\"other\":1}");
    write_bytes(folder, "2_Dense/model.safetensors", weights, n);
    write_text(folder, "4_Dropout/config.json", "{\"dropout\":0.1}");
    write_text(folder, "sentence_bert_config.json", "{\"do_lower_case\":true,\"model_args\":{\"dtype\":\"auto\"}}");
    write_text(folder, "tokenizer_config.json", "{\"model_max_length\":12}");
    write_text(folder, "config_sentence_transformers.json",
               "{\"prompts\":{\"a\":\"b\"},\"default_prompt_name\":\"a\",\"similarity_fn_name\":\"dot\"}");
    free(weights);
}

static tern_status read_sentence(void)
{
    tern_sentence s;
    char *dir;
    tern_status st = tern_model_folder(&message, folder, &dir);
    if (st) return st;
    st = tern_sentence_read(&message, dir, &s);
    tern_free(dir);
    if (st) return st;
    assert_int_equal(s.n_module, 3);
    assert_int_equal(s.max_tokens, 12);
    assert_string_equal(s.default_prompt, "a");
    tern_sentence_free(&s);
    return TERN_OK;
}

static const struct { const char *name; tern_status (*call)(void); size_t least; } calls[] = {
    { "open_shards", open_shards, 100 },   { "refuse_tensors", refuse_tensors, 20 },
    { "refuse_an_index", refuse_an_index, 5 },
    { "read_metadata", read_metadata, 4 }, { "read_config", read_config, 40 },       { "write_file", write_file, 20 },
    { "read_sentence", read_sentence, 100 },
};

static void every_allocation_may_fail(void **state)
{
    (void)state;
    torture_jansson();
    folder = make_folder();
    write_text(folder, "model.safetensors.index.json",
               "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\",\"c\":\"../x\"}}");
    write_text(folder, "config.json",
               "{\"eos_token_id\":[1,2],\"unknown\":{\"x\":1},\"other\":2,\"original_max_position_embeddings\":512,"
               "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1],\"long_factor\":[2,2,2,2]}}");
    write_text(folder, "generation_config.json", "{\"do_sample\":true,\"top_p\":0.9,\"strange\":1}");
    write_sentence();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        size_t k = 0;
        bool failed = true;
        while (failed) {
            countdown = ++k;
            message.error[0] = 0;
            tern_status st = calls[i].call();
            failed = !countdown;
            countdown = 0;
            if (n_live) fail_msg("%s: %zu allocations are left when the %zuth fails", calls[i].name, n_live, k);
            if (st && (!failed || st != TERN_ERR_MEMORY || !message.error[0])) {
                fail_msg("%s: allocation %zu: %s: %s", calls[i].name, k, tern_status_name(st), message.error);
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
