/* A thousand damaged copies of a checkpoint, by seed: cut, flipped, overwritten, with pieces taken
 * out, put in or doubled. Each either opens, and then every byte of every tensor can be read, or is
 * refused in one sentence. The sanitizers watch. */
#include "formats/support.h"

#include <utf8proc.h>

#include "formats/checkpoint.h"
#include "formats/generation_config.h"
#include "formats/rope.h"

enum { N_COPIES = 1000 };

/* xorshift64*: the same copies on every machine. */
static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545F4914F6CDD1D;
}

static size_t below(uint64_t *seed, size_t n)
{
    return n ? (size_t)(next(seed) >> 16) % n : 0;
}

typedef struct original {
    const char *model, *name;
    size_t head;    /* the first bytes, which take most of the damage; 0: all alike */
} original;

static const original originals[] = {
    { "llama-mha", "model.safetensors", 2000 },      { "llama-mha", "config.json", 0 },
    { "llama-mha", "generation_config.json", 0 },    { "llama-sharded", "model.safetensors.index.json", 0 },
    { "llama-sharded", "model-00002-of-00005.safetensors", 800 }, { "llama-gqa-tied-llama3rope", "config.json", 0 },
};

/* Bytes that JSON and numbers turn on. */
static const char telling[] = "{}[]\",:\\0919-.eE+tfnu \n\x00\x80\xC3\xFF";

static void damage(uint64_t *seed, unsigned char *bytes, size_t *n, size_t head)
{
    size_t reach = head && below(seed, 4) && head < *n ? head : *n, at = below(seed, reach),
        length = 1 + below(seed, below(seed, 2) ? 4 : 40);
    if (length > *n - at) length = *n - at;
    switch (below(seed, 7)) {
    case 0: *n = at; break;
    case 1:
        if (at < *n) bytes[at] ^= (unsigned char)(1u << below(seed, 8));
        break;
    case 2:
        for (size_t i = 0; i < length; i++) bytes[at + i] = (unsigned char)next(seed);
        break;
    case 3:
        for (size_t i = 0; i < length; i++) bytes[at + i] = (unsigned char)telling[below(seed, sizeof telling - 1)];
        break;
    case 4:
        memmove(bytes + at, bytes + at + length, *n - at - length);
        *n -= length;
        break;
    case 5:
        memmove(bytes + at + length, bytes + at, *n - at);
        *n += length;
        break;
    default:
        for (size_t i = at; i < *n && i < at + 200; i++) {
            if (bytes[i] >= '0' && bytes[i] <= '9') {
                bytes[i] = (unsigned char)('0' + below(seed, 10));
                break;
            }
        }
    }
}

static unsigned sum_of_all(const tern_checkpoint *c)
{
    unsigned sum = 0;
    for (size_t i = 0; i < tern_checkpoint_count(c); i++) {
        const tern_stored *t = tern_checkpoint_at(c, i);
        for (size_t b = 0; b < t->n_bytes; b++) sum += t->data[b];
    }
    return sum;
}

static tern_status read_config(const char *dir)
{
    static const char *const acts[] = { "silu", "gelu" };
    static const char *const sizes[] = { "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                         "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings" };
    tern_hf_config *c = NULL;
    tern_rope_plan rope;
    tern_hf_generation g;
    int64_t value[8] = { 0 };
    double eps;
    bool flag;
    int act;
    float frequencies[64];
    tern_status st = tern_hf_config_open(&message, dir, "config.json", &c);
    if (st) return st;
    for (int i = 0; i < 8; i++) tern_hf_int(c, sizes[i], 1, 1 << 20, &value[i]);
    tern_hf_need_choice(c, "hidden_act", acts, 2, &act);
    tern_hf_need_number(c, "rms_norm_eps", 0, 1, &eps);
    tern_hf_bool(c, "attention_bias", &flag);
    tern_hf_bool(c, "mlp_bias", &flag);
    tern_hf_bool(c, "tie_word_embeddings", &flag);
    tern_rope_read(c, &(tern_rope_source){ .theta = 10000, .head_dim = 8, .max_tokens = value[7] > 1 ? value[7] : 2 },
                   &rope);
    tern_rope_frequencies(&rope, 100000, frequencies);
    tern_rope_free(&rope);
    st = tern_hf_generation_read(&message, dir, c, value[6], &g);
    if (!st) st = tern_hf_finish(c, NULL, 0);
    tern_hf_config_free(c);
    return st;
}

/* One sentence: there, on one line, and valid UTF-8 to its end. */
static void expect_sentence(uint64_t copy, tern_status st)
{
    const char *sentence = tern_ctx_error(&message);
    bool fine = *sentence && !strchr(sentence, '\n');
    for (const char *p = sentence; fine && *p;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)p, -1, &c);
        fine = n > 0;
        p += n;
    }
    if (!fine) fail_msg("copy %llu: %s: \"%s\"", (unsigned long long)copy, tern_status_name(st), sentence);
}

/* Returns whether both the weights and the config were taken. */
static bool try_copy(uint64_t copy, const char *dir)
{
    tern_checkpoint *c = NULL;
    static volatile unsigned sink;    /* keeps the sum from being left out */
    message.error[0] = 0;
    tern_status weights = tern_checkpoint_open(&message, dir, &c);
    if (weights) expect_sentence(copy, weights);
    else sink = sink + sum_of_all(c);
    tern_checkpoint_close(c);
    message.error[0] = 0;
    tern_status config = read_config(dir);
    if (config) expect_sentence(copy, config);
    return !weights && !config;
}

static void copy_folder(const char *from, const char *to)
{
    char command[600];
    snprintf(command, sizeof command, "cp -r '%s/models/%s/.' '%s'", TERN_GOLDEN, from, to);
    assert_int_equal(system(command), 0);
}

static void damaged_copies_are_taken_or_refused(void **state)
{
    (void)state;
    const size_t n_originals = sizeof originals / sizeof *originals;
    unsigned taken = 0, refused = 0;
    for (size_t o = 0; o < n_originals; o++) {
        char *dir = make_folder(), source[512];
        size_t n_whole;
        snprintf(source, sizeof source, "%s/models/%s", TERN_GOLDEN, originals[o].model);
        copy_folder(originals[o].model, dir);
        char *whole = read_bytes(source, originals[o].name, &n_whole);
        unsigned char *bytes = malloc(n_whole + 256);
        assert_non_null(bytes);
        if (!try_copy(0, dir)) fail_msg("the undamaged %s: %s", originals[o].model, tern_ctx_error(&message));
        for (uint64_t copy = o; copy < N_COPIES; copy += n_originals) {
            uint64_t seed = 0x9E3779B97F4A7C15 * (copy + 1);
            size_t n = n_whole;
            memcpy(bytes, whole, n_whole);
            for (size_t times = 1 + below(&seed, 3); times; times--) damage(&seed, bytes, &n, originals[o].head);
            write_bytes(dir, originals[o].name, bytes, n);
            if (try_copy(copy, dir)) taken++;
            else refused++;
        }
        free(bytes);
        free(whole);
        remove_folder(dir);
    }
    print_message("%u taken, %u refused\n", taken, refused);
    assert_true(taken > 20 && refused > 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(damaged_copies_are_taken_or_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
