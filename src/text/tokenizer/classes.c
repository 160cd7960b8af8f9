/* Which tokenizer class a checkpoint has, and what it makes of a tokenizer.json: see classes.h.
 * Called by open.c. */
#include "text/tokenizer/classes.h"

#include <stdio.h>
#include <string.h>

static const char *const code_llama_others[] = { "prefix_token", "\xe2\x96\x81<PRE>", "middle_token",
                                                 "\xe2\x96\x81<MID>", "suffix_token", "\xe2\x96\x81<SUF>", "eot_token",
                                                 "\xe2\x96\x81<EOT>", "fill_token", "<FILL_ME>", NULL };
static const char *const camembert_others[] = { "", "<s>NOTUSED", "", "</s>NOTUSED", "", "<unk>NOTUSED", NULL };

/* In the order of tern_role: bos, eos, unk, pad, cls, sep, mask. */
static const tokenizer_class classes[] = {
    { .name = "BertTokenizer", .model = "WordPiece",
      .roles = { NULL, NULL, "[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]" }, .parts = class_parts_bert,
      .post = POST_CLS_SEP },
    { .name = "MPNetTokenizer", .model = "WordPiece",
      .roles = { "<s>", "</s>", "[UNK]", "<pad>", "<s>", "</s>", "<mask>" }, .parts = class_parts_bert,
      .post = POST_ROBERTA, .mask_lstrip = true },
    { .name = "GPT2Tokenizer", .model = "BPE", .roles = { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>" },
      .parts = class_parts_gpt2,
      .takes_pad = true },
    { .name = "RobertaTokenizer", .model = "BPE", .roles = { "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", "<mask>" },
      .parts = class_parts_gpt2,
      .post = POST_ROBERTA },
    { .name = "GPTNeoXTokenizer", .model = "BPE",
      .roles = { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "<|padding|>" }, .parts = class_parts_gpt_neox,
      .post = POST_NONE },
    { .name = "CohereTokenizer", .model = "BPE",
      .roles = { "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", "<PAD>", "<CLS>", "<SEP>", "<MASK_TOKEN>" },
      .parts = class_parts_cohere },
    { .name = "Qwen2Tokenizer", .model = "BPE", .roles = { NULL, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>" },
      .parts = class_parts_qwen2,
      .plain_specials = true },
    { .name = "Qwen3_5Tokenizer", .model = "BPE", .roles = { NULL, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>" },
      .parts = class_parts_qwen3_5 },
    { .name = "DebertaTokenizer", .model = "BPE",
      .roles = { "[CLS]", "[SEP]", "[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]" }, .parts = class_parts_gpt2,
      .post = POST_CLS_SEP_SEP },
    { .name = "LlamaTokenizer", .model = "BPE", .roles = { "<s>", "</s>", "<unk>" }, .parts = class_parts_llama },
    { .name = "CodeLlamaTokenizer", .model = "BPE", .roles = { "<s>", "</s>", "<unk>" },
      .parts = class_parts_code_llama, .others = code_llama_others,
      .adds_bos = true },
    { .name = "GemmaTokenizer", .model = "BPE", .roles = { "<bos>", "<eos>", "<unk>", "<pad>", NULL, NULL, "<mask>" },
      .parts = class_parts_gemma },
    { .name = "XLMRobertaTokenizer", .model = "Unigram",
      .roles = { "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", "<mask>" },
      .parts = class_parts_xlm_roberta, .post = POST_BOS_EOS, .charsmap = CHARSMAP_ALONE },
    { .name = "CamembertTokenizer", .model = "Unigram",
      .roles = { "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", "<mask>" }, .parts = class_parts_camembert,
      .post = POST_BOS_EOS, .charsmap = CHARSMAP_ALONE, .others = camembert_others, .mask_lstrip = true },
    { .name = "AlbertTokenizer", .model = "Unigram",
      .roles = { "[CLS]", "[SEP]", "<unk>", "<pad>", "[CLS]", "[SEP]", "[MASK]" }, .parts = class_parts_albert,
      .post = POST_FILE_ELSE, .charsmap = CHARSMAP_LAST },
    { .name = "DebertaV2Tokenizer", .model = "Unigram",
      .roles = { "[CLS]", "[SEP]", "[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]" },
      .parts = class_parts_deberta_v2, .post = POST_CLS_SEP },
    { .name = "T5Tokenizer", .model = "Unigram", .roles = { NULL, "</s>", "<unk>", "<pad>" }, .parts = class_parts_t5,
      .post = POST_EOS,
      .charsmap = CHARSMAP_ALONE, .extra_ids = 100 },
};

/* Other names of the same classes. */
static const char *const aliases[][2] = {
    { "DistilBertTokenizer", "BertTokenizer" }, { "ElectraTokenizer", "BertTokenizer" },
    { "LayoutLMTokenizer", "BertTokenizer" },
    { "MobileBertTokenizer", "BertTokenizer" }, { "SqueezeBertTokenizer", "BertTokenizer" },
    { "LxmertTokenizer", "BertTokenizer" },
    { "ConvBertTokenizer", "BertTokenizer" }, { "CodeGenTokenizer", "GPT2Tokenizer" },
    { "BartTokenizer", "RobertaTokenizer" }, { "LEDTokenizer", "RobertaTokenizer" },
    { "LongformerTokenizer", "RobertaTokenizer" }, { "MvpTokenizer", "RobertaTokenizer" },
};

/* The class of each model_type, as far as the class is in the table; "" is the file as it is
 * written. */
static const struct {
    const char *name, *model_types;    /* between blanks */
} model_classes[] = {
    { "BertTokenizer", " bert convbert distilbert electra ernie layoutlm lxmert megatron-bert mobilebert nezha "
      "nomic_bert qdqbert retribert squeezebert " },
    { "MPNetTokenizer", " mpnet " },
    { "RobertaTokenizer", " bart data2vec-text ibert led longformer mega mra mvp roberta roberta-prelayernorm " },
    { "XLMRobertaTokenizer", " gte jina_embeddings_v3 xlm-roberta xmod " },
    { "CamembertTokenizer", " camembert " },
    { "AlbertTokenizer", " albert yoso " },
    { "DebertaTokenizer", " deberta " },
    { "DebertaV2Tokenizer", " deberta-v2 " },
    { "T5Tokenizer", " mt5 switch_transformers t5 " },
    { "GPT2Tokenizer", " codegen dbrx emu3 gpt2 gpt_neo gptj jais2 opt phi starcoder2 " },
    { "GPTNeoXTokenizer", " falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm " },
    { "CohereTokenizer", " aya_vision cohere cohere2 " },
    { "Qwen2Tokenizer", " internvl qwen2 qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_moe qwen3_next qwen3_vl "
      "qwen3_vl_moe " },
    { "Qwen3_5Tokenizer", " qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text " },
    { "LlamaTokenizer", " idefics idefics2 " },
    { "CodeLlamaTokenizer", " code_llama " },
    { "GemmaTokenizer",
      " gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma shieldgemma2 t5gemma zaya " },
    { "", " arctic aria bigbird_pegasus chatlm ernie4_5 ernie4_5_moe flex_olmo fuyu glm glm4 glm4_moe "
      "glm4_moe_lite glm4v gpt_bigcode granite granitemoe granitemoehybrid granitemoeshared h2ovl_chat "
      "hyperclovax hyperclovax_vlm internlm2 internlm3 iquestcoder jamba kimi_k25 kimi_linear llava "
      "llava_next mimo_v2_flash minicpm3 minicpmv minimax_m2 ministral ministral3 mistral mistral3 mixtral "
      "modernbert modernbert-decoder molmo molmo2 nemotron nvfp4 nystromformer olmo2 olmo3 olmo_hybrid "
      "opencua openvla paddleocr_vl persimmon phi3 phi3_v phimoe pixtral smolvlm stablelm step3_vl umt5 "
      "vipllava voxtral xlm-roberta-xl " },
};

/* Model types whose published tokenizer_class is wrong (MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS),
 * with a class of their own. */
static const char *const wrong_class[] = { "qwen2", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text" };

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
    return names_byte_level(json_object_get(json, "pre_tokenizer"), "pretokenizers") ||
           names_byte_level(json_object_get(json, "decoder"), "decoders") ||
           names_byte_level(json_object_get(json, "post_processor"), "processors") ||
           names_byte_level(json_object_get(json, "normalizer"), "normalizers");
}

/* Null: model_type is in no row. */
static const char *class_of_model(const char *model_type)
{
    char word[64];
    if (!model_type || strlen(model_type) + 3 > sizeof word) return NULL;
    snprintf(word, sizeof word, " %s ", model_type);
    for (size_t i = 0; i < COUNT(model_classes); i++)
        if (strstr(model_classes[i].model_types, word)) return model_classes[i].name;
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

/* SentencePiece's table of replacements, if the file's normalizer has one; null: none. */
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

static void place_charsmap(const tokenizer_class *c, json_t *built, json_t *charsmap)
{
    if (!charsmap) return;
    if (c->charsmap == CHARSMAP_ALONE) json_object_set(built, "normalizer", charsmap);
    if (c->charsmap == CHARSMAP_LAST)
        json_array_append(json_object_get(json_object_get(built, "normalizer"), "normalizers"), charsmap);
}

bool class_rebuild(const tokenizer_class *c, json_t *json, const json_t *config)
{
    static const char *const sections[] = { "normalizer", "pre_tokenizer", "decoder" };
    json_t *old = json_object_get(json, "model"), *built = c->parts(config, json_object_get(old, "vocab")),
        *model = json_object_get(built, "model");
    if (!built) return false;
    place_charsmap(c, built, find_charsmap(json_object_get(json, "normalizer")));
    json_object_set_new(model, "type", json_string(c->model));
    json_object_set(model, "vocab", json_object_get(old, "vocab"));
    if (json_object_get(old, "merges")) json_object_set(model, "merges", json_object_get(old, "merges"));
    for (size_t i = 0; i < COUNT(sections); i++)
        json_object_set(json, sections[i], json_object_get(built, sections[i]));
    json_object_set(json, "model", model);
    bool done = !json_object_set_new(json, "added_tokens", json_array());
    json_decref(built);
    return done;
}
