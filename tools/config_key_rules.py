"""What tools/make_config_keys.py is told: which classes, and which keys and code of transformers
count. Each rule has its reason. Nothing here is derived; a new version may need new rows.
"""
VERSIONS = ["4.30.2", "4.33.3", "4.36.2", "4.39.3", "4.42.4", "4.45.2", "4.48.3", "4.51.3", "4.53.3", "4.55.4", "4.57.6", "5.24.0"]

# model_type: names with which the classes begin that count (none: every class of the modelling
# file). More model_types share a table under "as".
CLASSES = {
    "bert": {}, "bloom": {}, "cohere": {}, "deepseek_v2": {}, "deepseek_v3": {}, "distilbert": {},
    "falcon": {"as": ["RefinedWeb", "RefinedWebModel"]},
    "gemma": {}, "gemma2": {},
    "gemma3_text": {"roots": ["Gemma3ForCausalLM", "Gemma3TextModel", "Gemma3TextForSequenceClassification"]},
    "gpt2": {}, "gpt_neo": {}, "gpt_neox": {}, "gpt_oss": {}, "gptj": {}, "granite": {}, "llama": {}, "mistral": {}, "mixtral": {}, "mpt": {}, "olmo": {}, "olmo2": {}, "opt": {}, "phi": {},
    "phi3": {}, "qwen2": {}, "qwen2_moe": {}, "qwen3": {}, "qwen3_moe": {}, "roberta": {}, "smollm3": {}, "stablelm": {"as": ["stablelm_epoch"]}, "starcoder2": {},
    "camembert": {}, "xlm-roberta": {},
}

# Read keys that change no result of a forward pass in inference: pattern, why, and the model_types
# for which it does not hold.
UNUSED = [
    ("*dropout*", "training", ()), ("*_pdrop", "training", ()), ("*layerdrop", "training", ()), ("*drop_path*", "training", ()),
    ("initializer_*", "training: how weights begin", ()), ("init_std", "training: how weights begin", ()), ("gradient_checkpointing", "training", ()),
    ("router_aux_loss_coef", "training: a loss", ()), ("aux_loss_alpha", "training: a loss", ()), ("seq_aux", "training: a loss", ()), ("router_z_loss_coef", "training: a loss", ()),
    ("router_jitter_noise", "training: noise on the router's input", ()), ("problem_type", "training: a loss", ()), ("loss_type", "training: a loss", ()),
    ("output_*", "what a call returns", ()), ("return_dict", "what a call returns", ()), ("use_return_dict", "what a call returns", ()), ("use_cache", "what a call returns", ()),
    ("torchscript", "what a call returns", ()), ("chunk_size_feed_forward", "how many rows a call takes at a time", ()),
    ("_attn_implementation*", "which code runs the same arithmetic", ()), ("attn_implementation", "which code runs the same arithmetic", ()),
    ("_flash_attn_2_enabled", "which code runs the same arithmetic", ()), ("_experts_implementation*", "which code runs the same arithmetic", ()),
    ("experts_implementation", "which code runs the same arithmetic", ()),
    ("pretraining_tp", "sums in parts", ()), ("slow_but_exact", "sums in parts", ()), ("reorder_and_upcast_attn", "the same arithmetic, in float32 where weights are not", ()),
    ("dtype", "the weights' file says it", ()), ("torch_dtype", "the weights' file says it", ()), ("use_bfloat16", "the weights' file says it", ()),
    ("architectures", "names the class", ()), ("model_type", "names the class", ()), ("transformers_version", "where a file comes from", ()),
    ("name_or_path", "where a file comes from", ()), ("_name_or_path", "where a file comes from", ()), ("_commit_hash", "where a file comes from", ()),
    ("auto_map", "names code, which decides by another rule", ()), ("tokenizer_class", "the tokenizer's", ()), ("keys_to_ignore_at_inference", "what a call returns", ()),
    ("bos_token_id", "generation", ()), ("eos_token_id", "generation", ()), ("sep_token_id", "generation", ()), ("decoder_start_token_id", "generation", ()),
    ("xla_device", "where it runs", ()), ("_is_quantized", "set while loading", ()),
    ("summary_*", "of a head that no class here has", ()), ("sinusoidal_pos_embds", "training: how weights begin", ()),
    ("embedding_size", "whether sizes are checked", ("albert", "electra", "roformer")), ("tf_legacy_loss", "training: a loss", ()),
]

# What a configuration class has and no file sets: plans, names and the like.
NOT_KEYS = ("base_model_*", "model_type", "attribute_map", "sub_configs*", "is_composition", "has_no_defaults_at_init", "base_config_key", "extra_files", "extra_config_files", "default_theta",
            "default_rope_type", "ignore_keys_at_rope_validation", "__*", "is_heterogeneous", "_auto_class", "_post_init_done", "_create_repo", "_experts_implementation_internal",
            "quantization_config.*", "get", "get_*", "_get_*", "_has_*", "save_pretrained", "nested_rope_parameter_keys", "standardize_rope_params", "_pre_quantization_dtype", "_attn_was_changed")

# Definitions of shared code that run nothing here: heads of XLNet and XLM, caches of fixed size or
# in few bits, recurrent states, draft layers.
ELSEWHERE = ("SequenceSummary", "Pooler*", "SQuADHead", "*Static*", "*Quantized*", "*Quant*", "Mamba*", "LinearAttention*", "Mtp*", "DFlash*", "DeepGEMM*")

# What shared code reads and no class is shaped by: arguments of loading, and sizes and ropes, which
# the code of the classes that have them reads too.
SHARED_DROPPED = """_is_quantized device device_map device_mesh disable_mmap disk_offload_folder distributed_config fusion_config hf_quantizer ignore_mismatched_sizes is_quantized
    pretrained_model_name_or_path sharded_metadata weight_mapping weights_only alibi use_alibi attention_dropout classifier_dropout hidden_dropout head_dim hidden_size
    intermediate_size layer_norm_eps max_position_embeddings no_rope_layers num_attention_heads num_hidden_layers num_key_value_heads rms_norm_eps rope_parameters rope_scaling rope_theta
    number_of_conv_states conv_kernel state_size sliding_window_pattern vocab_size""".split()
SUB_CONFIGS = ("attn_config", "ffn_config")
ROPE_DICTS = ("rope_parameters", "rope_scaling", "rope_parameters_dict", "rope_params", "rope_scaling_dict", "rope_dict")
ROPE_GROUPS = ("full_attention", "sliding_attention")
OTHER_CONFIGS = ("generation_config", "quantization_config", "peft_config", "assistant_config", "vision_config", "audio_config", "hf_quantizer_config", "ds_config", "tp_config",
                 "adapter_config", "weight_config", "distributed_config", "kernel_config", "fsdp_config", "deepspeed_config", "compile_config")
SHARED = ("modeling_utils", "modeling_layers", "modeling_attn_mask_utils", "modeling_flash_attention_utils", "masking_utils", "cache_utils", "activations", "pytorch_utils",
          "integrations/sdpa_attention", "integrations/flash_attention", "integrations/moe", "integrations/flex_attention", "integrations/eager")
FOLLOWED = ("models/", "modeling_rope_utils", "configuration_utils") + SHARED
BASE_NAMES = ("PretrainedConfig", "PreTrainedConfig")

# What PretrainedConfig itself makes of a key: labels, layers with settings of their own, what is
# tied, and what a decoder is.
BASE_READ = {"num_labels", "id2label", "per_layer_config", "pruned_heads", "tie_word_embeddings", "is_decoder", "is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size",
             "tie_encoder_decoder", "quantization_config", "text_config", "decoder", "generator", "text_encoder"}
