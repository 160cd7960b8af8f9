/* config.json and generation_config.json: typed values, the message of every refusal, and that no
 * key goes unexplained. Numbers in brackets are the cases of the list of bad inputs that a row
 * stands for. */
#include "formats/support.h"

#include <math.h>

#include "formats/generation_config.h"
#include "formats/rope.h"

static tern_hf_config *parse(const char *text)
{
    tern_hf_config *c = NULL;
    expect_message(tern_hf_config_parse(&message, "config.json", text, strlen(text), &c), TERN_OK, NULL, text);
    return c;
}

typedef struct text_row {
    const char *text;
    tern_status status;
    const char *message, *why;
} text_row;

static const text_row text_rows[] = {
    { "", TERN_ERR_FORMAT, "config.json: line 1", "an empty file" },
    { "[]", TERN_ERR_FORMAT, "config.json: a list, not an object", "a list" },
    { "{\"a\":1,\"a\":1}", TERN_ERR_FORMAT, "column 8|duplicate of the key \"a\"", "a key twice" },
    { "{\"a\":\"\xFF\"}", TERN_ERR_FORMAT, "byte 0xff", "a stray byte" },
    { "{\"a\":1}x", TERN_ERR_FORMAT, "column 8|nothing behind", "text behind it" },
};

static void refuses_text_that_is_no_config(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof text_rows / sizeof *text_rows; i++) {
        tern_hf_config *c;
        expect_message(tern_hf_config_parse(&message, "config.json", text_rows[i].text, strlen(text_rows[i].text), &c),
                       text_rows[i].status, text_rows[i].message, text_rows[i].why);
    }
    size_t n = 1000000;
    char *deep = malloc(n);
    tern_hf_config *c;
    assert_non_null(deep);
    memset(deep, '[', n);
    expect_message(tern_hf_config_parse(&message, "config.json", deep, n, &c), TERN_ERR_FORMAT, "depth",
                   "[5] a million levels");
    free(deep);
}

typedef enum kind { INT, NEED_INT, NUMBER, NEED_NUMBER, BOOLEAN, WORD, NEED_WORD, STRING, INTS, NUMBERS, WORDS } kind;

typedef struct value_row {
    const char *text;
    kind kind;             /* how "k" is read: integers 1..100, numbers 0..1, names silu and gelu */
    bool found;
    double value;          /* what the caller's variable then holds: it was -7 */
    const char *message, *why;
} value_row;

static const value_row value_rows[] = {
    { "{\"k\":1}", INT, true, 1, NULL, "the lowest" },
    { "{\"k\":100}", INT, true, 100, NULL, "the highest" },
    { "{}", INT, false, -7, NULL, "absent: the default stays" },
    { "{\"k\":null}", INT, false, -7, NULL, "null counts as absent" },
    { "{\"k\":0}", INT, false, -7, "\"k\" is 0, and must be an integer from 1 to 100", "[19] below" },
    { "{\"k\":-1}", INT, false, -7, "\"k\" is -1", "[19] negative" },
    { "{\"k\":1099511627776}", INT, false, -7, "\"k\" is 1099511627776", "[19] 2^40" },
    { "{\"k\":1000000000}", NEED_INT, false, -7, "\"k\" is 1000000000", "[19] 10^9" },
    { "{\"k\":1000000000000000019884624838656}", INT, false, -7, "\"k\" is 1e30, and must be an integer",
      "an integer beyond 64 bits" },
    { "{\"k\":5.0}", INT, false, -7, "\"k\" is 5.0", "a number with a point is no integer" },
    { "{\"k\":\"5\"}", INT, false, -7, "\"k\" is \"5\"", "a string" },
    { "{\"k\":true}", INT, false, -7, "\"k\" is true", "a boolean" },
    { "{\"k\":[5]}", INT, false, -7, "\"k\" is [5]", "a list" },
    { "{}", NEED_INT, false, -7, "\"k\" is missing, and must be an integer", "required" },
    { "{\"k\":null}", NEED_INT, false, -7, "\"k\" is missing", "required, and null is absent" },
    { "{\"k\":1e-5}", NUMBER, true, 1e-5, NULL, "a number" },
    { "{\"k\":1}", NUMBER, true, 1, NULL, "an integer is a number too" },
    { "{\"k\":1.5}", NUMBER, false, -7, "\"k\" is 1.5, and must be a number from 0 to 1", "out of range" },
    { "{\"k\":-1e308}", NUMBER, false, -7, "\"k\" is -1e308", "far out of range" },
    { "{\"k\":Infinity}", NUMBER, false, -7, "\"k\" is Infinity, and must be a number from 0 to 1", "infinite" },
    { "{\"k\":NaN}", NUMBER, false, -7, "\"k\" is NaN, and must be a number", "no number" },
    { "{\"k\":\"1\"}", NUMBER, false, -7, "\"k\" is \"1\"", "a string" },
    { "{}", NEED_NUMBER, false, -7, "\"k\" is missing", "required" },
    { "{\"k\":true}", BOOLEAN, true, 1, NULL, "true" },
    { "{\"k\":false}", BOOLEAN, true, 0, NULL, "false" },
    { "{\"k\":1}", BOOLEAN, false, -7, "\"k\" is 1, and must be true or false", "1 is not true" },
    { "{\"k\":\"gelu\"}", WORD, true, 1, NULL, "the second word" },
    { "{\"k\":\"relu\"}", WORD, false, -7, "\"k\" is \"relu\", and must be \"silu\" or \"gelu\"",
      "[20] an unknown activation" },
    { "{\"k\":\"gelu\\u0000x\"}", WORD, false, -7, "\"k\" is", "NUL does not end a word" },
    { "{\"k\":3}", WORD, false, -7, "\"k\" is 3", "a number" },
    { "{}", NEED_WORD, false, -7, "\"k\" is missing, and must be \"silu\" or \"gelu\"", "required" },
    { "{\"k\":\"x\"}", STRING, true, -7, NULL, "any string" },
    { "{\"k\":\"a\\u0000b\"}", STRING, false, -7, "must be a string", "a string with NUL" },
    { "{\"k\":[3,4]}", INTS, true, 3, NULL, "a list" },
    { "{\"k\":9}", INTS, true, 9, NULL, "one integer is a list of one" },
    { "{\"k\":[]}", INTS, true, -7, NULL, "an empty list" },
    { "{\"k\":[1,2,3,4,5]}", INTS, false, -7, "at most 4", "longer than the caller's array" },
    { "{\"k\":[1,\"2\"]}", INTS, false, -7, "\"k\" is [1,\"2\"]", "one that is no integer" },
    { "{\"k\":[1,0]}", INTS, false, -7, "from 1 to 100", "one out of range" },
    { "{\"k\":0}", INTS, false, -7, "\"k\" is 0", "a single one out of range" },
    { "{\"k\":{}}", INTS, false, -7, "\"k\" is {}", "an object" },
    { "{\"k\":[0.25,1]}", NUMBERS, true, 0.25, NULL, "a list of numbers" },
    { "{\"k\":[0.25,2]}", NUMBERS, false, -7, "from 0 to 1", "one out of range" },
    { "{\"k\":0.25}", NUMBERS, false, -7, "a list", "a number alone" },
    { "{\"k\":[\"gelu\",\"silu\"]}", WORDS, true, 1, NULL, "a list of names" },
    { "{\"k\":[\"gelu\",\"relu\"]}", WORDS, false, -7, "\"silu\" or \"gelu\"", "[20] one unknown" },
};

static bool read_value(tern_hf_config *c, kind k, double *value)
{
    static const char *const acts[] = { "silu", "gelu" };
    int64_t whole[4] = { -7 };
    double numbers[4] = { -7 };
    int index[4] = { -7 };
    bool flag = false, found = false;
    size_t count = 0;
    const char *text;
    switch (k) {
    case INT: found = tern_hf_int(c, "k", 1, 100, whole); break;
    case NEED_INT: found = tern_hf_need_int(c, "k", 1, 100, whole); break;
    case NUMBER: found = tern_hf_number(c, "k", 0, 1, numbers); break;
    case NEED_NUMBER: found = tern_hf_need_number(c, "k", 0, 1, numbers); break;
    case BOOLEAN: found = tern_hf_bool(c, "k", &flag); break;
    case WORD: found = tern_hf_choice(c, "k", acts, 2, index); break;
    case NEED_WORD: found = tern_hf_need_choice(c, "k", acts, 2, index); break;
    case STRING: found = tern_hf_string(c, "k", &text); break;
    case INTS: found = tern_hf_ints(c, "k", 1, 100, whole, 4, &count); break;
    case NUMBERS: found = tern_hf_numbers(c, "k", 0, 1, numbers, 4, &count); break;
    case WORDS: found = tern_hf_choices(c, "k", acts, 2, index, 4, &count); break;
    }
    if (k == BOOLEAN && found) *value = flag;
    else if (k == NUMBER || k == NEED_NUMBER || k == NUMBERS) *value = numbers[0];
    else if (k == WORD || k == NEED_WORD || k == WORDS) *value = index[0];
    else *value = (double)whole[0];
    return found;
}

static void reads_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof value_rows / sizeof *value_rows; i++) {
        const value_row *row = &value_rows[i];
        tern_hf_config *c = parse(row->text);
        double value;
        if (read_value(c, row->kind, &value) != row->found) fail_msg("%s: found or not: %s", row->text, row->why);
        if (value != row->value) fail_msg("%s: %g instead of %g: %s", row->text, value, row->value, row->why);
        tern_status st = tern_hf_finish(c, NULL, 0);
        if (row->message) expect_message(st, st ? st : TERN_ERR_FORMAT, row->message, row->why);
        else expect_message(st, TERN_OK, NULL, row->why);
        tern_hf_config_free(c);
    }
}

typedef struct key_row {
    const char *text;
    const char *asked[3];
    const char *message;      /* null: everything is explained */
    const char *why;
} key_row;

static const key_row key_rows[] = {
    { "{\"a\":1,\"b\":2}", { "a", "b" }, NULL, "both asked for" },
    { "{\"a\":1,\"b\":2}", { "a" }, "unknown key \"b\": 2", "one not" },
    { "{\"a\":1,\"b\":2,\"c\":{\"d\":1}}", { NULL }, "3 faults|\"a\": 1|\"b\": 2|\"c\": {\"d\":1}",
      "all are named at once, an object as a whole" },
    { "{\"a\":null,\"b\":{\"c\":null}}", { "b.c" }, NULL, "null needs no explanation" },
    { "{\"r\":{\"x\":1,\"y\":2}}", { "r.x", "r.y" }, NULL, "by path" },
    { "{\"r\":{\"x\":1,\"y\":2}}", { "r.x" }, "unknown key \"r.y\": 2", "the rest of an object that was looked into" },
    { "{\"r\":{\"x\":1,\"y\":2}}", { "r" }, NULL, "as a whole" },
    { "{\"r\":{\"x\":{\"z\":1}}}", { "r.x.z" }, NULL, "two levels down" },
    { "{\"r\":{\"x\":{\"z\":1,\"w\":2}}}", { "r.x.z" }, "\"r.x.w\"", "two levels down, one left" },
    { "{\"r.x\":1}", { "r.x" }, "unknown key \"r.x\"", "a key with a dot is no path" },
    { "{\"r\":5}", { "r.x" }, "unknown key \"r\": 5", "a path through what is no object" },
    { "{\"text_config\":{\"a\":1},\"a\":1}", { "a" }, NULL, "inner and outer say the same" },
    { "{\"text_config\":{\"a\":1},\"a\":2}", { "a" }, "unknown key \"a\": 2",
      "inner and outer differ: the inner one holds" },
    { "{\"text_config\":{\"a\":1,\"b\":2}}", { "a" }, "unknown key \"text_config.b\": 2",
      "one inside that was not looked up" },
    { "{\"text_config\":{\"hidden_dropout\":0.1,\"a\":1}}", { "a" }, NULL, "inert keys inside" },
    { "{\"text_config\":{\"r\":{\"x\":1,\"y\":2}}}", { "r.x" }, "\"text_config.r.y\"", "a path inside" },
    { "{\"text_config\":3}", { NULL }, "\"text_config\": 3", "not the inner part but a key" },
    { "{\"vision_config\":{\"a\":1}}", { "a" }, "\"vision_config\"", "another tower" },
    { "{\"auto_map\":{\"AutoModel\":\"modeling.Model\"},\"trust_remote_code\":true}", { NULL }, NULL,
      "[21] code is named and never executed" },
    { "{\"transformers_version\":\"4.46.0\",\"torch_dtype\":\"float32\",\"use_cache\":true,\"initializer_range\":0.02,"
      "\"resid_pdrop\":0.1,\"id2label\":{\"0\":\"x\"}}", { NULL }, NULL, "without effect" },
    { "{\"prefix\":\"</s>\",\"transformers.js_config\":{\"dtype\":{\"q4\":\"float16\"}}}", { NULL }, NULL,
      "of OPT and SmolLM, without effect; one with a dot" },
    { "{\"no_repeat_ngram_size\":0,\"add_cross_attention\":false,\"pruned_heads\":{},\"min_length\":0.0}", { NULL },
      NULL, "at the values that have none" },
    { "{\"no_repeat_ngram_size\":3}", { NULL }, "\"no_repeat_ngram_size\": 3", "at one that has" },
    { "{\"add_cross_attention\":true,\"is_decoder\":true,\"is_encoder_decoder\":true}", { NULL }, "2 faults",
      "at others that have" },
    { "{\"pruned_heads\":{\"0\":[1]}}", { NULL }, "\"pruned_heads\"", "heads that are gone" },
    { "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}", { NULL },
      "\"quantization_config\": {\"quant_method\":\"gptq\",\"bits\":4}", "quantized by others" },
};

static void explains_every_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key_rows / sizeof *key_rows; i++) {
        const key_row *row = &key_rows[i];
        tern_hf_config *c = parse(row->text);
        for (int k = 0; k < 3 && row->asked[k]; k++) tern_hf_value(c, row->asked[k]);
        expect_message(tern_hf_finish(c, NULL, 0), row->message ? TERN_ERR_UNSUPPORTED : TERN_OK, row->message,
                       row->why);
        expect_message(tern_hf_finish(c, NULL, 0), row->message ? TERN_ERR_UNSUPPORTED : TERN_OK, row->message,
                       "a second time the same");
        tern_hf_config_free(c);
    }
}

/* A class that reads read_*, has known_* and has defaults for some; keys of a rope are those of
 * rope_parameters. */
static bool toy_reads(const void *user, const char *key, const char **fallback)
{
    static const struct { const char *key, *fallback; bool read; } rows[] = {
        { "known_flag", "true", false },  { "read_choice", "\"silu\"", true }, { "read_flag", "true", true },
        { "read_number", "2.5", true }, { "read_nothing", "null", true },
        { "read_size", "12", true },      { "read_list", NULL, true },         { "rope_scaling", NULL, true },
        { "rope_parameters.factor", NULL, true },
    };
    (void)user;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].key, key)) continue;
        *fallback = rows[i].fallback;
        return rows[i].read;
    }
    return false;
}

typedef struct class_row {
    const char *text, *asked[2];
    const char *message;          /* of the refusal; null: none */
    const char *ignored;        /* the keys, separated by blanks */
    const char *strict;         /* of the refusal where strict; null: none */
    const char *why;
} class_row;

static const class_row class_rows[] = {
    { "{\"a\":1}", { NULL }, NULL, "a", "unknown key \"a\": 1", "a key outside the table" },
    { "{\"a\":1,\"known_flag\":false,\"b\":{\"c\":2}}", { NULL }, NULL, "a known_flag b", "3 faults",
      "known and never read is the same; an object as a whole" },
    { "{\"a\":1}", { "a" }, NULL, "", NULL, "asked for" },
    { "{\"a\\u0000b\":1}", { "a" }, NULL, "a", "unknown key \"a\": 1", "with a NUL it is another key" },
    { "{\"no_repeat_ngram_size\\u0000\":0}", { NULL }, NULL, "no_repeat_ngram_size", "unknown key", "and no row's" },
    { "{\"read_size\":13}", { NULL }, "key \"read_size\": 13 changes the result, and is not supported", "", "read_size",
      "read by the class, and not looked up" },
    { "{\"read_size\":12,\"read_number\":2.5,\"read_choice\":\"silu\",\"read_flag\":true}", { NULL }, NULL, "", NULL,
      "at the class's defaults there is no effect" },
    { "{\"read_list\":[1]}", { NULL }, "read_list", "", "read_list", "read, without a default" },
    { "{\"read_nothing\":1}", { NULL }, "read_nothing", "", "read_nothing", "a default of null is no value" },
    { "{\"read_nothing\":null,\"x\":null}", { NULL }, NULL, "", NULL, "null needs no explanation" },
    { "{\"no_repeat_ngram_size\":3}", { NULL }, "\"no_repeat_ngram_size\": 3", "", "no_repeat_ngram_size",
      "a row of known effect at this value" },
    { "{\"quantization_config\":{\"bits\":4}}", { NULL }, "\"quantization_config\"", "", "quantization_config",
      "quantized by others, whatever the class" },
    { "{\"rope_scaling\":{\"type\":1,\"attn_factor\":2}}", { "rope_scaling.type" }, NULL, "rope_scaling.attn_factor",
      "rope_scaling.attn_factor", "inside an object" },
    { "{\"rope_scaling\":{\"type\":1,\"factor\":2}}", { "rope_scaling.type" }, "\"rope_scaling.factor\": 2 changes", "",
      "rope_scaling.factor", "its older name" },
    { "{\"text_config\":{\"a\":1,\"read_size\":1}}", { NULL }, "\"text_config.read_size\"", "text_config.a", "2 faults",
      "in the language part" },
    { "{\"\\u001b[2J\":1}", { NULL }, NULL, "\\x1b[2J", "unknown key", "a name that would move the terminal's cursor" },
    { "{\"vision_config\":{\"read_size\":1}}", { NULL }, NULL, "vision_config", "vision_config",
      "a part that the class does not have" },
};

static void asks_the_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof class_rows / sizeof *class_rows); i++) {
        const class_row *row = &class_rows[i / 2];
        bool strict = i % 2;
        char ignored[200] = "";
        tern_hf_config *c = parse(row->text);
        tern_hf_set_class(c, (tern_hf_class){ .reads = toy_reads }, strict);
        for (int k = 0; k < 2 && row->asked[k]; k++) tern_hf_value(c, row->asked[k]);
        const char *wanted = strict ? row->strict : row->message;
        expect_message(tern_hf_finish(c, NULL, 0), wanted ? TERN_ERR_UNSUPPORTED : TERN_OK, wanted, row->why);
        for (size_t n = 0; tern_hf_ignored(c, n); n++)
            snprintf(ignored + strlen(ignored), sizeof ignored - strlen(ignored), "%s%s", n ? " " : "",
                     tern_hf_ignored(c, n));
        assert_string_equal(ignored, strict ? "" : row->ignored);
        tern_hf_config_free(c);
    }
}

/* An absent key has the class's default, checked like a value; a null one has none. */
static void gives_the_class_s_defaults(void **state)
{
    (void)state;
    static const char *const acts[] = { "gelu", "silu" };
    int64_t size = 7, null_size = 7, own = 7, out = 7;
    double number = 7;
    bool flag = false;
    int word = 0;
    tern_hf_config *c = parse("{\"own\":3}");
    tern_hf_set_class(c, (tern_hf_class){ .reads = toy_reads }, false);
    assert_true(tern_hf_int(c, "read_size", 1, 100, &size) && tern_hf_number(c, "read_number", 0, 10, &number) &&
                tern_hf_bool(c, "read_flag", &flag));
    assert_true(tern_hf_choice(c, "read_choice", acts, 2, &word) && tern_hf_int(c, "own", 1, 9, &own));
    assert_true(size == 12 && number == 2.5 && flag && word == 1 && own == 3);
    assert_false(tern_hf_has(c, "read_size") || tern_hf_is_null(c, "read_size") ||
                 tern_hf_int(c, "read_nothing", 1, 9, &out) || tern_hf_value(c, "read_size"));
    assert_int_equal(tern_hf_finish(c, NULL, 0), TERN_OK);
    tern_hf_config_free(c);
    c = parse("{\"read_size\":null,\"o\":{\"x\":null}}");
    tern_hf_set_class(c, (tern_hf_class){ .reads = toy_reads }, false);
    assert_false(tern_hf_int(c, "read_size", 1, 100, &null_size));
    assert_true(null_size == 7 && tern_hf_is_null(c, "read_size") && tern_hf_is_null(c, "o.x") &&
                !tern_hf_is_null(c, "o"));
    tern_hf_config_free(c);
}

static void takes_a_family_s_own_rows(void **state)
{
    (void)state;
    static const tern_hf_ignorable own[] = { { "old_*", NULL }, { "mode", "\"plain\"|3|[1,2]" } };
    static const struct { const char *text; bool fine; } rows[] = {
        { "{\"old_a\":1,\"old_b\":{\"x\":1}}", true }, { "{\"mode\":\"plain\"}", true },  { "{\"mode\":3.0}", true },
        { "{\"mode\":[1,2]}", true },                  { "{\"mode\":\"other\"}", false }, { "{\"mode\":4}", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tern_hf_config *c = parse(rows[i].text);
        if ((tern_hf_finish(c, own, 2) == TERN_OK) != rows[i].fine) fail_msg("%s", rows[i].text);
        tern_hf_config_free(c);
    }
}

static void inner_values_come_first(void **state)
{
    (void)state;
    tern_hf_config *c =
        parse("{\"text_config\":{\"a\":5,\"n\":null},\"a\":5,\"n\":6,\"o\":7,\"architectures\":[\"X\",\"Y\"]}");
    int64_t a = 0, n = 0, o = 0;
    assert_true(tern_hf_int(c, "a", 0, 9, &a) && tern_hf_int(c, "n", 0, 9, &n) && tern_hf_int(c, "o", 0, 9, &o));
    assert_true(a == 5 && n == 6 && o == 7 && tern_hf_has(c, "a") && tern_hf_has(c, "n") && !tern_hf_has(c, "p"));
    assert_string_equal(tern_hf_architecture(c, 1), "Y");
    assert_null(tern_hf_architecture(c, 2));
    assert_int_equal(tern_hf_finish(c, NULL, 0), TERN_OK);
    tern_hf_config_free(c);
}

/* The first fault's status is the one returned, and all are there, each once, as sentences for a
 * list. */
static void keeps_every_fault(void **state)
{
    (void)state;
    tern_hf_config *c = parse("{\"a\":0,\"b\":\"x\",\"z\":1}");
    int64_t value;
    bool flag;
    tern_hf_int(c, "a", 1, 2, &value);
    for (int twice = 0; twice < 2; twice++) tern_hf_bool(c, "b", &flag);
    tern_hf_refuse(c, TERN_ERR_SHAPE, "\"a\" %d is no multiple of %d", 0, 3);
    expect_message(tern_hf_finish(c, NULL, 0), TERN_ERR_FORMAT, "config.json: 4 faults: |\"a\" is 0|\"b\" is \"x\"|no "
                   "multiple of 3|unknown key \"z\"", "all at once");
    assert_int_equal(tern_hf_faults(c)->count, 4);
    assert_string_equal(tern_hf_faults(c)->sentences[2], "\"a\" 0 is no multiple of 3");
    tern_hf_config_free(c);
}

typedef struct gen_row {
    const char *config, *generation;    /* generation null: no such file */
    tern_status status;
    const char *message;                  /* of the error, or of the log */
    size_t n_eos;
    int64_t eos, bos, pad;
    const char *why;
} gen_row;

static const gen_row gen_rows[] = {
    { "{\"eos_token_id\":2,\"bos_token_id\":1}", NULL, TERN_OK, NULL, 1, 2, 1, -1, "no file: config.json's ids" },
    { "{\"eos_token_id\":2,\"bos_token_id\":1}", "{\"eos_token_id\":[7,8]}", TERN_OK, NULL, 2, 7, 1, -1,
      "[23] a list; the file's ids come first" },
    { "{}", "{\"pad_token_id\":-1}", TERN_OK, NULL, 0, 0, -1, -1, "[23] -1 as no padding, which Llama 1 has" },
    { "{\"eos_token_id\":100}", NULL, TERN_OK, "config.json: \"eos_token_id\" 100 outside vocabulary of 100", 0, 0, -1,
      -1, "[23] beyond the vocabulary: no reason to refuse" },
    { "{}", "{\"eos_token_id\":[1,100]}", TERN_OK, "generation_config.json: \"eos_token_id\" 100", 1, 1, -1, -1,
      "[23] one of a list beyond it" },
    { "{}", "{\"eos_token_id\":-1}", TERN_OK, "\"eos_token_id\" -1 outside", 0, 0, -1, -1, "[23] negative" },
    { "{\"bos_token_id\":3}", "{\"bos_token_id\":100}", TERN_OK, "\"bos_token_id\" 100 outside", 0, 0, -1, -1,
      "the file's own wins, though it is none" },
    { "{\"bos_token_id\":300,\"eos_token_id\":300}", "{\"bos_token_id\":3,\"eos_token_id\":4}", TERN_OK, NULL, 1, 4, 3,
      -1, "config.json's are not asked where the file has its own" },
    { "{}", "{\"pad_token_id\":100}", TERN_OK, "\"pad_token_id\" 100 outside", 0, 0, -1, -1, "a pad beyond it" },
    { "{}", "{\"pad_token_id\":9223372036854775807}", TERN_OK, "\"pad_token_id\" 9223372036854775807 outside", 0, 0, -1,
      -1, "far beyond it" },
    { "{}", "{\"bos_token_id\":\"<s>\"}", TERN_ERR_FORMAT, "\"bos_token_id\" is \"<s>\"", 0, 0, 0, 0, "[23] a string" },
    { "{}", "{\"pad_token_id\":\"x\",\"top_p\":-2,\"do_sample\":1}", TERN_ERR_FORMAT,
      "3 faults|\"pad_token_id\" is \"x\"|\"do_sample\" is 1|\"top_p\" is -2", 0, 0, 0, 0, "all at once" },
    { "{}", "{\"temperature\":\"hot\"}", TERN_ERR_FORMAT, "\"temperature\" is \"hot\"", 0, 0, 0, 0, "of another kind" },
    { "{}", "{\"num_beams\":4,\"watermarking_config\":{\"x\":1},\"guidance_scale\":1.5,\"typical_p\":0.5,"
      "\"diversity_penalty\":0.1,\"encoder_no_repeat_ngram_size\":2}", TERN_OK, "not followed \"num_beams\" 4 "
      "\"watermarking_config\" {\"x\":1} \"guidance_scale\" 1.5 \"typical_p\" 0.5 \"diversity_penalty\" 0.1 "
      "\"encoder_no_repeat_ngram_size\" 2", 0, 0, -1, -1, "what would change the text is named with its value" },
    { "{}", "{\"num_beams\":1,\"guidance_scale\":1,\"typical_p\":1.0,\"diversity_penalty\":0.0,"
      "\"encoder_no_repeat_ngram_size\":0,\"bad_words_ids\":null,\"suppress_tokens\":[]}", TERN_OK, NULL, 0, 0, -1, -1,
      "and at the values that change nothing it is not" },
    { "{}", "{\"max_length\":50,\"length_penalty\":2,\"output_scores\":true,\"assistant_lookbehind\":3,"
      "\"max_window_size\":6144}", TERN_OK, NULL, 0, 0, -1, -1, "without effect on the text" },
    { "{}", "{\"my_own_key\":3}", TERN_OK, "ignored: my_own_key", 0, 0, -1, -1, "an unknown key is logged" },
    { "{\"num_beams\":3,\"my_own_key\":3}", NULL, TERN_OK, "config.json: not followed \"num_beams\" 3", 0, 0, -1, -1,
      "without the file, config.json is what transformers takes" },
    { "{\"top_p\":-1,\"do_sample\":3}", NULL, TERN_OK, "config.json: without effect", 0, 0, -1, -1,
      "where they decide nothing of the model, they are not refused" },
    { "{}", "{\"top_p\":1.5}", TERN_OK, NULL, 0, 0, -1, -1, "beyond 1 nothing is left out" },
    { "{\"num_beams\":3}", "{}", TERN_OK, NULL, 0, 0, -1, -1, "with the file, it is not" },
    { "{}", "{\"_from_model_config\":true,\"transformers_version\":\"5\",\"use_cache\":true,"
      "\"output_attentions\":false}", TERN_OK, NULL, 0, 0, -1, -1, "what transformers writes is silent" },
    { "{}", "[]", TERN_ERR_FORMAT, "generation_config.json: a list", 0, 0, 0, 0, "no object" },
};

static char logged[512];

static void keep_line(void *user, tern_log_level level, const char *line)
{
    (void)user;
    (void)level;
    snprintf(logged, sizeof logged, "%s", line);
}

/* The order of keys in a log line is the file's in no sense that matters; each word is looked for
 * by itself. */
static void expect_logged(const char *wanted, const char *why)
{
    char parts[400];
    snprintf(parts, sizeof parts, "%s", wanted ? wanted : "");
    if (!wanted && *logged) fail_msg("%s: logged: %s", why, logged);
    for (char *part = strtok(parts, ", "); part; part = strtok(NULL, ", ")) {
        if (!strstr(logged, part)) fail_msg("%s: \"%s\" is not in the log: %s", why, part, logged);
    }
}

static void reads_generation_defaults(void **state)
{
    (void)state;
    message.log = keep_line;
    for (size_t i = 0; i < sizeof gen_rows / sizeof *gen_rows; i++) {
        const gen_row *row = &gen_rows[i];
        char *dir = make_folder();
        tern_hf_config *c = parse(row->config);
        tern_hf_generation g;
        logged[0] = 0;
        if (row->generation) write_text(dir, "generation_config.json", row->generation);
        expect_message(tern_hf_generation_read(&message, dir, c, 100, &g), row->status,
                       row->status ? row->message : NULL, row->why);
        if (!row->status) {
            expect_logged(row->message, row->why);
            if (g.n_eos != row->n_eos || (g.n_eos && g.eos[0] != row->eos) || g.bos != row->bos || g.pad != row->pad)
                fail_msg("%s", row->why);
        }
        tern_hf_config_free(c);
        remove_folder(dir);
    }
    message.log = NULL;
}

static void reads_sampling_defaults(void **state)
{
    (void)state;
    char *dir = make_folder();
    tern_hf_generation g;
    assert_int_equal(tern_hf_generation_read(&message, dir, NULL, 100, &g), TERN_OK);
    assert_true(!g.do_sample && g.temperature == 1 && g.top_k == 0 && g.top_p == 1 && g.min_p == 0 &&
                g.repetition_penalty == 1 && g.max_new_tokens == 0);
    write_text(dir, "generation_config.json", "{\"do_sample\":true,\"temperature\":0.6,\"top_p\":0.9,\"min_p\":0.05,"
               "\"repetition_penalty\":1.1,\"max_new_tokens\":2048}");
    assert_int_equal(tern_hf_generation_read(&message, dir, NULL, 100, &g), TERN_OK);
    assert_true(g.do_sample && g.temperature == 0.6 && g.top_k == 50 && g.top_p == 0.9 && g.min_p == 0.05 &&
                g.repetition_penalty == 1.1 && g.max_new_tokens == 2048);
    write_text(dir, "generation_config.json", "{\"do_sample\":true,\"top_k\":0}");
    assert_int_equal(tern_hf_generation_read(&message, dir, NULL, 100, &g), TERN_OK);
    assert_int_equal(g.top_k, 0);
    remove_folder(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_text_that_is_no_config), cmocka_unit_test(reads_values),
        cmocka_unit_test(explains_every_key),             cmocka_unit_test(takes_a_family_s_own_rows),
        cmocka_unit_test(asks_the_class),                 cmocka_unit_test(gives_the_class_s_defaults),
        cmocka_unit_test(inner_values_come_first),        cmocka_unit_test(keeps_every_fault),
        cmocka_unit_test(reads_generation_defaults),      cmocka_unit_test(reads_sampling_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
