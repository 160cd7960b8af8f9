/* RoBERTa and XLM-RoBERTa: BERT whose positions begin behind the padding index, with another head.
 * Source: Liu et al. 2019; Conneau et al. 2020; Hugging Face RobertaModel, XLMRobertaModel and
 * their heads. */
#include "families/common.h"

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    static const char *const kinds[] = { "absolute" };
    int kind = 0;
    int64_t pad = 1;
    (void)ctx;
    tern_hf_choice(config, "position_embedding_type", kinds, 1, &kind);
    tern_hf_int(config, "pad_token_id", 0, tern_get(s, S_VOCAB) - 1, &pad);
    if (tern_spec_flag(s, "is_decoder", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"is_decoder\" is true, and this family is an encoder");
    if (tern_spec_flag(s, "add_cross_attention", false))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED,
                       "\"add_cross_attention\" is true, and there is nothing to attend to");
    /* The table's rows count the padding index: a text has so many positions fewer. */
    s->value[S_POS_OFFSET] = s->value[S_POS_ROWS_MORE] = (double)(pad + 1);
    s->value[S_POS_PAD] = (double)pad;
    s->value[S_MAX_POS] -= (double)(pad + 1);
    if (s->value[S_MAX_POS] < 1)
        tern_hf_refuse(config, TERN_ERR_FORMAT,
                       "\"max_position_embeddings\" leaves no position behind \"pad_token_id\" %lld", (long long)pad);
    return TERN_OK;
}

const tern_family tern_family_roberta = {
    .name = "roberta",
    .arch = { "RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification", "XLMRobertaModel",
              "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification" },
    .model_type = { "roberta", "xlm-roberta" }, .prefix = { "roberta." },
    .ignore = { "*embeddings.position_ids", "lm_head.decoder.weight", "lm_head.decoder.bias" },
    KEYS(KEY(DIM, "hidden_size"), KEY(LAYERS, "num_hidden_layers"), KEY(HEADS, "num_attention_heads"),
         KEY_AS(KV_HEADS, NULL, HEADS), KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY(FFN, "intermediate_size"),
         KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 514), KEY_OR(TYPES, "type_vocab_size", 1),
         KEY_OR(ACT, "hidden_act", ACT_GELU_ERF), KEY_OR(EPS, "layer_norm_eps", 1e-5),
         KEY_OR(TIED, "tie_word_embeddings", 1), SET(NORM, NORM_LAYER), SET(NORM_POSITION, NORM_POST), SET(GATED, 0),
         SET(CAUSAL, 0), SET(POSITION, POS_LEARNED), SET(TRANSFORM_ACT, ACT_GELU_ERF)),
    BINDS(BIND(EMBED, "embeddings.word_embeddings.weight"), BIND(POS, "embeddings.position_embeddings.weight"),
          BIND(TYPE, "embeddings.token_type_embeddings.weight"), BIND(EMBED_NORM, "embeddings.LayerNorm.weight"),
          BIND(EMBED_NORM, "embeddings.LayerNorm.gamma"), BIND(EMBED_NORM_B, "embeddings.LayerNorm.bias"),
          BIND(EMBED_NORM_B, "embeddings.LayerNorm.beta"), ENCODER_LAYERS, MAYBE(POOL, "pooler.dense.weight"),
          MAYBE(POOL_B, "pooler.dense.bias"), BIND(TRANSFORM, "lm_head.dense.weight"),
          BIND(TRANSFORM_B, "lm_head.dense.bias"), BIND(TRANSFORM_NORM, "lm_head.layer_norm.weight"),
          BIND(TRANSFORM_NORM_B, "lm_head.layer_norm.bias"), BIND(HEAD, "lm_head.decoder.weight"),
          BIND(HEAD_B, "lm_head.decoder.bias"), BIND(HEAD_B, "lm_head.bias"),
          BIND(CLASSIFY_DENSE, "classifier.dense.weight"), BIND(CLASSIFY_DENSE_B, "classifier.dense.bias"),
          BIND(CLASSIFY, "classifier.out_proj.weight"), BIND(CLASSIFY_B, "classifier.out_proj.bias")),
    .adjust = adjust,
};
