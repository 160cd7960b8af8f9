/* The keys of config.json that change nothing in what a model computes, whatever its family: see
 * hf_config.h. Where a key is without effect only at certain values, those are given, and another
 * value is refused whatever the class reads.
 * Source: transformers, PretrainedConfig of versions 2 to 5, and the config.json of public
 * checkpoints. */
#include "formats/hf_config.h"

const tern_hf_ignorable tern_hf_ignorables[] = {
    /* where a file comes from */
    { "_name_or_path", NULL }, { "name_or_path", NULL }, { "_commit_hash", NULL }, { "transformers_version", NULL },
    { "_from_model_config", NULL }, { "model_type", NULL }, { "architectures", NULL }, { "tokenizer_class", NULL },
    { "finetuning_task", NULL },
    { "unsloth_version", NULL }, { "unsloth_fixed", NULL }, { "language", NULL }, { "transformers.js_config", NULL },
    { "max_sequence_length", NULL }, { "is_llama_config", NULL },
    /* code that tern never runs, and which implementation of the same arithmetic to run */
    { "auto_map", NULL }, { "custom_pipelines", NULL }, { "trust_remote_code", NULL }, { "_attn_implementation", NULL },
    { "_attn_implementation_autoset", NULL }, { "_attn_implementation_internal", NULL },
    { "attn_implementation", NULL },
    { "_experts_implementation", NULL }, { "use_flash_attention_2", NULL }, { "_flash_attn_2_enabled", NULL },
    { "pretraining_tp", NULL },
    { "torchscript", NULL }, { "use_bfloat16", NULL }, { "tf_legacy_loss", NULL }, { "low_cpu_mem_usage", NULL },
    { "xla_device", NULL }, { "chunk_size_feed_forward", NULL },
    /* what a Python call returns */
    { "return_dict", NULL }, { "use_return_dict", NULL }, { "output_attentions", NULL },
    { "output_hidden_states", NULL }, { "output_past", NULL },
    { "output_scores", NULL }, { "output_router_logits", NULL }, { "use_cache", NULL }, { "num_logits_to_keep", NULL },
    { "keys_to_ignore_at_inference", NULL }, { "cache_implementation", NULL },
    /* training */
    { "initializer_range", NULL }, { "initializer_factor", NULL }, { "init_std", NULL }, { "init_device", NULL },
    { "dropout", NULL },
    { "*_dropout", NULL }, { "*_pdrop", NULL }, { "*_dropout_prob", NULL }, { "*_dropout_p", NULL },
    { "layerdrop", NULL }, { "*_layerdrop", NULL },
    { "gradient_checkpointing", NULL }, { "router_aux_loss_coef", NULL }, { "router_jitter_noise", NULL },
    { "router_z_loss_coef", NULL },
    { "aux_loss_alpha", NULL }, { "seq_aux", NULL }, { "neftune_noise_alpha", NULL }, { "problem_type", NULL },
    { "num_labels", NULL },
    { "_num_labels", NULL }, { "id2label", NULL }, { "label2id", NULL }, { "summary_*", NULL },
    /* what a CrossEncoder's scores go through: read where they are asked for (model/labels.c) */
    { "sentence_transformers", NULL }, { "sbert_ce_default_activation_function", NULL },
    /* the type of the weights, which their file says itself */
    { "torch_dtype", NULL }, { "dtype", NULL },
    /* special tokens: the tokenizer and generation_config.json have them; here they are read where
     * those are missing */
    { "bos_token_id", NULL }, { "eos_token_id", NULL }, { "pad_token_id", NULL }, { "sep_token_id", NULL },
    { "cls_token_id", NULL },
    { "mask_token_id", NULL }, { "unk_token_id", NULL }, { "bos_token", NULL }, { "eos_token", NULL },
    { "pad_token", NULL }, { "decoder_start_token_id", NULL },
    /* encoder and decoder in one, which no family here is; is_decoder is asked for by the encoders
     * whose class reads it, and a decoder is one */
    { "is_encoder_decoder", "false" }, { "is_decoder", "false" }, { "is_decoder", "true" },
    { "add_cross_attention", "false" }, { "cross_attention_hidden_size", "null" },
    { "tie_encoder_decoder", "false" }, { "pruned_heads", "{}" },
    /* weights that were quantized or compressed before */
    { "quantization_config", "null" }, { "compression_config", "null" },
    /* sampling and search, which generation_config.json and the caller decide; those that would
     * change what greedy search gives only off */
    { "task_specific_params", NULL }, { "max_length", NULL }, { "min_length", "0" }, { "do_sample", NULL },
    { "early_stopping", NULL },
    { "num_beams", NULL }, { "num_beam_groups", NULL }, { "diversity_penalty", NULL }, { "temperature", NULL },
    { "top_k", NULL },
    { "top_p", NULL }, { "typical_p", NULL }, { "length_penalty", NULL }, { "num_return_sequences", NULL },
    { "return_dict_in_generate", NULL },
    { "remove_invalid_values", NULL }, { "repetition_penalty", NULL }, { "encoder_no_repeat_ngram_size", NULL },
    { "no_repeat_ngram_size", "0" },
    { "exponential_decay_length_penalty", "null" }, { "bad_words_ids", "null" }, { "suppress_tokens", "null" },
    { "begin_suppress_tokens", "null" },
    { "forced_bos_token_id", "null" }, { "forced_eos_token_id", "null" }, { "prefix", NULL },
};

const size_t tern_hf_n_ignorables = sizeof tern_hf_ignorables / sizeof *tern_hf_ignorables;
