/* The templates of a checkpoint directory: which file they come from, which of several is chosen,
 * and that only that one is parsed. */
#include "text/template_rig.h"

#include <sys/stat.h>
#include <unistd.h>

#define HI "[{\"role\":\"user\",\"content\":\"hi\"}]"

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void forget_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static void expect_rendered(const char *json, const char *want)
{
    tern_template *t;
    tern_rendered r;
    if (tern_template_open(ctx, folder, &t)) fail_msg("%s", tern_ctx_error(ctx));
    assert_non_null(t);
    tern_status st = tern_template_render(t, json, strlen(json), NULL, &r);
    if (want) {
        if (st) fail_msg("%s", tern_ctx_error(ctx));
        assert_string_equal(r.text, want);
        tern_rendered_free(&r);
    } else {
        assert_int_equal(st, TERN_ERR_ARGUMENT);
    }
    tern_template_free(t);
}

/* A broken template is an error of the rendering that chooses it, each time with the same
 * message. */
static void expect_broken(const char *json, const char *message)
{
    tern_template *t;
    tern_rendered r;
    if (tern_template_open(ctx, folder, &t)) fail_msg("%s", tern_ctx_error(ctx));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tern_template_render(t, json, strlen(json), NULL, &r), TERN_ERR_FORMAT);
        if (!strstr(tern_ctx_error(ctx), message)) fail_msg("%s", tern_ctx_error(ctx));
    }
    tern_template_free(t);
}

#define WITH_TOOLS "{\"messages\":" HI ",\"tools\":[{}]}"

static void directories_are_read(void **state)
{
    tern_template *t;
    char path[256];
    (void)state;
    strcpy(folder, "/tmp/tern-template-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(tern_template_open(ctx, folder, &t), TERN_OK);
    /* nothing there: no template, no error */
    assert_null(t);
    write_file("tokenizer_config.json",
               "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"},\"chat_template\":null}");
    assert_int_equal(tern_template_open(ctx, folder, &t), TERN_OK);
    assert_null(t);
    write_file("tokenizer_config.json", "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"},"
               "\"chat_template\":\"{{ bos_token }}one{{ eos_token }}\"}");
    expect_rendered(HI, "<s>one</s>");
    expect_rendered("{\"messages\":" HI ",\"special_tokens\":{\"bos_token\":\"B\"}}", "Bone");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"D\"},"
               "{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"rag\",\"template\":\"R\"}]}");
    expect_rendered(HI, "D");
    expect_rendered(WITH_TOOLS, "T");
    expect_rendered("{\"messages\":" HI ",\"chat_template\":\"rag\"}", "R");
    write_file("tokenizer_config.json", "{\"add_bos_token\":\"A\",\"image_token\":\"<i>\",\"x_token\":5,"
               "\"extra_special_tokens\":{\"boi_token\":{\"content\":\"<b>\"},\"image_token\":\"<j>\"},"
               "\"chat_template\":{\"default\":\"{{ add_bos_token }}{{ image_token }}{{ x_token }}{{ boi_token "
               "}}\",\"tool_use\":\"T\"}}");
    /* special tokens under names of their own, templates as an object: transformers 5.24.0 */
    expect_rendered(HI, "<j><b>");
    expect_rendered(WITH_TOOLS, "T");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"R\"}]}");
    expect_rendered(HI, NULL);                                                  /* several, and none is the default */
    write_file("chat_template.jinja", "J\n");
    /* the file goes before the configuration */
    expect_rendered(WITH_TOOLS, "J");
    snprintf(path, sizeof path, "%s/additional_chat_templates", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("additional_chat_templates/tool_use.jinja", "JT");
    expect_rendered(WITH_TOOLS, "JT");
    expect_rendered(HI, "J");
    /* a broken one is an error of its own chats */
    write_file("additional_chat_templates/tool_use.jinja", "{% nope %}");
    expect_rendered(HI, "J");
    expect_broken(WITH_TOOLS, "additional_chat_templates/tool_use.jinja: line 1, column 4");
    forget_file("additional_chat_templates/tool_use.jinja");
    forget_file("chat_template.jinja");
    write_file("tokenizer_config.json", "{\"chat_template\":5}");
    assert_int_equal(tern_template_open(ctx, folder, &t), TERN_ERR_FORMAT);
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"x\"}]}");
    assert_int_equal(tern_template_open(ctx, folder, &t), TERN_ERR_FORMAT);
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"D\"},"
               "{\"name\":\"rag\",\"template\":\"{{\"}]}");
    expect_rendered(HI, "D");
    expect_broken("{\"messages\":" HI ",\"chat_template\":\"rag\"}",
                  "chat_template 'rag': line 1, column 3: TemplateSyntaxError");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"1\"},"
               "{\"name\":\"default\",\"template\":\"2\"}]}");
    /* a dict's second value takes the first one's place */
    expect_rendered(HI, "2");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"<{{ "
               "messages[0].content }}>\"},{\"name\":\"tool_use\",\"template\":\"\\\\n{%- if x %}\\\\n{%- set y = "
               "{\\\\n} %}{% endif %}\"}]}");
    /* published so: a template with its newlines escaped twice */
    expect_rendered(HI, "<hi>");
    expect_broken(WITH_TOOLS, "chat_template 'tool_use': line 1, column");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"2\"}]}");
    write_file("chat_template.json", "{\"chat_template\":\"P\"}");
    expect_rendered(HI, "2");
    write_file("tokenizer_config.json", "{}");
    /* a processor's own file, where nothing else is */
    expect_rendered(HI, "P");
    forget_file("chat_template.json");
    write_file("tokenizer_config.json", "{\"bos_token\":\"<s>\",\"bos_token\":\"<b>\"}");
    tern_rendered r;
    assert_int_equal(tern_template_parse(ctx, "t", "[{{ bos_token }}]", 17, &t), TERN_OK);
    assert_int_equal(tern_template_take_tokens(t, "/nowhere/at/all"), TERN_ERR_IO);
    assert_int_equal(tern_template_take_tokens(t, folder), TERN_OK);
    assert_int_equal(tern_template_render(t, HI, strlen(HI), NULL, &r), TERN_OK);
    /* of a template from elsewhere; the last of two keys counts */
    assert_string_equal(r.text, "[<b>]");
    tern_rendered_free(&r);
    tern_template_free(t);
    forget_file("tokenizer_config.json");
    rmdir(path);
    rmdir(folder);
}

#define TOKENS "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token }}|{{ mask_token }}|{{ image_token }}"
#define BPE "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"<unk>\":0,\"<s>\":1,\"</s>\":2},\"merges\":[]}}"
#define WORDS "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0}}}"

/* What apply_chat_template of transformers 5.24.0 hands to a template: special_tokens_map of the
 * tokenizer; where there is none, what the configuration says. */
static const struct {
    const char *config, *map, *tokenizer, *want, *why;    /* the files' texts; null: not there */
} token_rows[] = {
    { "\"tokenizer_class\":\"LlamaTokenizer\"", NULL, BPE, "<s>|</s>|<unk>|||", "the class's own" },
    { "\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":null", NULL, BPE, "|</s>|<unk>|||", "null is stated" },
    { "\"tokenizer_class\":\"LlamaTokenizer\"", NULL, NULL, "|||||", "no tokenizer is there" },
    { "\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":\"<unk>\"", "{\"bos_token\":\"</s>\","
      "\"pad_token\":{\"content\":\"<unk>\"}}", BPE, "</s>|</s>|<unk>|<unk>||", "the map wins" },
    { "\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":\"<unk>\","
      "\"added_tokens_decoder\":{\"0\":{\"content\":\"<unk>\"}}", "{\"bos_token\":\"</s>\",\"pad_token\":\"<unk>\"}",
      BPE, "<unk>|</s>|<unk>|||", "and does not count beside added_tokens_decoder" },
    { "\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"image_token\":\"<img>\",\"bos_token\":\"<s>\"", NULL, BPE,
      "<s>|||||<img>", "a name of its own" },
    { "\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"extra_special_tokens\":{\"image_token\":\"<img>\"}", NULL, BPE,
      "|||||<img>", "the same as an object" },
    { "\"tokenizer_class\":\"BertTokenizer\"", NULL, WORDS, "||[UNK]|[PAD]|[MASK]|", "BERT's" },
};

static void special_tokens_are_the_tokenizers(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tern-template-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof token_rows / sizeof *token_rows; i++) {
        char config[1024];
        snprintf(config, sizeof config, "{%s,\"chat_template\":\"%s\"}", token_rows[i].config, TOKENS);
        write_file("tokenizer_config.json", config);
        if (token_rows[i].map) write_file("special_tokens_map.json", token_rows[i].map);
        if (token_rows[i].tokenizer) write_file("tokenizer.json", token_rows[i].tokenizer);
        print_message("special tokens: %s\n", token_rows[i].why);
        expect_rendered(HI, token_rows[i].want);
        forget_file("special_tokens_map.json");
        forget_file("tokenizer.json");
    }
    forget_file("tokenizer_config.json");
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(directories_are_read),
                                        cmocka_unit_test(special_tokens_are_the_tokenizers) };
    return cmocka_run_group_tests(tests, make_ctx, free_ctx);
}
