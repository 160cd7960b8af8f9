/* DistilBERT: BERT without token types and pooler, with names of its own. Source: Sanh et al. 2019; Hugging Face DistilBertModel and its heads. */
#include "families/spec.h"

const tern_family tern_family_distilbert = {
    .name = "distilbert",
    .arch = { "DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification" },
    .model_type = { "distilbert" },
    .prefix = { "distilbert." },
    .ignore = { "*embeddings.position_ids", "vocab_projector.weight" },
    .no_effect = { "sinusoidal_pos_embds", "qa_dropout", "seq_classif_dropout", "tie_weights_" },
    KEYS(KEY(DIM, "dim"), KEY(LAYERS, "n_layers"), KEY(HEADS, "n_heads"), KEY_AS(KV_HEADS, NULL, HEADS), KEY_OVER(HEAD_DIM, NULL, DIM, HEADS),
         KEY_TIMES(FFN, "hidden_dim", DIM, 4), KEY(VOCAB, "vocab_size"), KEY_OR(MAX_POS, "max_position_embeddings", 512), KEY_OR(ACT, "activation", ACT_GELU_ERF),
         KEY_OR(TIED, "tie_word_embeddings", 1), SET(EPS, 1e-12), SET(NORM, NORM_LAYER), SET(NORM_POSITION, NORM_POST), SET(GATED, 0), SET(CAUSAL, 0),
         SET(POSITION, POS_LEARNED), SET(CLASSIFY_ACT, ACT_RELU)),
    BINDS(BIND(EMBED, "embeddings.word_embeddings.weight"), BIND(POS, "embeddings.position_embeddings.weight"),
          BIND(EMBED_NORM, "embeddings.LayerNorm.weight"), BIND(EMBED_NORM_B, "embeddings.LayerNorm.bias"),
          BIND(ATTN_NORM, "transformer.layer.{l}.sa_layer_norm.weight"), BIND(ATTN_NORM_B, "transformer.layer.{l}.sa_layer_norm.bias"),
          BIND(MLP_NORM, "transformer.layer.{l}.output_layer_norm.weight"), BIND(MLP_NORM_B, "transformer.layer.{l}.output_layer_norm.bias"),
          BIND(Q, "transformer.layer.{l}.attention.q_lin.weight"), BIND(Q_B, "transformer.layer.{l}.attention.q_lin.bias"),
          BIND(K, "transformer.layer.{l}.attention.k_lin.weight"), BIND(K_B, "transformer.layer.{l}.attention.k_lin.bias"),
          BIND(V, "transformer.layer.{l}.attention.v_lin.weight"), BIND(V_B, "transformer.layer.{l}.attention.v_lin.bias"),
          BIND(O, "transformer.layer.{l}.attention.out_lin.weight"), BIND(O_B, "transformer.layer.{l}.attention.out_lin.bias"),
          BIND(UP, "transformer.layer.{l}.ffn.lin1.weight"), BIND(UP_B, "transformer.layer.{l}.ffn.lin1.bias"),
          BIND(DOWN, "transformer.layer.{l}.ffn.lin2.weight"), BIND(DOWN_B, "transformer.layer.{l}.ffn.lin2.bias"),
          BIND(TRANSFORM, "vocab_transform.weight"), BIND(TRANSFORM_B, "vocab_transform.bias"), BIND(TRANSFORM_NORM, "vocab_layer_norm.weight"),
          BIND(TRANSFORM_NORM_B, "vocab_layer_norm.bias"), BIND(HEAD, "vocab_projector.weight"), BIND(HEAD_B, "vocab_projector.bias"),
          BIND(CLASSIFY_DENSE, "pre_classifier.weight"), BIND(CLASSIFY_DENSE_B, "pre_classifier.bias"),
          BIND(CLASSIFY, "classifier.weight"), BIND(CLASSIFY_B, "classifier.bias")),
};
