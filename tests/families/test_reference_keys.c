/* The table of keys that Hugging Face's classes know: its order, what a look-up finds, and that
 * each model_type of a family is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "families/family.h"
#include "families/reference_keys.h"
#include "formats/checkpoint.h"
#include "formats/hf_config.h"

typedef struct row {
    const char *model_type, *key, *fallback;
    enum { ABSENT, KNOWN, READ } as;
    const char *why;
} row;

static const row rows[] = {
    { "llama", "rms_norm_eps", "1e-06", READ, "the class's own" },
    { "llama", "use_cache", "true", KNOWN, "known, and without effect on a result" },
    { "llama", "bos_token_id", "1", KNOWN, "the class's default goes before the shared one" },
    { "bert", "bos_token_id", "null", KNOWN, "the shared one, where the class has none" },
    { "llama", "rope_scaling.factor", NULL, READ, "of a rope" },
    { "bert", "rope_scaling.factor", NULL, ABSENT, "no rope" },
    { "llama", "rope_parameters.full_attention.factor", NULL, ABSENT, "one rope for all layers" },
    { "gemma3_text", "rope_parameters.full_attention.factor", NULL, READ, "a rope for each type of layer" },
    { "gemma3_text", "rope_theta", "1000000.0", READ, "an older version's key" },
    { "llama", "rope_theta", "10000.0", READ, "an older version's key" },
    { "mixtral", "rope_theta", "1000000.0", READ, "not every class has the same" },
    { "qwen2", "is_causal", "true", READ, "what masks look at" },
    { "llama", "quantization_config", "null", READ, "what loading looks at" },
    { "gpt2", "n_embd", "768", READ, "a name of its own" },
    { "gpt2", "hidden_size", NULL, READ, "the common name of n_embd" },
    { "phi", "rope_parameters.partial_rotary_factor", NULL, READ, "a share of the head" },
    { "mpt", "attn_config.clip_qkv", "null", READ, "a part of the config" },
    { "mpt", "attn_config.alibi_bias_max", "8", KNOWN, "known, and the code never reads it" },
    { "RefinedWeb", "multi_query", "true", READ, "the older name of falcon" },
    { "gpt_oss", "hidden_act", "\"silu\"", KNOWN, "its experts have an activation of their own" },
    { "llama", "partial_rotary_factor", "null", READ, "what a class with a rope does with a key that it has not" },
    { "llama", "text_config", NULL, READ, "a part that goes before the whole" },
    { "bert", "position_embedding_type", "\"absolute\"", READ, "older versions read it" },
    { "llama", "no_such_key", NULL, ABSENT, "in no version" },
};

static void a_look_up_finds_what_the_class_has(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        const tern_reference_class *c = tern_reference_class_of(r->model_type);
        if (!c) fail_msg("%s is missing", r->model_type);
        const tern_reference_key *k = tern_reference_key_of(c, r->key);
        if (r->as == ABSENT ? k != NULL : !k || k->read != (r->as == READ))
            fail_msg("%s, %s: %s", r->model_type, r->key, r->why);
        const char *fallback = k ? k->fallback : NULL;
        if (r->fallback ? !fallback || strcmp(fallback, r->fallback) : fallback != NULL)
            fail_msg("%s, %s: the default is %s", r->model_type, r->key, fallback ? fallback : "none");
    }
    assert_null(tern_reference_class_of("heron"));
    assert_null(tern_reference_class_of(NULL));
    assert_null(tern_reference_class_of(""));
    assert_null(tern_reference_key_of(NULL, "rms_norm_eps"));
}

static void keys_are_sorted_and_differ(void **state)
{
    (void)state;
    for (size_t f = 0; tern_family_at(f); f++) {
        for (const tern_reference_class *c = tern_reference_class_of(tern_family_at(f)->model_type[0]); c; c =
            c->base) {
            assert_true(c->n_key > 0);
            for (size_t i = 1; i < c->n_key; i++)
                if (strcmp(c->keys[i - 1].key, c->keys[i].key) >= 0)
                    fail_msg("%s: %s, %s", c->model_type, c->keys[i - 1].key, c->keys[i].key);
        }
    }
}

/* Megatron-LM's is no class of Hugging Face's. */
static void each_family_is_there(void **state)
{
    (void)state;
    for (size_t f = 0; tern_family_at(f); f++) {
        const tern_family *family = tern_family_at(f);
        for (size_t i = 0; i < sizeof family->model_type / sizeof *family->model_type && family->model_type[i]; i++)
            if (strcmp(family->name, "megatron_gpt") && !tern_reference_class_of(family->model_type[i]))
                fail_msg("%s is missing", family->model_type[i]);
    }
}

/* hf_ignorable.c's rows and the table agree: what is passed over with any value, no class reads,
 * but for keys that tern asks for itself. */
static void what_is_passed_over_is_not_read(void **state)
{
    static const char *const asked[] = { "pad_token_id", "num_labels", "id2label" };
    (void)state;
    for (size_t i = 0; i < tern_hf_n_ignorables; i++) {
        const tern_hf_ignorable *r = &tern_hf_ignorables[i];
        bool own = r->only != NULL;
        for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) own = own || !strcmp(asked[k], r->key);
        for (size_t f = 0; !own && tern_family_at(f); f++)
            for (const tern_reference_class *c = tern_reference_class_of(tern_family_at(f)->model_type[0]); c; c =
                c->base)
                for (size_t k = 0; k < c->n_key; k++)
                    if (c->keys[k].read && tern_name_matches(r->key, c->keys[k].key))
                        fail_msg("%s: %s", c->model_type, c->keys[k].key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_up_finds_what_the_class_has),
        cmocka_unit_test(keys_are_sorted_and_differ),
        cmocka_unit_test(each_family_is_there),
        cmocka_unit_test(what_is_passed_over_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
