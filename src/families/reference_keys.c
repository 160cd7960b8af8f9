/* The keys of config.json that Hugging Face's classes know: see reference_keys.h. Written by
 * tools/make_config_keys.py from transformers 4.30.2, 4.33.3, 4.36.2, 4.39.3, 4.42.4, 4.45.2,
 * 4.48.3, 4.51.3, 4.53.3, 4.55.4, 4.57.6 and 5.24.0. */
#include "families/reference_keys.h"

#include <string.h>

#define READ(key, fallback) { key, fallback, true }
#define KNOWN(key, fallback) { key, fallback, false }
#define CLASS(model_type, keys, base) { model_type, keys, sizeof keys / sizeof *keys, base }

/* what every class shares */
static const tern_reference_key every_keys[] = {
    KNOWN("_attn_implementation", NULL), KNOWN("_attn_implementation_autoset", "false"),
    KNOWN("_attn_implementation_internal", NULL), KNOWN("_commit_hash", "null"),
    KNOWN("_experts_implementation", NULL), KNOWN("_name_or_path", NULL), READ("add_cross_attention", "false"),
    KNOWN("architectures", "null"), READ("attention_chunk_size", "null"), KNOWN("attn_implementation", "null"),
    KNOWN("bad_words_ids", "null"), KNOWN("begin_suppress_tokens", "null"), KNOWN("bos_token_id", "null"),
    KNOWN("chunk_size_feed_forward", "0"), READ("cross_attention_hidden_size", "null"), READ("decoder", NULL),
    KNOWN("decoder_start_token_id", "null"), KNOWN("diversity_penalty", "0.0"), KNOWN("do_sample", "false"),
    KNOWN("dtype", "null"), KNOWN("early_stopping", "false"), KNOWN("encoder_no_repeat_ngram_size", "0"),
    KNOWN("eos_token_id", "null"), KNOWN("experts_implementation", "null"),
    KNOWN("exponential_decay_length_penalty", "null"), KNOWN("finetuning_task", "null"),
    KNOWN("forced_bos_token_id", "null"), KNOWN("forced_eos_token_id", "null"), READ("generator", NULL),
    KNOWN("gradient_checkpointing", "false"), READ("id2label", "null"), KNOWN("init_std", NULL),
    KNOWN("initializer_factor", NULL), KNOWN("initializer_range", "0.02"), READ("is_causal", "true"),
    READ("is_decoder", "false"), READ("is_encoder_decoder", "false"), READ("kv_sharing_modes", "null"),
    KNOWN("label2id", "null"), READ("layer_types", "null"), KNOWN("length_penalty", "1.0"), KNOWN("max_length", "20"),
    KNOWN("min_length", "0"), KNOWN("name_or_path", "\"\""), KNOWN("no_repeat_ngram_size", "0"),
    KNOWN("num_beam_groups", "1"), KNOWN("num_beams", "1"), READ("num_kv_shared_layers", NULL),
    READ("num_labels", "null"), KNOWN("num_return_sequences", "1"), KNOWN("output_attentions", "false"),
    KNOWN("output_hidden_states", "false"), KNOWN("output_scores", "false"), READ("pad_token_id", "null"),
    READ("per_layer_config", "null"), KNOWN("prefix", "null"), KNOWN("problem_type", "null"),
    READ("pruned_heads", "{}"), READ("quantization_config", "null"), KNOWN("remove_invalid_values", "false"),
    KNOWN("repetition_penalty", "1.0"), KNOWN("return_dict", "true"), KNOWN("return_dict_in_generate", "false"),
    KNOWN("sep_token_id", "null"), READ("sliding_window", "null"), KNOWN("suppress_tokens", "null"),
    KNOWN("task_specific_params", "null"), KNOWN("temperature", "1.0"), READ("text_config", NULL),
    READ("text_encoder", NULL), KNOWN("tf_legacy_loss", "false"), READ("tie_encoder_decoder", "false"),
    READ("tie_word_embeddings", "false"), READ("token_classification_bias", "true"), KNOWN("tokenizer_class", "null"),
    KNOWN("top_k", "50"), KNOWN("top_p", "1.0"), KNOWN("torch_dtype", "null"), KNOWN("torchscript", "false"),
    KNOWN("transformers_version", "null"), READ("transformers_weights", "null"), KNOWN("typical_p", "1.0"),
    KNOWN("use_bfloat16", "false"), KNOWN("xla_device", "null"),
};

static const tern_reference_class every = CLASS("", every_keys, NULL);

/* of a class that has a rope */
static const tern_reference_key rope_keys[] = {
    READ("_rope_type_labels", NULL), READ("original_max_position_embeddings", NULL),
    READ("partial_rotary_factor", "null"), READ("rope_parameters.attention_factor", NULL),
    READ("rope_parameters.beta_fast", NULL), READ("rope_parameters.beta_slow", NULL),
    READ("rope_parameters.factor", NULL), READ("rope_parameters.high_freq_factor", NULL),
    READ("rope_parameters.long_factor", NULL), READ("rope_parameters.low_freq_factor", NULL),
    READ("rope_parameters.mscale", NULL), READ("rope_parameters.mscale_all_dim", NULL),
    READ("rope_parameters.original_max_position_embeddings", NULL),
    READ("rope_parameters.partial_rotary_factor", NULL), READ("rope_parameters.rope_theta", NULL),
    READ("rope_parameters.rope_type", NULL), READ("rope_parameters.short_factor", NULL),
    READ("rope_parameters.truncate", NULL), READ("rope_parameters.type", NULL),
    READ("rope_scaling.attention_factor", NULL), READ("rope_scaling.beta_fast", NULL),
    READ("rope_scaling.beta_slow", NULL), READ("rope_scaling.factor", NULL),
    READ("rope_scaling.high_freq_factor", NULL), READ("rope_scaling.long_factor", NULL),
    READ("rope_scaling.low_freq_factor", NULL), READ("rope_scaling.mscale", NULL),
    READ("rope_scaling.mscale_all_dim", NULL), READ("rope_scaling.original_max_position_embeddings", NULL),
    READ("rope_scaling.partial_rotary_factor", NULL), READ("rope_scaling.rope_theta", NULL),
    READ("rope_scaling.rope_type", NULL), READ("rope_scaling.short_factor", NULL), READ("rope_scaling.truncate", NULL),
    READ("rope_scaling.type", NULL),
};

static const tern_reference_class rope = CLASS("", rope_keys, &every);

/* of a class that has one for each type of layer */
static const tern_reference_key layer_rope_keys[] = {
    READ("rope_parameters.full_attention.attention_factor", NULL),
    READ("rope_parameters.full_attention.beta_fast", NULL), READ("rope_parameters.full_attention.beta_slow", NULL),
    READ("rope_parameters.full_attention.factor", NULL), READ("rope_parameters.full_attention.high_freq_factor", NULL),
    READ("rope_parameters.full_attention.long_factor", NULL),
    READ("rope_parameters.full_attention.low_freq_factor", NULL), READ("rope_parameters.full_attention.mscale", NULL),
    READ("rope_parameters.full_attention.mscale_all_dim", NULL),
    READ("rope_parameters.full_attention.original_max_position_embeddings", NULL),
    READ("rope_parameters.full_attention.partial_rotary_factor", NULL),
    READ("rope_parameters.full_attention.rope_theta", NULL), READ("rope_parameters.full_attention.rope_type", NULL),
    READ("rope_parameters.full_attention.short_factor", NULL), READ("rope_parameters.full_attention.truncate", NULL),
    READ("rope_parameters.full_attention.type", NULL),
    READ("rope_parameters.sliding_attention.attention_factor", NULL),
    READ("rope_parameters.sliding_attention.beta_fast", NULL),
    READ("rope_parameters.sliding_attention.beta_slow", NULL), READ("rope_parameters.sliding_attention.factor", NULL),
    READ("rope_parameters.sliding_attention.high_freq_factor", NULL),
    READ("rope_parameters.sliding_attention.long_factor", NULL),
    READ("rope_parameters.sliding_attention.low_freq_factor", NULL),
    READ("rope_parameters.sliding_attention.mscale", NULL),
    READ("rope_parameters.sliding_attention.mscale_all_dim", NULL),
    READ("rope_parameters.sliding_attention.original_max_position_embeddings", NULL),
    READ("rope_parameters.sliding_attention.partial_rotary_factor", NULL),
    READ("rope_parameters.sliding_attention.rope_theta", NULL),
    READ("rope_parameters.sliding_attention.rope_type", NULL),
    READ("rope_parameters.sliding_attention.short_factor", NULL),
    READ("rope_parameters.sliding_attention.truncate", NULL), READ("rope_parameters.sliding_attention.type", NULL),
    READ("rope_scaling.full_attention.attention_factor", NULL), READ("rope_scaling.full_attention.beta_fast", NULL),
    READ("rope_scaling.full_attention.beta_slow", NULL), READ("rope_scaling.full_attention.factor", NULL),
    READ("rope_scaling.full_attention.high_freq_factor", NULL), READ("rope_scaling.full_attention.long_factor", NULL),
    READ("rope_scaling.full_attention.low_freq_factor", NULL), READ("rope_scaling.full_attention.mscale", NULL),
    READ("rope_scaling.full_attention.mscale_all_dim", NULL),
    READ("rope_scaling.full_attention.original_max_position_embeddings", NULL),
    READ("rope_scaling.full_attention.partial_rotary_factor", NULL),
    READ("rope_scaling.full_attention.rope_theta", NULL), READ("rope_scaling.full_attention.rope_type", NULL),
    READ("rope_scaling.full_attention.short_factor", NULL), READ("rope_scaling.full_attention.truncate", NULL),
    READ("rope_scaling.full_attention.type", NULL), READ("rope_scaling.sliding_attention.attention_factor", NULL),
    READ("rope_scaling.sliding_attention.beta_fast", NULL), READ("rope_scaling.sliding_attention.beta_slow", NULL),
    READ("rope_scaling.sliding_attention.factor", NULL), READ("rope_scaling.sliding_attention.high_freq_factor", NULL),
    READ("rope_scaling.sliding_attention.long_factor", NULL),
    READ("rope_scaling.sliding_attention.low_freq_factor", NULL), READ("rope_scaling.sliding_attention.mscale", NULL),
    READ("rope_scaling.sliding_attention.mscale_all_dim", NULL),
    READ("rope_scaling.sliding_attention.original_max_position_embeddings", NULL),
    READ("rope_scaling.sliding_attention.partial_rotary_factor", NULL),
    READ("rope_scaling.sliding_attention.rope_theta", NULL), READ("rope_scaling.sliding_attention.rope_type", NULL),
    READ("rope_scaling.sliding_attention.short_factor", NULL), READ("rope_scaling.sliding_attention.truncate", NULL),
    READ("rope_scaling.sliding_attention.type", NULL),
};

static const tern_reference_class layer_rope = CLASS("", layer_rope_keys, &rope);

static const tern_reference_key bert_keys[] = {
    KNOWN("attention_probs_dropout_prob", "0.1"), KNOWN("classifier_dropout", "null"), KNOWN("embedding_size", NULL),
    READ("hidden_act", "\"gelu\""), KNOWN("hidden_dropout_prob", "0.1"), READ("hidden_size", "768"),
    READ("intermediate_size", "3072"), READ("layer_norm_eps", "1e-12"), READ("max_position_embeddings", "512"),
    READ("num_attention_heads", "12"), READ("num_hidden_layers", "12"), READ("pad_token_id", "0"),
    READ("position_embedding_type", "\"absolute\""), READ("tie_word_embeddings", "true"), READ("type_vocab_size", "2"),
    KNOWN("use_cache", "true"), READ("vocab_size", "30522"),
};

static const tern_reference_key bloom_keys[] = {
    READ("apply_residual_connection_post_layernorm", "false"), KNOWN("attention_dropout", "0.0"),
    KNOWN("bos_token_id", "1"), KNOWN("classifier_dropout", NULL), KNOWN("eos_token_id", "2"),
    KNOWN("hidden_dropout", "0.0"), READ("hidden_size", "64"), READ("layer_norm_epsilon", "1e-05"),
    READ("n_embed", "null"), READ("n_head", "8"), READ("n_layer", "2"), READ("num_attention_heads", NULL),
    READ("num_hidden_layers", NULL), KNOWN("pretraining_tp", "1"), KNOWN("slow_but_exact", "false"),
    READ("tie_word_embeddings", "true"), KNOWN("use_cache", "true"), READ("vocab_size", "250880"),
};

static const tern_reference_key camembert_keys[] = {
    KNOWN("attention_probs_dropout_prob", "0.1"), KNOWN("bos_token_id", "0"), KNOWN("classifier_dropout", "null"),
    KNOWN("embedding_size", NULL), KNOWN("eos_token_id", "2"), READ("hidden_act", "\"gelu\""),
    KNOWN("hidden_dropout_prob", "0.1"), READ("hidden_size", "768"), READ("intermediate_size", "3072"),
    READ("layer_norm_eps", "1e-12"), READ("max_position_embeddings", "512"), READ("num_attention_heads", "12"),
    READ("num_hidden_layers", "12"), READ("pad_token_id", "1"), READ("position_embedding_type", "\"absolute\""),
    READ("tie_word_embeddings", "true"), READ("type_vocab_size", "2"), KNOWN("use_cache", "true"),
    READ("vocab_size", "30522"),
};

static const tern_reference_key cohere_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "5"),
    KNOWN("eos_token_id", "255001"), READ("head_dim", "null"), READ("hidden_act", "\"silu\""),
    READ("hidden_size", "8192"), READ("intermediate_size", "22528"), READ("layer_norm_eps", "1e-05"),
    READ("logit_scale", "0.0625"), READ("max_position_embeddings", "8192"), READ("num_attention_heads", "64"),
    READ("num_hidden_layers", "40"), READ("num_key_value_heads", "null"), READ("pad_token_id", "0"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "500000.0"),
    READ("tie_word_embeddings", "true"), KNOWN("use_cache", "true"), READ("use_qk_norm", "false"),
    READ("vocab_size", "256000"),
};

static const tern_reference_key deepseek_v2_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("aux_loss_alpha", "0.001"),
    KNOWN("bos_token_id", "1"), KNOWN("eos_token_id", "2"), READ("first_k_dense_replace", "0"),
    READ("head_dim", "null"), READ("hidden_act", "\"silu\""), READ("hidden_size", "4096"),
    READ("intermediate_size", "11008"), READ("kv_lora_rank", "512"), READ("max_position_embeddings", "2048"),
    READ("mlp_bias", "false"), READ("moe_intermediate_size", "1407"), READ("n_group", "null"),
    READ("n_routed_experts", "64"), READ("n_shared_experts", "2"), READ("norm_topk_prob", "false"),
    READ("num_attention_heads", "32"), READ("num_experts", NULL), READ("num_experts_per_tok", "null"),
    READ("num_hidden_layers", "32"), READ("num_key_value_heads", "null"), KNOWN("output_router_logits", "false"),
    KNOWN("pretraining_tp", "1"), READ("q_lora_rank", "1536"), READ("qk_nope_head_dim", "128"),
    READ("qk_rope_head_dim", "64"), READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"),
    READ("rope_scaling", "null"), READ("rope_theta", "10000.0"), READ("routed_scaling_factor", "1.0"),
    KNOWN("seq_aux", "true"), READ("topk_group", "null"), READ("topk_method", "\"greedy\""),
    KNOWN("use_cache", "true"), READ("v_head_dim", "128"), READ("vocab_size", "102400"),
};

static const tern_reference_key deepseek_v3_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "0"),
    KNOWN("eos_token_id", "1"), READ("first_k_dense_replace", "3"), READ("head_dim", "null"),
    READ("hidden_act", "\"silu\""), READ("hidden_size", "7168"), READ("intermediate_size", "18432"),
    READ("kv_lora_rank", "512"), READ("max_position_embeddings", "4096"), READ("moe_intermediate_size", "2048"),
    READ("n_group", "8"), READ("n_routed_experts", "256"), READ("n_shared_experts", "1"),
    READ("norm_topk_prob", "true"), READ("num_attention_heads", "128"), READ("num_experts_per_tok", "8"),
    READ("num_hidden_layers", "61"), READ("num_key_value_heads", "128"), READ("num_local_experts", NULL),
    KNOWN("num_mtp_layers", NULL), KNOWN("output_router_logits", "false"), KNOWN("pretraining_tp", "1"),
    READ("q_lora_rank", "1536"), READ("qk_head_dim", NULL), READ("qk_nope_head_dim", "128"),
    READ("qk_rope_head_dim", "64"), READ("rms_norm_eps", "1e-06"), READ("rope_interleave", "true"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "10000.0"),
    READ("routed_scaling_factor", "2.5"), READ("topk_group", "4"), KNOWN("use_cache", "true"),
    READ("v_head_dim", "128"), READ("vocab_size", "129280"),
};

static const tern_reference_key distilbert_keys[] = {
    READ("activation", "\"gelu\""), KNOWN("attention_dropout", "0.1"), READ("dim", "768"), KNOWN("dropout", "0.1"),
    READ("hidden_dim", "3072"), READ("hidden_size", NULL), READ("max_position_embeddings", "512"),
    READ("n_heads", "12"), READ("n_layers", "6"), READ("num_attention_heads", NULL), READ("num_hidden_layers", NULL),
    READ("pad_token_id", "0"), KNOWN("qa_dropout", "0.1"), KNOWN("seq_classif_dropout", "0.2"),
    KNOWN("sinusoidal_pos_embds", "false"), READ("tie_word_embeddings", "true"), READ("vocab_size", "30522"),
};

static const tern_reference_key falcon_keys[] = {
    KNOWN("_is_quantized", NULL), READ("activation", "\"gelu\""), READ("alibi", "false"),
    KNOWN("attention_dropout", "0.0"), READ("bias", "false"), KNOWN("bos_token_id", "11"),
    KNOWN("classifier_dropout", "null"), KNOWN("eos_token_id", "11"), READ("ffn_hidden_size", "null"),
    READ("head_dim", "null"), KNOWN("hidden_dropout", "0.0"), READ("hidden_size", "4544"),
    READ("layer_norm_epsilon", "1e-05"), READ("max_position_embeddings", "2048"), READ("multi_query", "true"),
    READ("n_embed", "null"), READ("new_decoder_architecture", "false"), READ("num_attention_heads", "71"),
    READ("num_hidden_layers", "32"), READ("num_kv_heads", "null"), READ("num_ln_in_parallel_attn", "null"),
    READ("parallel_attn", "true"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "10000.0"), READ("rotary", NULL), READ("tie_word_embeddings", "true"),
    KNOWN("use_cache", "true"), READ("vocab_size", "65024"),
};

static const tern_reference_key gemma_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "2"),
    KNOWN("classifier_dropout", "null"), KNOWN("eos_token_id", "1"), READ("head_dim", "256"),
    READ("hidden_act", "\"gelu_pytorch_tanh\""), READ("hidden_activation", "null"), KNOWN("hidden_dropout", "null"),
    READ("hidden_size", "3072"), READ("intermediate_size", "24576"), READ("max_position_embeddings", "8192"),
    READ("num_attention_heads", "16"), READ("num_hidden_layers", "28"), READ("num_key_value_heads", "16"),
    READ("pad_token_id", "0"), READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"),
    READ("rope_scaling", NULL), READ("rope_theta", "10000.0"), READ("tie_word_embeddings", "true"),
    READ("use_bidirectional_attention", "null"), KNOWN("use_cache", "true"), KNOWN("use_return_dict", NULL),
    READ("vocab_size", "256000"),
};

static const tern_reference_key gemma2_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), READ("attn_logit_softcapping", "50.0"),
    KNOWN("bos_token_id", "2"), KNOWN("cache_implementation", "\"hybrid\""), KNOWN("classifier_dropout", "null"),
    KNOWN("eos_token_id", "1"), READ("final_logit_softcapping", "30.0"), READ("head_dim", "256"),
    READ("hidden_activation", "\"gelu_pytorch_tanh\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "2304"),
    READ("intermediate_size", "9216"), READ("max_position_embeddings", "8192"), READ("num_attention_heads", "8"),
    READ("num_hidden_layers", "26"), READ("num_key_value_heads", "4"), READ("pad_token_id", "0"),
    READ("query_pre_attn_scalar", "256"), READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"),
    READ("rope_scaling", NULL), READ("rope_theta", "10000.0"), READ("sliding_window", "4096"),
    READ("tie_word_embeddings", "true"), READ("use_bidirectional_attention", "null"), KNOWN("use_cache", "true"),
    KNOWN("use_return_dict", NULL), READ("vocab_size", "256000"),
};

static const tern_reference_key gemma3_text_keys[] = {
    READ("_sliding_window_pattern", NULL), READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"),
    READ("attn_logit_softcapping", "null"), KNOWN("bos_token_id", "2"), KNOWN("cache_implementation", "\"hybrid\""),
    KNOWN("eos_token_id", "1"), READ("final_logit_softcapping", "null"), READ("head_dim", "256"),
    READ("hidden_activation", "\"gelu_pytorch_tanh\""), READ("hidden_size", "2304"), READ("intermediate_size", "9216"),
    READ("max_position_embeddings", "131072"), READ("mm_tokens_per_image", NULL), READ("num_attention_heads", "8"),
    READ("num_hidden_layers", "26"), READ("num_key_value_heads", "4"), READ("pad_token_id", "0"),
    READ("query_pre_attn_scalar", "256"), READ("rms_norm_eps", "1e-06"), READ("rope_local_base_freq", "10000.0"),
    READ("rope_parameters", "null"), READ("rope_parameters.full_attention", NULL),
    READ("rope_parameters.sliding_attention", NULL), READ("rope_scaling", "null"),
    READ("rope_scaling.full_attention", NULL), READ("rope_scaling.sliding_attention", NULL),
    READ("rope_theta", "1000000.0"), READ("sliding_window", "4096"), READ("sliding_window_pattern", "6"),
    READ("tie_word_embeddings", "true"), READ("use_bidirectional_attention", "false"), KNOWN("use_cache", "true"),
    READ("vision_config", NULL), READ("vocab_size", "262208"),
};

static const tern_reference_key gpt2_keys[] = {
    READ("activation_function", "\"gelu_new\""), KNOWN("attn_pdrop", "0.1"), KNOWN("bos_token_id", "50256"),
    KNOWN("classifier_dropout", NULL), KNOWN("embd_pdrop", "0.1"), KNOWN("eos_token_id", "50256"),
    KNOWN("hidden_dropout", NULL), READ("hidden_size", NULL), READ("layer_norm_epsilon", "1e-05"),
    READ("max_position_embeddings", NULL), READ("n_embd", "768"), READ("n_head", "12"), READ("n_inner", "null"),
    READ("n_layer", "12"), READ("n_positions", "1024"), READ("num_attention_heads", NULL),
    READ("num_hidden_layers", NULL), KNOWN("reorder_and_upcast_attn", "false"), KNOWN("resid_pdrop", "0.1"),
    READ("scale_attn_by_inverse_layer_idx", "false"), READ("scale_attn_weights", "true"),
    KNOWN("summary_activation", "null"), KNOWN("summary_first_dropout", "0.1"), KNOWN("summary_last_dropout", NULL),
    KNOWN("summary_proj_to_labels", "true"), KNOWN("summary_type", "\"cls_index\""), KNOWN("summary_use_proj", "true"),
    READ("tie_word_embeddings", "true"), KNOWN("use_cache", "true"), READ("vocab_size", "50257"),
};

static const tern_reference_key gpt_neo_keys[] = {
    KNOWN("_is_quantized", NULL), READ("activation_function", "\"gelu_new\""), KNOWN("attention_dropout", "0.0"),
    READ("attention_layers", NULL), READ("attention_types", "null"), KNOWN("bos_token_id", "50256"),
    KNOWN("classifier_dropout", "0.1"), KNOWN("embed_dropout", "0.0"), KNOWN("eos_token_id", "50256"),
    READ("hidden_size", "2048"), READ("intermediate_size", "null"), READ("layer_norm_epsilon", "1e-05"),
    READ("max_position_embeddings", "2048"), READ("num_attention_heads", NULL), READ("num_heads", "16"),
    READ("num_hidden_layers", NULL), READ("num_layers", "24"), KNOWN("resid_dropout", "0.0"),
    READ("tie_word_embeddings", "true"), KNOWN("use_cache", "true"), READ("vocab_size", "50257"),
    READ("window_size", "256"),
};

static const tern_reference_key gpt_neox_keys[] = {
    READ("attention_bias", "true"), KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "0"),
    KNOWN("classifier_dropout", "0.1"), KNOWN("eos_token_id", "2"), READ("head_dim", "null"),
    READ("hidden_act", "\"gelu\""), KNOWN("hidden_dropout", "0.0"), READ("hidden_size", "6144"),
    READ("intermediate_size", "24576"), READ("layer_norm_eps", "1e-05"), READ("max_position_embeddings", "2048"),
    READ("num_attention_heads", "64"), READ("num_hidden_layers", "44"), READ("rms_norm_eps", NULL),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", NULL),
    READ("rotary_emb_base", "10000"), READ("rotary_pct", "0.25"), KNOWN("use_cache", "true"),
    READ("use_parallel_residual", "true"), READ("vocab_size", "50432"),
};

static const tern_reference_key gpt_oss_keys[] = {
    READ("attention_bias", "true"), KNOWN("attention_dropout", "0.0"), READ("head_dim", "64"),
    KNOWN("hidden_act", "\"silu\""), READ("hidden_size", "2880"), READ("intermediate_size", "2880"),
    READ("max_position_embeddings", "131072"), READ("num_attention_heads", "64"), READ("num_experts", NULL),
    READ("num_experts_per_tok", "4"), READ("num_hidden_layers", "36"), READ("num_key_value_heads", "8"),
    READ("num_local_experts", "128"), KNOWN("output_router_logits", "false"), READ("rms_norm_eps", "1e-05"),
    READ("rope_parameters", "null"),
    READ("rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 32.0, \"beta_fast\": 32.0, \"beta_slow\": 1.0, "
         "\"truncate\": false, \"original_max_position_embeddings\": 4096}"),
    READ("rope_theta", "150000.0"), KNOWN("router_aux_loss_coef", "0.001"), READ("sliding_window", "128"),
    READ("swiglu_alpha", "1.702"), READ("swiglu_limit", "7.0"), KNOWN("use_cache", "true"),
    READ("vocab_size", "201088"),
};

static const tern_reference_key gptj_keys[] = {
    READ("activation_function", "\"gelu_new\""), KNOWN("attn_pdrop", "0.0"), KNOWN("bos_token_id", "50256"),
    KNOWN("embd_pdrop", "0.0"), KNOWN("eos_token_id", "50256"), READ("hidden_size", NULL),
    READ("layer_norm_epsilon", "1e-05"), READ("max_position_embeddings", NULL), READ("n_embd", "4096"),
    READ("n_head", "16"), READ("n_inner", "null"), READ("n_layer", "28"), READ("n_positions", "2048"),
    READ("num_attention_heads", NULL), READ("num_hidden_layers", NULL), KNOWN("resid_pdrop", "0.0"),
    READ("rotary_dim", "64"), KNOWN("use_cache", "true"), READ("vocab_size", "50400"),
};

static const tern_reference_key granite_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), READ("attention_multiplier", "1.0"),
    KNOWN("bos_token_id", "1"), READ("embedding_multiplier", "1.0"), KNOWN("eos_token_id", "2"),
    READ("head_dim", "null"), READ("hidden_act", "\"silu\""), READ("hidden_size", "4096"),
    READ("intermediate_size", "11008"), READ("logits_scaling", "1.0"), READ("max_position_embeddings", "2048"),
    READ("mlp_bias", "false"), READ("num_attention_heads", "32"), READ("num_hidden_layers", "32"),
    READ("num_key_value_heads", "null"), READ("residual_multiplier", "1.0"), READ("rms_norm_eps", "1e-06"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "10000.0"),
    KNOWN("use_cache", "true"), READ("vocab_size", "32000"),
};

static const tern_reference_key llama_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "1"),
    KNOWN("classifier_dropout", "null"), KNOWN("eos_token_id", "2"), READ("head_dim", "null"),
    READ("hidden_act", "\"silu\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "4096"),
    READ("intermediate_size", "11008"), READ("max_position_embeddings", "2048"), READ("mlp_bias", "false"),
    READ("num_attention_heads", "32"), READ("num_hidden_layers", "32"), READ("num_key_value_heads", "null"),
    KNOWN("pretraining_tp", "1"), READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"),
    READ("rope_scaling", "null"), READ("rope_theta", "10000.0"), KNOWN("use_cache", "true"),
    READ("vocab_size", "32000"),
};

static const tern_reference_key mistral_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "1"), KNOWN("classifier_dropout", "null"),
    KNOWN("eos_token_id", "2"), READ("head_dim", "null"), READ("hidden_act", "\"silu\""),
    KNOWN("hidden_dropout", "null"), READ("hidden_size", "4096"), READ("intermediate_size", "14336"),
    READ("max_position_embeddings", "131072"), READ("num_attention_heads", "32"), READ("num_hidden_layers", "32"),
    READ("num_key_value_heads", "8"), READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"),
    READ("rope_scaling", NULL), READ("rope_theta", "10000.0"), READ("sliding_window", "4096"),
    KNOWN("use_cache", "true"), READ("vocab_size", "32000"),
};

static const tern_reference_key mixtral_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "1"), KNOWN("classifier_dropout", "null"),
    KNOWN("eos_token_id", "2"), READ("head_dim", "null"), READ("hidden_act", "\"silu\""),
    KNOWN("hidden_dropout", "null"), READ("hidden_size", "4096"), READ("intermediate_size", "14336"),
    READ("max_position_embeddings", "131072"), READ("num_attention_heads", "32"), READ("num_experts", NULL),
    READ("num_experts_per_tok", "2"), READ("num_hidden_layers", "32"), READ("num_key_value_heads", "8"),
    READ("num_local_experts", "8"), KNOWN("output_router_logits", "false"), READ("rms_norm_eps", "1e-05"),
    READ("rope_parameters", "null"), READ("rope_scaling", NULL), READ("rope_theta", "1000000.0"),
    KNOWN("router_aux_loss_coef", "0.001"), KNOWN("router_jitter_noise", "0.0"), KNOWN("use_cache", "true"),
    READ("vocab_size", "32000"),
};

static const tern_reference_key mpt_keys[] = {
    READ("attn_config", "null"), KNOWN("attn_config.alibi", "true"), KNOWN("attn_config.alibi_bias_max", "8"),
    KNOWN("attn_config.attn_impl", "\"torch\""), KNOWN("attn_config.attn_pdrop", "0"),
    KNOWN("attn_config.attn_type", "\"multihead_attention\""), KNOWN("attn_config.attn_uses_sequence_id", "false"),
    READ("attn_config.clip_qkv", "null"), KNOWN("attn_config.prefix_lm", "false"), KNOWN("attn_config.qk_ln", "false"),
    READ("attn_config.softmax_scale", "null"), KNOWN("classifier_dropout", NULL), READ("d_model", "2048"),
    KNOWN("emb_pdrop", "0.0"), KNOWN("embedding_fraction", "1.0"), KNOWN("expansion_ratio", "4"),
    KNOWN("hidden_dropout", NULL), READ("hidden_size", NULL), KNOWN("init_device", "\"cpu\""),
    READ("layer_norm_epsilon", "1e-05"), KNOWN("learned_pos_emb", "true"), KNOWN("logit_scale", "null"),
    READ("max_seq_len", "2048"), READ("n_heads", "16"), READ("n_layers", "24"), KNOWN("no_bias", "true"),
    KNOWN("norm_type", "\"low_precision_layernorm\""), READ("num_attention_heads", NULL),
    READ("num_hidden_layers", NULL), KNOWN("resid_pdrop", "0.0"), READ("tie_word_embeddings", "true"),
    KNOWN("use_cache", "false"), KNOWN("verbose", "0"), READ("vocab_size", "50368"),
};

static const tern_reference_key olmo_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), READ("clip_qkv", "null"),
    KNOWN("eos_token_id", "50279"), READ("head_dim", "null"), READ("hidden_act", "\"silu\""),
    READ("hidden_size", "4096"), READ("intermediate_size", "11008"), READ("max_position_embeddings", "2048"),
    READ("num_attention_heads", "32"), READ("num_hidden_layers", "32"), READ("num_key_value_heads", "null"),
    READ("pad_token_id", "1"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "10000.0"), KNOWN("use_cache", "true"), READ("vocab_size", "50304"),
};

static const tern_reference_key olmo2_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("eos_token_id", "50279"),
    READ("head_dim", "null"), READ("hidden_act", "\"silu\""), READ("hidden_size", "4096"),
    READ("intermediate_size", "11008"), READ("max_position_embeddings", "2048"), READ("num_attention_heads", "32"),
    READ("num_hidden_layers", "32"), READ("num_key_value_heads", "null"), READ("pad_token_id", "1"),
    READ("rms_norm_eps", "1e-05"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "10000.0"), KNOWN("use_cache", "true"), READ("vocab_size", "50304"),
};

static const tern_reference_key opt_keys[] = {
    READ("_remove_final_layer_norm", "false"), READ("activation_function", "\"relu\""),
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "2"), READ("do_layer_norm_before", "true"),
    KNOWN("dropout", "0.1"), READ("enable_bias", "true"), KNOWN("eos_token_id", "2"), READ("ffn_dim", "3072"),
    READ("hidden_size", "768"), KNOWN("init_std", "0.02"), READ("layer_norm_elementwise_affine", "true"),
    KNOWN("layerdrop", "0.0"), READ("max_position_embeddings", "2048"), READ("num_attention_heads", "12"),
    READ("num_hidden_layers", "12"), READ("pad_token_id", "1"), READ("tie_word_embeddings", "true"),
    KNOWN("use_cache", "true"), READ("vocab_size", "50272"), READ("word_embed_proj_dim", "null"),
};

static const tern_reference_key phi_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "1"), KNOWN("classifier_dropout", "null"),
    KNOWN("embd_pdrop", "0.0"), KNOWN("eos_token_id", "2"), READ("head_dim", "null"),
    READ("hidden_act", "\"gelu_new\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "2048"),
    READ("intermediate_size", "8192"), READ("layer_norm_eps", "1e-05"), READ("max_position_embeddings", "2048"),
    READ("num_attention_heads", "32"), READ("num_hidden_layers", "24"), READ("num_key_value_heads", "null"),
    READ("partial_rotary_factor", "0.5"), READ("qk_layernorm", "false"), KNOWN("resid_pdrop", "0.0"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "10000.0"),
    KNOWN("use_cache", "true"), READ("vocab_size", "51200"),
};

static const tern_reference_key phi3_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "1"), KNOWN("classifier_dropout", "null"),
    KNOWN("embd_pdrop", "0.0"), KNOWN("eos_token_id", "32000"), READ("head_dim", "null"),
    READ("hidden_act", "\"silu\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "3072"),
    READ("intermediate_size", "8192"), READ("max_position_embeddings", "4096"), READ("num_attention_heads", "32"),
    READ("num_hidden_layers", "32"), READ("num_key_value_heads", "null"),
    READ("original_max_position_embeddings", "4096"), READ("pad_token_id", "32000"),
    READ("partial_rotary_factor", "1.0"), KNOWN("resid_pdrop", "0.0"), READ("rms_norm_eps", "1e-05"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "10000.0"),
    KNOWN("use_cache", "true"), READ("vocab_size", "32064"),
};

static const tern_reference_key qwen2_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("classifier_dropout", "null"), READ("head_dim", "null"),
    READ("hidden_act", "\"silu\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "4096"),
    READ("intermediate_size", "22016"), READ("max_position_embeddings", "32768"), READ("max_window_layers", "28"),
    READ("num_attention_heads", "32"), READ("num_hidden_layers", "32"), READ("num_key_value_heads", "32"),
    READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "10000.0"), READ("sliding_window", "4096"), KNOWN("use_cache", "true"),
    READ("use_sliding_window", "false"), READ("vocab_size", "151936"),
};

static const tern_reference_key qwen2_moe_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("classifier_dropout", "null"), READ("decoder_sparse_step", "1"),
    READ("head_dim", "null"), READ("hidden_act", "\"silu\""), KNOWN("hidden_dropout", "null"),
    READ("hidden_size", "2048"), READ("intermediate_size", "5632"), READ("max_position_embeddings", "32768"),
    READ("max_window_layers", "28"), READ("mlp_only_layers", "null"), READ("moe_intermediate_size", "1408"),
    READ("norm_topk_prob", "false"), READ("num_attention_heads", "16"), READ("num_experts", "60"),
    READ("num_experts_per_tok", "4"), READ("num_hidden_layers", "24"), READ("num_key_value_heads", "16"),
    KNOWN("output_router_logits", "false"), READ("qkv_bias", "true"), READ("rms_norm_eps", "1e-06"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "10000.0"),
    KNOWN("router_aux_loss_coef", "0.001"), READ("shared_expert_intermediate_size", "5632"),
    READ("sliding_window", "4096"), KNOWN("use_cache", "true"), READ("use_sliding_window", "false"),
    READ("vocab_size", "151936"),
};

static const tern_reference_key qwen3_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("classifier_dropout", "null"),
    READ("head_dim", "128"), READ("hidden_act", "\"silu\""), KNOWN("hidden_dropout", "null"),
    READ("hidden_size", "4096"), READ("intermediate_size", "22016"), READ("max_position_embeddings", "32768"),
    READ("max_window_layers", "28"), READ("num_attention_heads", "32"), READ("num_hidden_layers", "32"),
    READ("num_key_value_heads", "32"), READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"),
    READ("rope_scaling", "null"), READ("rope_theta", "10000.0"), READ("sliding_window", "4096"),
    KNOWN("use_cache", "true"), READ("use_sliding_window", "false"), READ("vocab_size", "151936"),
};

static const tern_reference_key qwen3_moe_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("classifier_dropout", "null"),
    READ("decoder_sparse_step", "1"), READ("head_dim", "null"), READ("hidden_act", "\"silu\""),
    KNOWN("hidden_dropout", "null"), READ("hidden_size", "2048"), READ("intermediate_size", "6144"),
    READ("max_position_embeddings", "32768"), READ("max_window_layers", "28"), READ("mlp_only_layers", "null"),
    READ("moe_intermediate_size", "768"), READ("norm_topk_prob", "false"), READ("num_attention_heads", "32"),
    READ("num_experts", "128"), READ("num_experts_per_tok", "8"), READ("num_hidden_layers", "24"),
    READ("num_key_value_heads", "4"), READ("num_local_experts", NULL), KNOWN("output_router_logits", "false"),
    READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "10000.0"), KNOWN("router_aux_loss_coef", "0.001"), READ("sliding_window", "4096"),
    KNOWN("use_cache", "true"), READ("use_sliding_window", "false"), READ("vocab_size", "151936"),
};

static const tern_reference_key roberta_keys[] = {
    KNOWN("attention_probs_dropout_prob", "0.1"), KNOWN("bos_token_id", "0"), KNOWN("classifier_dropout", "null"),
    KNOWN("embedding_size", NULL), KNOWN("eos_token_id", "2"), READ("hidden_act", "\"gelu\""),
    KNOWN("hidden_dropout_prob", "0.1"), READ("hidden_size", "768"), READ("intermediate_size", "3072"),
    READ("layer_norm_eps", "1e-12"), READ("max_position_embeddings", "512"), READ("num_attention_heads", "12"),
    READ("num_hidden_layers", "12"), READ("pad_token_id", "1"), READ("position_embedding_type", "\"absolute\""),
    READ("tie_word_embeddings", "true"), READ("type_vocab_size", "2"), KNOWN("use_cache", "true"),
    READ("vocab_size", "50265"),
};

static const tern_reference_key smollm3_keys[] = {
    READ("attention_bias", "false"), KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "128000"),
    KNOWN("classifier_dropout", "null"), KNOWN("eos_token_id", "128001"), READ("head_dim", "null"),
    READ("hidden_act", "\"silu\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "2048"),
    READ("intermediate_size", "11008"), READ("max_position_embeddings", "32768"), READ("mlp_bias", "false"),
    READ("no_rope_layer_interval", "4"), READ("no_rope_layers", "null"), READ("num_attention_heads", "16"),
    READ("num_hidden_layers", "36"), READ("num_key_value_heads", "4"), READ("pad_token_id", "128004"),
    READ("rms_norm_eps", "1e-06"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "2000000.0"), READ("tie_word_embeddings", "true"), KNOWN("use_cache", "true"),
    READ("use_sliding_window", "false"), READ("vocab_size", "128256"),
};

static const tern_reference_key stablelm_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "0"), KNOWN("classifier_dropout", "null"),
    KNOWN("eos_token_id", "0"), READ("head_dim", "null"), READ("hidden_act", "\"silu\""),
    KNOWN("hidden_dropout", "0.0"), READ("hidden_size", "2560"), READ("intermediate_size", "6912"),
    READ("layer_norm_eps", "1e-05"), READ("max_position_embeddings", "4096"), READ("num_attention_heads", "32"),
    READ("num_hidden_layers", "32"), READ("num_key_value_heads", "32"), READ("partial_rotary_factor", "0.25"),
    READ("qk_layernorm", "false"), READ("rope_parameters", "null"), READ("rope_scaling", "null"),
    READ("rope_theta", "10000"), KNOWN("use_cache", "true"), READ("use_parallel_residual", "false"),
    READ("use_qkv_bias", "false"), READ("vocab_size", "50304"),
};

static const tern_reference_key starcoder2_keys[] = {
    KNOWN("attention_dropout", "0.0"), KNOWN("bos_token_id", "50256"), KNOWN("classifier_dropout", "null"),
    KNOWN("embedding_dropout", "0.0"), KNOWN("eos_token_id", "50256"), READ("head_dim", "null"),
    READ("hidden_act", "\"gelu_pytorch_tanh\""), KNOWN("hidden_dropout", "null"), READ("hidden_size", "3072"),
    KNOWN("initializer_range", "0.018042"), READ("intermediate_size", "12288"),
    READ("max_position_embeddings", "4096"), READ("norm_epsilon", "1e-05"), READ("num_attention_heads", "24"),
    READ("num_hidden_layers", "30"), READ("num_key_value_heads", "2"), KNOWN("residual_dropout", "0.0"),
    READ("rope_parameters", "null"), READ("rope_scaling", "null"), READ("rope_theta", "10000.0"),
    READ("tie_word_embeddings", "true"), READ("use_bias", "true"), KNOWN("use_cache", "true"),
    READ("vocab_size", "49152"),
};

static const tern_reference_key xlm_roberta_keys[] = {
    KNOWN("attention_probs_dropout_prob", "0.1"), KNOWN("bos_token_id", "0"), KNOWN("classifier_dropout", "null"),
    KNOWN("embedding_size", NULL), KNOWN("eos_token_id", "2"), READ("hidden_act", "\"gelu\""),
    KNOWN("hidden_dropout_prob", "0.1"), READ("hidden_size", "768"), READ("intermediate_size", "3072"),
    READ("layer_norm_eps", "1e-12"), READ("max_position_embeddings", "512"), READ("num_attention_heads", "12"),
    READ("num_hidden_layers", "12"), READ("pad_token_id", "1"), READ("position_embedding_type", "\"absolute\""),
    READ("tie_word_embeddings", "true"), READ("type_vocab_size", "2"), KNOWN("use_cache", "true"),
    READ("vocab_size", "30522"),
};

static const tern_reference_class classes[] = {
    CLASS("RefinedWeb", falcon_keys, &rope), CLASS("RefinedWebModel", falcon_keys, &rope),
    CLASS("bert", bert_keys, &every), CLASS("bloom", bloom_keys, &every), CLASS("camembert", camembert_keys, &every),
    CLASS("cohere", cohere_keys, &rope), CLASS("deepseek_v2", deepseek_v2_keys, &rope),
    CLASS("deepseek_v3", deepseek_v3_keys, &rope), CLASS("distilbert", distilbert_keys, &every),
    CLASS("falcon", falcon_keys, &rope), CLASS("gemma", gemma_keys, &rope), CLASS("gemma2", gemma2_keys, &rope),
    CLASS("gemma3_text", gemma3_text_keys, &layer_rope), CLASS("gpt2", gpt2_keys, &every),
    CLASS("gpt_neo", gpt_neo_keys, &every), CLASS("gpt_neox", gpt_neox_keys, &rope),
    CLASS("gpt_oss", gpt_oss_keys, &rope), CLASS("gptj", gptj_keys, &every), CLASS("granite", granite_keys, &rope),
    CLASS("llama", llama_keys, &rope), CLASS("mistral", mistral_keys, &rope), CLASS("mixtral", mixtral_keys, &rope),
    CLASS("mpt", mpt_keys, &every), CLASS("olmo", olmo_keys, &rope), CLASS("olmo2", olmo2_keys, &rope),
    CLASS("opt", opt_keys, &every), CLASS("phi", phi_keys, &rope), CLASS("phi3", phi3_keys, &rope),
    CLASS("qwen2", qwen2_keys, &rope), CLASS("qwen2_moe", qwen2_moe_keys, &rope), CLASS("qwen3", qwen3_keys, &rope),
    CLASS("qwen3_moe", qwen3_moe_keys, &rope), CLASS("roberta", roberta_keys, &every),
    CLASS("smollm3", smollm3_keys, &rope), CLASS("stablelm", stablelm_keys, &rope),
    CLASS("stablelm_epoch", stablelm_keys, &rope), CLASS("starcoder2", starcoder2_keys, &rope),
    CLASS("xlm-roberta", xlm_roberta_keys, &every),
};

const tern_reference_class *tern_reference_class_of(const char *model_type)
{
    for (size_t i = 0; model_type && i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].model_type, model_type)) return &classes[i];
    return NULL;
}

const tern_reference_key *tern_reference_key_of(const tern_reference_class *class, const char *key)
{
    for (; class; class = class->base)
        for (size_t i = 0; i < class->n_key; i++)
            if (!strcmp(class->keys[i].key, key)) return &class->keys[i];
    return NULL;
}
