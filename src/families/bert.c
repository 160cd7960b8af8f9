/* BERT: a post-norm encoder with token types. Source: Devlin et al. 2019; Hugging Face BertModel
 * and its heads. */
#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    static const char *const kinds[] = { "absolute" };
    int kind = 0;
    (void)ctx;
    tern_hf_choice(config, "position_embedding_type", kinds, 1, &kind);
    if (tern_spec_flag(s, "is_decoder", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"is_decoder\" is true, and this family is an encoder");
    if (tern_spec_flag(s, "add_cross_attention", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"add_cross_attention\" is true, and there is nothing to attend to");
    return TERN_OK;
}

const tern_family tern_family_bert = {
    .name = "bert", .arch = { "BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification" },
    .model_type = { "bert" }, .prefix = { "bert." },
    .ignore = { "*embeddings.position_ids", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias",
                "cls.seq_relationship.*" },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"),
         KEY_AS(KV_HEADS, NULL, HEADS), KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY(FFN, "intermediate_size"),
         KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 512), KEY_OR(TYPES, "type_vocab_size", 2),
         KEY_OR(ACT, "hidden_act", ACT_GELU_ERF), KEY_OR(EPS, "layer_norm_eps", 1e-12),
         KEY_OR(TIED, "tie_word_embeddings", 1), SET(NORM, NORM_LAYER), SET(NORM_POSITION, NORM_POST), SET(GATED, 0),
         SET(CAUSAL, 0), SET(POSITION, POS_LEARNED)),
    BINDS(BIND(EMBED, "embeddings.word_embeddings.weight"), BIND(POS, "embeddings.position_embeddings.weight"),
          BIND(TYPE, "embeddings.token_type_embeddings.weight"), BIND(EMBED_NORM, "embeddings.LayerNorm.weight"),
          BIND(EMBED_NORM, "embeddings.LayerNorm.gamma"), BIND(EMBED_NORM_B, "embeddings.LayerNorm.bias"),
          BIND(EMBED_NORM_B, "embeddings.LayerNorm.beta"), ENCODER_LAYERS, MAYBE(POOL, "pooler.dense.weight"),
          MAYBE(POOL_B, "pooler.dense.bias"), BIND(TRANSFORM, "cls.predictions.transform.dense.weight"),
          BIND(TRANSFORM_B, "cls.predictions.transform.dense.bias"),
          BIND(TRANSFORM_NORM, "cls.predictions.transform.LayerNorm.weight"),
          BIND(TRANSFORM_NORM, "cls.predictions.transform.LayerNorm.gamma"),
          BIND(TRANSFORM_NORM_B, "cls.predictions.transform.LayerNorm.bias"),
          BIND(TRANSFORM_NORM_B, "cls.predictions.transform.LayerNorm.beta"),
          BIND(HEAD, "cls.predictions.decoder.weight"), BIND(HEAD_B, "cls.predictions.decoder.bias"),
          BIND(HEAD_B, "cls.predictions.bias"), BIND(CLASSIFY, "classifier.weight"),
          BIND(CLASSIFY_B, "classifier.bias")),
    .adjust = adjust,
};
