/* Recognizes the config.json of other libraries and of parts of models by a key of each: see
 * hf_other.h. Called where no family is named. */
#include "formats/hf_other.h"

static const struct { const char *key, *description; } signs[] = {
    { "_diffusers_version", "a part of a pipeline of diffusers, which tern does not run" },
    { "pooling_mode", "the Pooling module of sentence-transformers; name the directory above it" },
    { "pooling_mode_mean_tokens", "the Pooling module of sentence-transformers; name the directory above it" },
    { "word_embedding_dimension", "the Pooling module of sentence-transformers; name the directory above it" },
    { "in_features", "the Dense module of sentence-transformers; name the directory above it" },
    { "peft_type", "the config of an adapter of PEFT, which has no model of its own" },
    { "pretrained_config", "a model of TensorRT-LLM; take the files for transformers" },
    { "model_cfg", "a model of OpenCLIP; take the files for transformers" },
    { "pretrained_cfg", "a model of timm, which is for pictures" },
    { "add_source_bos", "a model of CTranslate2; take the files it was converted from" },
    { "hidden_size", "a model's config.json that lost its \"model_type\"; fetch it again" },
};

const char *tern_hf_other(const tern_hf_config *config)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (tern_hf_has(config, signs[i].key)) return signs[i].description;
    return NULL;
}
