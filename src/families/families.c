/* The list of families, and how one is found. A new family is one line here. */
#include <string.h>
#include <strings.h>

#include "families/family.h"

#define TERN_FAMILIES(X) \
    X(llama) X(mistral) X(mixtral) X(qwen2) X(qwen2_moe) X(qwen3) X(qwen3_moe) X(gemma) X(gemma2) X(gemma3) X(phi) \
    X(phi3) X(stablelm) \
    X(starcoder2) X(cohere) X(olmo) X(olmo2) X(granite) X(gpt2) X(gpt_neo) X(gptj) X(gpt_neox) X(opt) X(bloom) \
    X(mpt) X(bert) X(roberta) X(distilbert) X(deepseek_v2) X(deepseek_v3) X(smollm3) X(falcon) X(gpt_oss) \
    X(megatron_gpt)

#define X(name) extern const tern_family tern_family_##name;
TERN_FAMILIES(X)
#undef X

static const tern_family *const families[] = {
#define X(name) &tern_family_##name,
    TERN_FAMILIES(X)
#undef X
};

const tern_family_bind tern_family_decoder_classes = BIND(CLASSIFY, "score.weight");

static bool among(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; name && i < n && list[i]; i++)
        if (!strcmp(name, list[i])) return true;
    return false;
}

/* Whether text is the stem of a language model's class name ("Llama" of "LlamaForCausalLM") with
 * another ending. */
static bool sibling(const char *text, const char *with_head)
{
    static const char *const heads[] = { "ForCausalLM", "LMHeadModel" },
        *const others[] = { "Model", "ForSequenceClassification" };
    for (size_t h = 0; h < 2; h++) {
        const char *end = strstr(with_head, heads[h]);
        if (!end || strcmp(end, heads[h]) || strncmp(text, with_head, (size_t)(end - with_head))) continue;
        if (!strcmp(text + (end - with_head), others[0]) || !strcmp(text + (end - with_head), others[1])) return true;
    }
    return false;
}

static bool serves(const tern_family *f, const char *architecture)
{
    if (among(architecture, f->arch, sizeof f->arch / sizeof *f->arch)) return true;
    for (size_t i = 0; i < sizeof f->arch / sizeof *f->arch && f->arch[i]; i++)
        if (sibling(architecture, f->arch[i])) return true;
    return false;
}

const tern_family *tern_family_at(size_t i)
{
    return i < sizeof families / sizeof *families ? families[i] : NULL;
}

/* An architecture in another case of letters ("LLaMAForCausalLM" of the first checkpoints) counts
 * where the model_type is the family's. */
static bool serves_in_other_case(const tern_family *f, const char *architecture)
{
    for (size_t i = 0; i < sizeof f->arch / sizeof *f->arch && f->arch[i]; i++)
        if (!strcasecmp(f->arch[i], architecture)) return true;
    return false;
}

const tern_family *tern_family_find(const char *architecture, const char *model_type)
{
    const tern_family *by_type = NULL;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const tern_family *f = families[i];
        if (architecture && serves(f, architecture)) return f;
        if (among(model_type, f->model_type, sizeof f->model_type / sizeof *f->model_type)) by_type = f;
    }
    if (!architecture || (by_type && serves_in_other_case(by_type, architecture))) return by_type;
    return NULL;
}
