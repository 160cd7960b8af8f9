/* MPT: alibi, LayerNorm without bias, no biases at all. Source: MosaicML 2023; Hugging Face
 * MptForCausalLM. */
#include "families/spec.h"

static void must_be(tern_hf_config *config, const char *key, bool wanted)
{
    bool value = wanted;
    if (tern_hf_bool(config, key, &value) && value != wanted)
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"%s\" is %s, and only %s is supported", key,
                       value ? "true" : "false", wanted ? "true" : "false");
}

static tern_status adjust(tern_ctx *ctx, tern_hf_config *config, tern_spec *s)
{
    if (!tern_spec_flag(s, "is_causal", true))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"is_causal\" is false, and the class of this model fails then");
    (void)ctx;
    /* Hugging Face's class computes with 8 whatever the key says, MosaicML's with the key: only
     * where both agree there is one answer */
    int64_t alibi_max = 8;
    tern_hf_int(config, "attn_config.alibi_bias_max", 8, 8, &alibi_max);
    must_be(config, "attn_config.alibi", true);
    must_be(config, "attn_config.qk_ln", false);
    must_be(config, "attn_config.prefix_lm", false);
    must_be(config, "attn_config.attn_uses_sequence_id", false);
    must_be(config, "no_bias", true);
    tern_hf_number(config, "attn_config.clip_qkv", 1e-9, 1e9, &s->value[S_CLIP_QKV]);
    if (tern_hf_has(config, "logit_scale"))
        tern_hf_refuse(config, TERN_ERR_UNSUPPORTED, "\"logit_scale\" is given, and logits are not scaled here");
    tern_hf_number(config, "attn_config.softmax_scale", 1e-9, 1e9, &s->value[S_ATTN_SCALE]);
    return TERN_OK;
}

const tern_family tern_family_mpt = {
    .name = "mpt",
    .arch = { "MptForCausalLM", "MPTForCausalLM" },
    .model_type = { "mpt" },
    .prefix = { "transformer." },
    .no_effect = { "attn_config.attn_impl", "attn_config.attn_pdrop", "attn_config.attn_type", "emb_pdrop",
                   "resid_pdrop", "embedding_fraction", "init_device",
                   "init_config", "learned_pos_emb", "norm_type", "verbose",
                   "attn_config._name_or_path", "attn_config.chunk_size_feed_forward", "attn_config.id2label",
                   "attn_config.label2id", "attn_config.is_encoder_decoder",
                   "attn_config.model_type", "attn_config.output_*", "attn_config.return_dict",
                   "attn_config.problem_type", "attn_config.architectures", "attn_config.*dtype",
                   "attn_config.transformers_version",
                   "expansion_ratio" /* the MLP is 4 times as wide whatever it says */ },
    KEYS(KEY(DIM, "d_model"), KEY(LAYERS, "n_layers"), KEY(HEADS, "n_heads"), KEY_AS(KV_HEADS, NULL, HEADS),
         KEY_OVER(HEAD_DIM, NULL, DIM, HEADS), KEY_TIMES(FFN, NULL, DIM, 4), KEY(VOCAB, "vocab_size"),
         KEY_OR(MAX_POS, "max_seq_len", 2048), KEY_OR(EPS, "layer_norm_epsilon", 1e-5),
         KEY_OR(TIED, "tie_word_embeddings", 1), SET(ACT, ACT_GELU_ERF), SET(NORM, NORM_LAYER), SET(GATED, 0),
         SET(POSITION, POS_ALIBI)),
    BINDS(BIND(EMBED, "wte.weight"), BIND(OUT_NORM, "norm_f.weight"), BIND(HEAD, "lm_head.weight"),
          BIND(ATTN_NORM, "blocks.{l}.norm_1.weight"), BIND(MLP_NORM, "blocks.{l}.norm_2.weight"),
          BIND(QKV, "blocks.{l}.attn.Wqkv.weight"), BIND(O, "blocks.{l}.attn.out_proj.weight"),
          BIND(UP, "blocks.{l}.ffn.up_proj.weight"), BIND(DOWN, "blocks.{l}.ffn.down_proj.weight")),
    .adjust = adjust,
};
