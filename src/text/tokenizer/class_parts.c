/* What each tokenizer class builds around its vocabulary: see classes.h. Called by classes.c. The
 * sources are the __init__ functions of models/<name>/tokenization_<name>.py in transformers
 * 5.24.0. */
#include <string.h>

#include "text/tokenizer/assemble.h"
#include "text/tokenizer/classes.h"

#define MARK "\xe2\x96\x81"    /* U+2581, which stands for a blank */

static json_t *parts(json_t *normalizer, json_t *pre_tokenizer, json_t *decoder, json_t *model)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "normalizer", normalizer, "pre_tokenizer", pre_tokenizer, "decoder",
                     decoder, "model", model);
}

static json_t *byte_level(bool prefix, bool use_regex)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", (int)prefix, "trim_offsets", 1,
                     "use_regex", (int)use_regex);
}

static json_t *metaspace(const char *scheme, bool split)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", MARK, "prepend_scheme", scheme,
                     "split", (int)split);
}

json_t *class_parts_bert(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    const json_t *accents = json_object_get(config, "strip_accents");
    json_t *normalizer = json_pack("{s:s, s:b, s:b, s:o, s:b}", "type", "BertNormalizer", "clean_text", 1,
                                   "handle_chinese_chars", (int)assemble_flag(config, "tokenize_chinese_chars", true),
                                   "strip_accents",
                                   json_is_boolean(accents) ? json_boolean(json_is_true(accents)) : json_null(),
                                   "lowercase", (int)assemble_flag(config, "do_lower_case", true));
    json_t *model = json_pack("{s:s, s:s, s:i}", "unk_token", assemble_role(config, "unk_token", "[UNK]"),
                              "continuing_subword_prefix", "##", "max_input_chars_per_word", 100);
    return parts(normalizer, json_pack("{s:s}", "type", "BertPreTokenizer"),
                 json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1), model);
}

json_t *class_parts_gpt2(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    return parts(json_null(), byte_level(assemble_flag(config, "add_prefix_space", false), true),
                 byte_level(true, true), json_object());
}

json_t *class_parts_gpt_neox(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    return parts(json_pack("{s:s}", "type", "NFC"), byte_level(assemble_flag(config, "add_prefix_space", false), true),
                 byte_level(true, true), json_object());
}

json_t *class_parts_cohere(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    json_t *pre = json_pack("{s:s, s:[{s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Digits",
                            "individual_digits", 1, byte_level(assemble_flag(config, "add_prefix_space", false), true));
    return parts(json_pack("{s:s}", "type", "NFC"), pre, byte_level(true, true), json_object());
}

static json_t *qwen_parts(const json_t *config, const char *pattern)
{
    json_t *pre = json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type",
                            "Split", "pattern", "Regex", pattern, "behavior", "Isolated", "invert", 0,
                            byte_level(assemble_flag(config, "add_prefix_space", false), false));
    return parts(json_pack("{s:s}", "type", "NFC"), pre, byte_level(true, true), json_object());
}

json_t *class_parts_qwen2(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    return qwen_parts(config, "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                      "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
}

json_t *class_parts_qwen3_5(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    return qwen_parts(config, "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                      "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
}

static json_t *marks_and_bytes(bool strip)
{
    json_t *list = json_pack("[o, {s:s}, {s:s}]", assemble_replace("String", MARK, " "), "type", "ByteFallback", "type",
                             "Fuse");
    if (strip)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1,
                                              "stop", 0));
    return json_pack("{s:s, s:o}", "type", "Sequence", "decoders", list);
}

/* The mark before the text alone, or, with legacy true, behind each special token too. */
json_t *class_parts_llama(const json_t *config, const json_t *vocab)
{
    bool prefix = assemble_flag(config, "add_prefix_space", true), legacy = assemble_flag(config, "legacy", false);
    const char *scheme = legacy ? "always" : "first";
    (void)vocab;
    return parts(json_null(), metaspace(prefix ? scheme : "never", false), marks_and_bytes(prefix),
                 json_pack("{s:b, s:b}", "fuse_unk", 1, "byte_fallback", 1));
}

json_t *class_parts_code_llama(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    return parts(json_null(), metaspace(assemble_flag(config, "add_prefix_space", true) ? "first" : "never", false),
                 marks_and_bytes(true),
                 json_pack("{s:s, s:b, s:b}", "unk_token", assemble_role(config, "unk_token", "<unk>"), "fuse_unk", 1,
                           "byte_fallback", 1));
}

json_t *class_parts_gemma(const json_t *config, const json_t *vocab)
{
    json_t *pre = json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "String", " ", "behavior",
                            "MergedWithPrevious", "invert", 0);
    (void)vocab;
    return parts(assemble_replace("String", " ", MARK), pre, marks_and_bytes(false),
                 json_pack("{s:s, s:b, s:b}", "unk_token", assemble_role(config, "unk_token", "<unk>"), "fuse_unk", 1,
                           "byte_fallback", 1));
}

static json_t *words_then_marks(const char *scheme)
{
    return json_pack("{s:s, s:[{s:s}, o]}", "type", "Sequence", "pretokenizers", "type", "WhitespaceSplit",
                     metaspace(scheme, true));
}

json_t *class_parts_xlm_roberta(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    const char *scheme = assemble_flag(config, "add_prefix_space", true) ? "always" : "never";
    return parts(json_null(), words_then_marks(scheme), metaspace(scheme, true),
                 json_pack("{s:i, s:b}", "unk_id", 3, "byte_fallback", 0));
}

json_t *class_parts_t5(const json_t *config, const json_t *vocab)
{
    (void)vocab;
    (void)config;
    return parts(json_null(), words_then_marks("always"), metaspace("always", true),
                 json_pack("{s:i, s:b}", "unk_id", 2, "byte_fallback", 0));
}

/* Where text stands in a Unigram vocabulary, with score 0 if zero is asked for; otherwise where it
 * does not. */
static int index_of(const json_t *vocab, const char *text, bool zero, int otherwise)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)vocab, i, one) {
        const char *there = json_string_value(json_array_get(one, 0));
        if (there && !strcmp(there, text) && (!zero || json_number_value(json_array_get(one, 1)) == 0)) return (int)i;
    }
    return otherwise;
}

json_t *class_parts_camembert(const json_t *config, const json_t *vocab)
{
    const char *scheme = assemble_flag(config, "add_prefix_space", true) ? "always" : "never";
    return parts(json_null(), words_then_marks(scheme), metaspace(scheme, true),
                 json_pack("{s:i, s:b}", "unk_id",
                           index_of(vocab, assemble_role(config, "unk_token", "<unk>"), false, 0), "byte_fallback", 0));
}

json_t *class_parts_albert(const json_t *config, const json_t *vocab)
{
    const char *scheme = assemble_flag(config, "add_prefix_space", true) ? "always" : "never";
    json_t *list = json_pack("[o, o]", assemble_replace("String", "``", "\""), assemble_replace("String", "''", "\""));
    (void)vocab;
    if (!assemble_flag(config, "keep_accents", false)) {
        json_array_append_new(list, json_pack("{s:s}", "type", "NFKD"));
        json_array_append_new(list, json_pack("{s:s}", "type", "StripAccents"));
    }
    if (assemble_flag(config, "do_lower_case", true))
        json_array_append_new(list, json_pack("{s:s}", "type", "Lowercase"));
    return parts(json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list), words_then_marks(scheme),
                 metaspace(scheme, true), json_pack("{s:i, s:b}", "unk_id", 1, "byte_fallback", 0));
}

json_t *class_parts_deberta_v2(const json_t *config, const json_t *vocab)
{
    const char *scheme = assemble_flag(config, "add_prefix_space", true) ? "always" : "first";
    json_t *list = json_array(), *pre = json_array();
    if (assemble_flag(config, "do_lower_case", false))
        json_array_append_new(list, json_pack("{s:s}", "type", "Lowercase"));
    json_array_append_new(list, assemble_replace("Regex", "\\s{2,}|[\\n\\r\\t]", " "));
    json_array_append_new(list, json_pack("{s:s}", "type", "NFC"));
    json_array_append_new(list, json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", 0, "strip_right", 1));
    if (assemble_flag(config, "split_by_punct", false))
        json_array_append_new(pre, json_pack("{s:s, s:s}", "type", "Punctuation", "behavior", "Isolated"));
    json_array_append_new(pre, metaspace(scheme, true));
    return parts(json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list),
                 json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", pre), metaspace(scheme, true),
                 json_pack("{s:i, s:b}", "unk_id",
                           index_of(vocab, assemble_role(config, "unk_token", "[UNK]"), true, 1), "byte_fallback", 0));
}
