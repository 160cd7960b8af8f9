/* Which tokenizer class a checkpoint has, and what it makes of a tokenizer.json: see classes.h. Called by open.c. */
#include "text/tokenizer/classes.h"

#include <string.h>

/* In the order of tern_role: bos, eos, unk, pad, cls, sep, mask. */
static const tokenizer_class classes[] = {
    { .name = "BertTokenizer", .model = "WordPiece", .roles = { NULL, NULL, "[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]" }, .parts = class_parts_bert,
      .post = POST_CLS_SEP },
    { .name = "MPNetTokenizer", .model = "WordPiece", .roles = { "<s>", "</s>", "[UNK]", "<pad>", "<s>", "</s>", "<mask>" }, .parts = class_parts_bert,
      .post = POST_ROBERTA },
    { .name = "GPT2Tokenizer", .model = "BPE", .roles = { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>" }, .parts = class_parts_gpt2,
      .takes_pad = true },
    { .name = "RobertaTokenizer", .model = "BPE", .roles = { "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", "<mask>" }, .parts = class_parts_gpt2,
      .post = POST_ROBERTA },
    { .name = "GPTNeoXTokenizer", .model = "BPE", .roles = { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "<|padding|>" }, .parts = class_parts_gpt_neox,
      .post = POST_NONE },
    { .name = "CohereTokenizer", .model = "BPE",
      .roles = { "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", "<PAD>", "<CLS>", "<SEP>", "<MASK_TOKEN>" }, .parts = class_parts_cohere },
    { .name = "Qwen2Tokenizer", .model = "BPE", .roles = { NULL, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>" }, .parts = class_parts_qwen2,
      .plain_specials = true },
    { .name = "LlamaTokenizer", .model = "BPE", .roles = { "<s>", "</s>", "<unk>" }, .parts = class_parts_llama },
    { .name = "GemmaTokenizer", .model = "BPE", .roles = { "<bos>", "<eos>", "<unk>", "<pad>", NULL, NULL, "<mask>" }, .parts = class_parts_gemma },
    { .name = "XLMRobertaTokenizer", .model = "Unigram", .roles = { "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", "<mask>" },
      .parts = class_parts_xlm_roberta, .post = POST_BOS_EOS },
    { .name = "T5Tokenizer", .model = "Unigram", .roles = { NULL, "</s>", "<unk>", "<pad>" }, .parts = class_parts_t5, .post = POST_EOS, .extra_ids = 100 },
};

/* Other names of the same classes. */
static const char *const aliases[][2] = {
    { "DistilBertTokenizer", "BertTokenizer" }, { "ElectraTokenizer", "BertTokenizer" }, { "LayoutLMTokenizer", "BertTokenizer" },
    { "MobileBertTokenizer", "BertTokenizer" }, { "SqueezeBertTokenizer", "BertTokenizer" }, { "LxmertTokenizer", "BertTokenizer" },
    { "ConvBertTokenizer", "BertTokenizer" }, { "CodeGenTokenizer", "GPT2Tokenizer" }, { "BartTokenizer", "RobertaTokenizer" }, { "LEDTokenizer", "RobertaTokenizer" },
    { "LongformerTokenizer", "RobertaTokenizer" }, { "MvpTokenizer", "RobertaTokenizer" },
};

/* The class of each model_type, as far as tern runs the model; "" is the file as it is written. */
static const char *const model_types[][2] = {
    { "bert", "BertTokenizer" }, { "distilbert", "BertTokenizer" }, { "electra", "BertTokenizer" }, { "nomic_bert", "BertTokenizer" },
    { "mpnet", "MPNetTokenizer" }, { "roberta", "RobertaTokenizer" }, { "bart", "RobertaTokenizer" }, { "longformer", "RobertaTokenizer" },
    { "xlm-roberta", "XLMRobertaTokenizer" }, { "gte", "XLMRobertaTokenizer" }, { "t5", "T5Tokenizer" }, { "mt5", "T5Tokenizer" },
    { "gpt2", "GPT2Tokenizer" }, { "gpt_neo", "GPT2Tokenizer" }, { "gptj", "GPT2Tokenizer" }, { "opt", "GPT2Tokenizer" }, { "phi", "GPT2Tokenizer" },
    { "starcoder2", "GPT2Tokenizer" }, { "codegen", "GPT2Tokenizer" }, { "dbrx", "GPT2Tokenizer" },
    { "gpt_neox", "GPTNeoXTokenizer" }, { "mpt", "GPTNeoXTokenizer" }, { "olmo", "GPTNeoXTokenizer" }, { "olmoe", "GPTNeoXTokenizer" },
    { "mamba", "GPTNeoXTokenizer" }, { "mamba2", "GPTNeoXTokenizer" }, { "rwkv", "GPTNeoXTokenizer" },
    { "cohere", "CohereTokenizer" }, { "cohere2", "CohereTokenizer" },
    { "qwen2", "Qwen2Tokenizer" }, { "qwen2_moe", "Qwen2Tokenizer" }, { "qwen3", "Qwen2Tokenizer" }, { "qwen3_moe", "Qwen2Tokenizer" },
    { "qwen3_next", "Qwen2Tokenizer" }, { "qwen2_vl", "Qwen2Tokenizer" }, { "qwen2_5_vl", "Qwen2Tokenizer" }, { "qwen3_vl", "Qwen2Tokenizer" },
    { "gemma", "GemmaTokenizer" }, { "gemma2", "GemmaTokenizer" }, { "gemma3", "GemmaTokenizer" }, { "gemma3_text", "GemmaTokenizer" },
    { "gemma3n", "GemmaTokenizer" }, { "gemma3n_text", "GemmaTokenizer" },
    { "glm", "" }, { "glm4", "" }, { "glm4_moe", "" }, { "gpt_bigcode", "" }, { "granite", "" }, { "granitemoe", "" }, { "granitemoehybrid", "" },
    { "ministral", "" }, { "ministral3", "" }, { "mistral", "" }, { "mistral3", "" }, { "mixtral", "" }, { "olmo2", "" }, { "olmo3", "" },
    { "persimmon", "" }, { "stablelm", "" }, { "umt5", "" }, { "xlm-roberta-xl", "" }, { "phi3", "" }, { "phimoe", "" }, { "arctic", "" },
    { "internlm2", "" }, { "internlm3", "" }, { "jamba", "" }, { "ernie4_5", "" }, { "ernie4_5_moe", "" }, { "modernbert", "" },
    { "modernbert-decoder", "" }, { "minimax_m2", "" }, { "minicpm3", "" }, { "nemotron", "" }, { "llava", "" }, { "llava_next", "" },
};

/* Model types whose published tokenizer_class is wrong (MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS), with a class of their own. */
static const char *const wrong_class[] = { "qwen2" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool same_name(const char *name, const char *plain)
{
    size_t n = strlen(plain);
    return !strncmp(name, plain, n) && (!name[n] || !strcmp(name + n, "Fast"));
}

const tokenizer_class *class_by_name(const char *name)
{
    for (size_t i = 0; name && i < COUNT(aliases); i++)
        if (same_name(name, aliases[i][0])) return class_by_name(aliases[i][1]);
    for (size_t i = 0; name && i < COUNT(classes); i++)
        if (same_name(name, classes[i].name)) return &classes[i];
    return NULL;
}

static bool names_byte_level(const json_t *part, const char *list_key)
{
    size_t i;
    json_t *one;
    const char *type = json_string_value(json_object_get(part, "type"));
    if (type && !strcmp(type, "ByteLevel")) return true;
    json_array_foreach(json_object_get(part, list_key), i, one)
        if (names_byte_level(one, list_key)) return true;
    return false;
}

static bool is_byte_level(const json_t *json)
{
    return names_byte_level(json_object_get(json, "pre_tokenizer"), "pretokenizers") || names_byte_level(json_object_get(json, "decoder"), "decoders") ||
           names_byte_level(json_object_get(json, "post_processor"), "processors") || names_byte_level(json_object_get(json, "normalizer"), "normalizers");
}

/* Null: model_type is in no row. */
static const char *class_of_model(const char *model_type)
{
    for (size_t i = 0; model_type && i < COUNT(model_types); i++)
        if (!strcmp(model_types[i][0], model_type)) return model_types[i][1];
    return NULL;
}

const tokenizer_class *class_choose(const json_t *config, const json_t *model, const json_t *json)
{
    const char *model_type = json_string_value(json_object_get(model, "model_type")), *own = class_of_model(model_type);
    const char *name = json_string_value(json_object_get(config, "tokenizer_class"));
    if (!name) name = json_string_value(json_object_get(model, "tokenizer_class"));
    if (name && same_name(name, "LlamaTokenizer") && is_byte_level(json)) return NULL;
    if (!name || (own && !*own)) return class_by_name(own);
    for (size_t i = 0; own && i < COUNT(wrong_class); i++)
        if (!strcmp(wrong_class[i], model_type)) return class_by_name(own);
    return class_by_name(name);
}

bool class_fits(const tokenizer_class *c, const json_t *json)
{
    const char *type = json_string_value(json_object_get(json_object_get(json, "model"), "type"));
    return type && !strcmp(type, c->model);
}

/* SentencePiece's table of replacements, if the file's normaliser has one; null: none. */
static json_t *find_charsmap(json_t *normalizer)
{
    size_t i;
    json_t *one;
    const char *type = json_string_value(json_object_get(normalizer, "type"));
    if (type && !strcmp(type, "Precompiled")) return normalizer;
    json_array_foreach(json_object_get(normalizer, "normalizers"), i, one)
        if ((type = json_string_value(json_object_get(one, "type"))) && !strcmp(type, "Precompiled")) return one;
    return NULL;
}

bool class_rebuild(const tokenizer_class *c, json_t *json, const json_t *config)
{
    static const char *const sections[] = { "normalizer", "pre_tokenizer", "decoder" };
    json_t *built = c->parts(config), *model = json_object_get(built, "model"), *old = json_object_get(json, "model");
    json_t *charsmap = !strcmp(c->model, "Unigram") ? find_charsmap(json_object_get(json, "normalizer")) : NULL;
    if (!built) return false;
    if (charsmap) json_object_set(built, "normalizer", charsmap);
    json_object_set_new(model, "type", json_string(c->model));
    json_object_set(model, "vocab", json_object_get(old, "vocab"));
    if (json_object_get(old, "merges")) json_object_set(model, "merges", json_object_get(old, "merges"));
    for (size_t i = 0; i < COUNT(sections); i++) json_object_set(json, sections[i], json_object_get(built, sections[i]));
    json_object_set(json, "model", model);
    bool done = !json_object_set_new(json, "added_tokens", json_array());
    json_decref(built);
    return done;
}
