/* Rope: the frequencies that transformers computes for the same keys, and the message for keys that
 * make no sense. */
#include "formats/support.h"

#include <math.h>

#include "base/json.h"
#include "formats/rope.h"

/* Theta's powers are taken in float32 there and in double here: up to ln(theta) x 6e-8 apart, and
 * 3e-6 holds for every theta in use. */
static const double tolerance = 3e-6;

static tern_rope_source source_of(const json_t *source)
{
    return (tern_rope_source){
        .group = json_string_value(json_object_get(source, "group")),
        .theta_key = json_string_value(json_object_get(source, "theta_key")),
        .unscaled = json_is_true(json_object_get(source, "unscaled")),
        .longrope_only = json_is_true(json_object_get(source, "longrope_only")),
        .theta = 10000,
        .head_dim = json_integer_value(json_object_get(source, "head_dim")),
        .max_tokens = json_integer_value(json_object_get(source, "max_tokens")),
    };
}

static void check_case(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name")),
        *why = json_string_value(json_object_get(row, "why"));
    char *text = json_dumps(json_object_get(row, "config"), 0);
    const json_t *wanted = json_object_get(row, "frequencies");
    const double magnitude = json_real_value(json_object_get(row, "magnitude"));
    tern_rope_source source = source_of(json_object_get(row, "source"));
    tern_hf_config *c;
    tern_rope_plan rope;
    float got[64];
    assert_int_equal(tern_hf_config_parse(&message, name, text, strlen(text), &c), TERN_OK);
    tern_rope_read(c, &source, &rope);
    if (tern_hf_faults(c)->count) fail_msg("%s (%s): %s", name, why, tern_hf_faults(c)->sentences[0]);
    assert_int_equal(rope.n_dims / 2, json_array_size(wanted));
    tern_rope_frequencies(&rope, json_integer_value(json_object_get(row, "length")), got);
    for (size_t j = 0; j < json_array_size(wanted); j++) {
        double f = json_number_value(json_array_get(wanted, j));
        if (fabs(got[j] - f) > tolerance * f)
            fail_msg("%s (%s): pair %zu: %.9g instead of %.9g", name, why, j, (double)got[j], f);
    }
    if (fabs(rope.magnitude - magnitude) > 1e-12 * magnitude)
        fail_msg("%s (%s): magnitude %.17g instead of %.17g", name, why, rope.magnitude, magnitude);
    tern_rope_free(&rope);
    tern_hf_config_free(c);
    free(text);
}

static void equals_transformers(void **state)
{
    (void)state;
    json_t *golden, *row;
    size_t i;
    expect_message(tern_json_read(&message, TERN_GOLDEN, "rope/rope.json", 1 << 20, &golden), TERN_OK, NULL,
                   "the recorded cases");
    assert_true(json_array_size(json_object_get(golden, "cases")) >= 20);
    json_array_foreach(json_object_get(golden, "cases"), i, row) check_case(row);
    json_decref(golden);
}

typedef struct bad_row {
    const char *text, *message, *why;
} bad_row;

#define SHORT "\"short_factor\":[1,1,1,1]"

static const bad_row bad_rows[] = {
    { "{\"rope_scaling\":{\"type\":\"ntk\",\"factor\":2}}",
      "\"rope_scaling.type\" is \"ntk\", and must be \"default\"|\"longrope\"", "[20] a type that tern has not" },
    { "{\"rope_parameters\":{\"rope_type\":\"proportional\"}}", "\"rope_parameters.rope_type\" is \"proportional\"",
      "[20] in the new spelling" },
    { "{\"rope_scaling\":{\"type\":3}}", "\"rope_scaling.type\" is 3", "a type that is no string" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"yarn\",\"factor\":2}}", "\"linear\"|\"yarn\"",
      "two spellings that differ" },
    { "{\"rope_scaling\":{\"type\":\"su\"," SHORT ",\"long_factor\":[1,1,1,1]}}",
      "\"su\", which the class of this model does not know", "a name that only Phi-3 has" },
    { "{\"rope_scaling\":{\"type\":\"yarn\"}}", "\"rope_scaling.factor\" is missing",
      "required, and null is another word" },
    { "{\"rope_scaling\":{\"type\":\"linear\"}}", "\"rope_scaling.factor\" is missing", "a factor is required" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", "\"rope_scaling.factor\" is 0", "[19] division by 0" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":-2}}", "\"rope_scaling.factor\" is -2", "a negative factor" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"2\"}}", "\"rope_scaling.factor\" is \"2\"",
      "a factor in quotes" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2,\"finetuned\":true}}",
      "unknown key \"rope_scaling.finetuned\": true", "a key of no type" },
    { "{\"rope_scaling\":{\"type\":\"default\",\"mrope_section\":[1,1,2]}}",
      "unknown key \"rope_scaling.mrope_section\"", "positions in three dimensions" },
    { "{\"rope_scaling\":[2]}", "\"rope_scaling\"", "a list" },
    { "{\"rope_theta\":0}", "\"rope_theta\" is 0", "theta 0" },
    { "{\"rope_theta\":-10000}", "\"rope_theta\" is -10000", "theta below 0" },
    { "{\"rope_theta\":\"1e4\"}", "\"rope_theta\" is \"1e4\"", "theta in quotes" },
    { "{\"rope_theta\":10000,\"rope_parameters\":{\"rope_theta\":20000}}", "20000|10000", "two thetas that differ" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2},\"rope_parameters\":{\"rope_type\":\"default\"}}",
      "\"rope_parameters\" and \"rope_scaling\"|differ", "both spellings, not the same" },
    { "{\"partial_rotary_factor\":1.5}", "\"partial_rotary_factor\" is 1.5", "more than the whole head" },
    { "{\"partial_rotary_factor\":0.4}", "3 of a head's 8", "an odd number of dimensions" },
    { "{\"partial_rotary_factor\":0.1}", "0 of a head's 8", "no dimension" },
    { "{\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}}",
      "high_freq_factor\" 4 is not above", "an empty band" },
    { "{\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8}}",
      "2 faults|low_freq_factor\" is missing|high_freq_factor\" is missing", "required keys" },
    { "{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":0}}",
      "original_max_position_embeddings\" is 0", "a length of 0" },
    { "{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"beta_fast\":1,\"beta_slow\":32}}", "beta_slow\" 32 is above",
      "a ramp that runs backwards" },
    { "{\"rope_theta\":1,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4}}", "yarn needs one above 1",
      "a logarithm of 0 below the line" },
    { "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":0.5}}", "dynamic", "a context that shrinks" },
    { "{\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1]}}", "long_factor\" has 0 numbers",
      "one list is missing" },
    { "{\"rope_scaling\":{\"type\":\"longrope\"," SHORT ",\"long_factor\":[1,1,1]}}",
      "long_factor\" has 3 numbers|4 pairs", "a list too short" },
    { "{\"rope_scaling\":{\"type\":\"longrope\"," SHORT ",\"long_factor\":[1,1,1,1,1]}}",
      "long_factor\" is [1,1,1,1,1]|at most 4", "a list too long" },
    { "{\"rope_scaling\":{\"type\":\"longrope\"," SHORT ",\"long_factor\":[1,1,0,1]}}", "long_factor\" is [1,1,0,1]",
      "division by 0" },
};

/* After a fault the rope is still one that frequencies can be asked of. */
static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        tern_hf_config *c;
        tern_rope_plan rope;
        float frequencies[64];
        assert_int_equal(tern_hf_config_parse(&message, "config.json", bad_rows[i].text, strlen(bad_rows[i].text), &c),
                         TERN_OK);
        tern_rope_read(c, &(tern_rope_source){ .theta = 10000, .head_dim = 8, .max_tokens = 1024 }, &rope);
        tern_rope_frequencies(&rope, 2000, frequencies);
        tern_status st = tern_hf_finish(c, NULL, 0);
        expect_message(st, st ? st : TERN_ERR_FORMAT, bad_rows[i].message, bad_rows[i].why);
        tern_rope_free(&rope);
        tern_hf_config_free(c);
    }
}

static const struct { const char *text, *why; } good_rows[] = {
    { "{}", "nothing said" },
    { "{\"rope_scaling\":null,\"rope_theta\":10000.0}", "null is nothing" },
    { "{\"rope_scaling\":{}}", "an empty object" },
    { "{\"rope_theta\":10000,\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":10000.0}}",
      "twice the same" },
    { "{\"rope_scaling\":{\"rope_type\":\"default\"},\"rope_parameters\":{\"rope_type\":\"default\"}}",
      "both spellings, the same" },
    { "{\"rope_scaling\":{\"type\":\"linear\",\"rope_type\":\"linear\",\"factor\":2}}", "both names of the type" },
    { "{\"original_max_position_embeddings\":4096}", "Phi-3 without scaling" },
    { "{\"rope_scaling\":{\"type\":\"default\",\"factor\":4,\"beta_fast\":32}}",
      "keys of other types, which have no effect" },
    { "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4,\"original_max_position_embeddings\":32,"
      "\"low_freq_factor\":1}}", "the same" },
    { "{\"rope_scaling\":{\"type\":\"longrope\"," SHORT
      ",\"long_factor\":[1,1,1,1]},\"original_max_position_embeddings\":512}", "a length beside the description" },
    { "{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":null,\"original_max_position_embeddings\":512}}",
      "a factor that the lengths give" },
};

static void leaves_nothing_unexplained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_rows / sizeof *good_rows; i++) {
        tern_hf_config *c;
        tern_rope_plan rope;
        assert_int_equal(tern_hf_config_parse(&message, "config.json", good_rows[i].text, strlen(good_rows[i].text),
                                              &c), TERN_OK);
        tern_rope_read(c, &(tern_rope_source){ .theta = 10000, .head_dim = 8, .max_tokens = 1024 }, &rope);
        expect_message(tern_hf_finish(c, NULL, 0), TERN_OK, NULL, good_rows[i].why);
        tern_rope_free(&rope);
        tern_hf_config_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_transformers),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(leaves_nothing_unexplained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
