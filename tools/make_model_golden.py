"""Small random checkpoints with the values that Hugging Face transformers computes from them in float32: what the public fixtures of tests/golden/models
leave out. Run once by hand:

    build-venv/bin/python tools/make_model_golden.py tests/golden/models [NAME...]

Every folder is a checkpoint (config.json, model.safetensors) and expected.json, described in tests/golden/models/README.md. Weights are stored in the type
that its row names, and computed with in float32. A seed is taken whose greedy tokens have clear margins.
"""
import json
import os
import shutil
import sys

import torch
import transformers as tf

PROMPT_TOKENS = (1, 2, 9, 21, 40)
NEW_TOKENS = 16
LEAST_MARGIN = 0.005


def small(**more):
    """Llama's keys."""
    return {**dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
                   pad_token_id=0, bos_token_id=1, eos_token_id=2), **more}


def encoder(**more):
    return {**dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64, pad_token_id=0), **more}


def falcon(**more):
    return tf.FalconConfig(**{**dict(vocab_size=96, hidden_size=48, num_hidden_layers=2, num_attention_heads=6, max_position_embeddings=128, ffn_hidden_size=64), **more})


def latent(**more):
    """DeepSeek's keys."""
    return {**small(num_key_value_heads=4, num_hidden_layers=3), **dict(kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=12, v_head_dim=10, moe_intermediate_size=16,
                                                   n_shared_experts=1, n_routed_experts=8, num_experts_per_tok=3, first_k_dense_replace=1), **more}


def rope(kind, **more):
    return dict(rope_type=kind, rope_theta=10000.0, **more)


LONG = rope("longrope", short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[2.0, 2.1, 2.2, 2.3], original_max_position_embeddings=32, factor=4.0)
GPT2 = dict(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=1, eos_token_id=2)
OPT = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, max_position_embeddings=128, word_embed_proj_dim=32)
MPT = dict(vocab_size=96, d_model=48, n_heads=6, n_layers=2, max_seq_len=128)
CAUSAL, CLASSES, BARE = "causal_lm", "classifier", "encoder"

# name: (kind, class, config, stored as)
ROWS = {
    "made-llama-bias-linear": (CAUSAL, tf.LlamaForCausalLM, lambda: tf.LlamaConfig(**small(attention_bias=True, mlp_bias=True, head_dim=10, rope_parameters=rope("linear", factor=2.0))), "f16"),
    "made-llama-yarn": (CAUSAL, tf.LlamaForCausalLM, lambda: tf.LlamaConfig(**small(rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=32))), "f32"),
    "made-llama-dynamic": (CAUSAL, tf.LlamaForCausalLM, lambda: tf.LlamaConfig(**small(rope_parameters=rope("dynamic", factor=2.0), max_position_embeddings=16)), "f32"),
    "made-mistral-head-dim": (CAUSAL, tf.MistralForCausalLM, lambda: tf.MistralConfig(**small(sliding_window=5, head_dim=12)), "bf16"),
    "made-mixtral-top3": (CAUSAL, tf.MixtralForCausalLM, lambda: tf.MixtralConfig(**small(num_local_experts=6, num_experts_per_tok=3, sliding_window=7)), "bf16"),
    "made-qwen2-window": (CAUSAL, tf.Qwen2ForCausalLM, lambda: tf.Qwen2Config(**small(num_hidden_layers=3, use_sliding_window=True, sliding_window=6, max_window_layers=1)), "f32"),
    "made-qwen2-moe-step": (CAUSAL, tf.Qwen2MoeForCausalLM, lambda: tf.Qwen2MoeConfig(**small(num_experts=6, num_experts_per_tok=3, moe_intermediate_size=16, norm_topk_prob=True,
                                                                                        shared_expert_intermediate_size=24, decoder_sparse_step=2)), "bf16"),
    "made-qwen3-moe-dense": (CAUSAL, tf.Qwen3MoeForCausalLM, lambda: tf.Qwen3MoeConfig(**small(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16, head_dim=12,
                                                                                       norm_topk_prob=False, mlp_only_layers=[0])), "bf16"),
    "made-gemma2-scalar": (CAUSAL, tf.Gemma2ForCausalLM, lambda: tf.Gemma2Config(**small(head_dim=12, query_pre_attn_scalar=24, sliding_window=6, final_logit_softcapping=3.0,
                                                                               attn_logit_softcapping=2.0)), "bf16"),
    "made-gemma3-pattern": (CAUSAL, tf.Gemma3ForCausalLM, lambda: tf.Gemma3TextConfig(**small(head_dim=12, query_pre_attn_scalar=24, sliding_window=6, num_hidden_layers=4,
                                                                                     sliding_window_pattern=2)), "bf16"),
    "made-phi-qk": (CAUSAL, tf.PhiForCausalLM, lambda: tf.PhiConfig(**small(qk_layernorm=True, partial_rotary_factor=0.25, hidden_size=64, vocab_size=64)), "f32"),
    "made-phi3-longrope": (CAUSAL, tf.Phi3ForCausalLM, lambda: tf.Phi3Config(**small(rope_parameters=LONG, original_max_position_embeddings=32)), "f32"),
    "made-phi3-partial-window": (CAUSAL, tf.Phi3ForCausalLM, lambda: tf.Phi3Config(**small(partial_rotary_factor=0.5, sliding_window=6)), "f16"),
    "made-gpt2-by-layer": (CAUSAL, tf.GPT2LMHeadModel, lambda: tf.GPT2Config(**GPT2, scale_attn_by_inverse_layer_idx=True, activation_function="relu"), "f32"),
    "made-gpt2-unscaled": (CAUSAL, tf.GPT2LMHeadModel, lambda: tf.GPT2Config(**GPT2, scale_attn_weights=False, n_inner=50, tie_word_embeddings=False), "f16"),
    "made-gpt-neox-plain": (CAUSAL, tf.GPTNeoXForCausalLM, lambda: tf.GPTNeoXConfig(**encoder(rotary_pct=0.5, attention_bias=False, hidden_act="gelu_new", bos_token_id=1, eos_token_id=2)), "f32"),
    "made-opt-no-bias": (CAUSAL, tf.OPTForCausalLM, lambda: tf.OPTConfig(**OPT, enable_bias=False, activation_function="gelu"), "f32"),
    "made-opt-no-affine": (CAUSAL, tf.OPTForCausalLM, lambda: tf.OPTConfig(**OPT, layer_norm_elementwise_affine=False), "f16"),
    "made-opt-no-final": (CAUSAL, tf.OPTForCausalLM, lambda: tf.OPTConfig(**OPT, _remove_final_layer_norm=True), "f16"),
    "made-bloom-six-heads": (CAUSAL, tf.BloomForCausalLM, lambda: tf.BloomConfig(vocab_size=96, hidden_size=48, n_layer=2, n_head=6), "f16"),
    "made-bloom-residual": (CAUSAL, tf.BloomForCausalLM, lambda: tf.BloomConfig(vocab_size=96, hidden_size=32, n_layer=2, n_head=4,
                                                                                  apply_residual_connection_post_layernorm=True), "f32"),
    "made-falcon-rw": (CAUSAL, tf.FalconForCausalLM, lambda: falcon(alibi=True, multi_query=False, parallel_attn=False, new_decoder_architecture=False, bias=True), "f32"),
    "made-falcon-alibi-mq": (CAUSAL, tf.FalconForCausalLM, lambda: falcon(alibi=True, multi_query=True, parallel_attn=True, new_decoder_architecture=False), "bf16"),
    "made-falcon-sequential": (CAUSAL, tf.FalconForCausalLM, lambda: falcon(alibi=False, multi_query=True, parallel_attn=False, new_decoder_architecture=False), "bf16"),
    "made-falcon-one-norm": (CAUSAL, tf.FalconForCausalLM, lambda: falcon(alibi=False, parallel_attn=True, new_decoder_architecture=True, num_kv_heads=3, num_ln_in_parallel_attn=1), "bf16"),
    "made-mpt-scale": (CAUSAL, tf.MptForCausalLM, lambda: tf.MptConfig(**MPT, attn_config=dict(softmax_scale=0.2)), "bf16"),
    "made-mpt-clip": (CAUSAL, tf.MptForCausalLM, lambda: tf.MptConfig(**MPT, attn_config=dict(clip_qkv=0.5)), "bf16"),
    "made-stablelm-parallel": (CAUSAL, tf.StableLmForCausalLM, lambda: tf.StableLmConfig(**small(use_parallel_residual=True, partial_rotary_factor=0.25)), "f32"),
    "made-stablelm-qk": (CAUSAL, tf.StableLmForCausalLM, lambda: tf.StableLmConfig(**small(qk_layernorm=True, partial_rotary_factor=0.5, use_qkv_bias=True)), "f32"),
    "made-starcoder2-window": (CAUSAL, tf.Starcoder2ForCausalLM, lambda: tf.Starcoder2Config(**small(sliding_window=6, use_bias=False)), "f32"),
    "made-cohere-qk": (CAUSAL, tf.CohereForCausalLM, lambda: tf.CohereConfig(**small(use_qk_norm=True, logit_scale=0.1, attention_bias=True)), "f32"),
    "made-olmo": (CAUSAL, tf.OlmoForCausalLM, lambda: tf.OlmoConfig(**small(attention_bias=True)), "f32"),
    "made-olmo-clip": (CAUSAL, tf.OlmoForCausalLM, lambda: tf.OlmoConfig(**small(clip_qkv=0.5)), "f16"),
    "made-olmo2-bias": (CAUSAL, tf.Olmo2ForCausalLM, lambda: tf.Olmo2Config(**small(attention_bias=True)), "f32"),
    "made-granite-tied": (CAUSAL, tf.GraniteForCausalLM, lambda: tf.GraniteConfig(**small(attention_multiplier=0.3, embedding_multiplier=2.0, residual_multiplier=0.7, logits_scaling=3.0,
                                                                                  tie_word_embeddings=True, mlp_bias=True, attention_bias=True)), "f32"),
    "made-smollm3": (CAUSAL, tf.SmolLM3ForCausalLM, lambda: tf.SmolLM3Config(**small(num_hidden_layers=4, no_rope_layer_interval=2)), "bf16"),
    "made-deepseek-v2-groups": (CAUSAL, tf.DeepseekV2ForCausalLM, lambda: tf.DeepseekV2Config(**latent(q_lora_rank=20, topk_method="group_limited_greedy", n_group=4, topk_group=2,
                                                                                              routed_scaling_factor=1.5)), "bf16"),
    "made-deepseek-v2-yarn": (CAUSAL, tf.DeepseekV2ForCausalLM, lambda: tf.DeepseekV2Config(**latent(q_lora_rank=None, topk_method="greedy", n_group=1, topk_group=1,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=32, mscale=0.7, mscale_all_dim=0.8, beta_fast=32, beta_slow=1))), "bf16"),
    "made-deepseek-v3": (CAUSAL, tf.DeepseekV3ForCausalLM, lambda: tf.DeepseekV3Config(**latent(q_lora_rank=20, n_group=4, topk_group=2, routed_scaling_factor=2.5, norm_topk_prob=True)), "bf16"),
    "made-deepseek-v3-plain": (CAUSAL, tf.DeepseekV3ForCausalLM, lambda: tf.DeepseekV3Config(**latent(q_lora_rank=None, n_group=2, topk_group=1, norm_topk_prob=False, rope_interleave=False,
                                                                                             attention_bias=True)), "bf16"),
    "made-gpt-oss": (CAUSAL, tf.GptOssForCausalLM, lambda: tf.GptOssConfig(**small(num_local_experts=4, num_experts_per_tok=2, head_dim=12, sliding_window=5, rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=32.0, beta_slow=1.0, truncate=False))), "bf16"),
    "made-gpt-oss-no-bias": (CAUSAL, tf.GptOssForCausalLM, lambda: tf.GptOssConfig(**small(num_local_experts=4, num_experts_per_tok=2, head_dim=12, sliding_window=5, attention_bias=False,
                                                                                   swiglu_limit=1.0, rope_parameters=rope("default"))), "bf16"),
    "made-bert-classes": (CLASSES, tf.BertForSequenceClassification, lambda: tf.BertConfig(**encoder(num_labels=3, hidden_act="relu")), "f32"),
    "made-roberta-score": (CLASSES, tf.RobertaForSequenceClassification, lambda: tf.RobertaConfig(**encoder(num_labels=1, pad_token_id=1)), "f32"),
    "made-xlm-roberta-classes": (CLASSES, tf.XLMRobertaForSequenceClassification, lambda: tf.XLMRobertaConfig(**encoder(pad_token_id=1, id2label={0: "no", 1: "yes"})), "f16"),
    "made-distilbert-classes": (CLASSES, tf.DistilBertForSequenceClassification, lambda: tf.DistilBertConfig(vocab_size=96, dim=32, hidden_dim=48, n_layers=2, n_heads=4,
                                                                                                     max_position_embeddings=64, num_labels=4), "f32"),
    "made-llama-classes": (CLASSES, tf.LlamaForSequenceClassification, lambda: tf.LlamaConfig(**small(num_labels=3)), "f32"),
    "made-qwen2-score": (CLASSES, tf.Qwen2ForSequenceClassification, lambda: tf.Qwen2Config(**small(num_labels=1)), "f32"),
    "made-mistral-classes": (CLASSES, tf.MistralForSequenceClassification, lambda: tf.MistralConfig(**small(num_labels=2, sliding_window=5)), "bf16"),
    "made-gpt2-classes": (CLASSES, tf.GPT2ForSequenceClassification, lambda: tf.GPT2Config(**GPT2, num_labels=5, pad_token_id=0), "f32"),
    "made-gemma2-classes": (CLASSES, tf.Gemma2ForSequenceClassification, lambda: tf.Gemma2Config(**small(num_labels=2, head_dim=12, sliding_window=6)), "bf16"),
    "made-roberta-model": (BARE, tf.RobertaModel, lambda: tf.RobertaConfig(**encoder(pad_token_id=1, type_vocab_size=1)), "f32"),
    "made-xlm-roberta-model": (BARE, tf.XLMRobertaModel, lambda: tf.XLMRobertaConfig(**encoder(pad_token_id=1)), "f16"),
    "made-distilbert-model": (BARE, tf.DistilBertModel, lambda: tf.DistilBertConfig(vocab_size=96, dim=32, hidden_dim=48, n_layers=2, n_heads=4, max_position_embeddings=64), "f32"),
    "made-llama-model": (BARE, tf.LlamaModel, lambda: tf.LlamaConfig(**small()), "f32"),
    "made-mistral-model": (BARE, tf.MistralModel, lambda: tf.MistralConfig(**small(sliding_window=5)), "bf16"),
    "made-qwen2-model": (BARE, tf.Qwen2Model, lambda: tf.Qwen2Config(**small()), "bf16"),
    "made-qwen3-model": (BARE, tf.Qwen3Model, lambda: tf.Qwen3Config(**small(head_dim=12)), "f16"),
    "made-gpt2-model": (BARE, tf.GPT2Model, lambda: tf.GPT2Config(**GPT2), "f32"),
}
TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def draw_weights(model, name, seed):
    torch.manual_seed(seed)
    gemma = "gemma" in name
    for key, p in list(model.named_parameters()) + [(k, b) for k, b in model.named_buffers() if "correction" in k]:
        router = "router" in key or "gate.weight" in key
        if p.dim() >= 2:
            p.normal_(0, (1.0 if router else 0.35) * (48 / p.shape[-1]) ** 0.5 * 0.6)
        elif ("norm" in key.lower() or "ln_" in key) and "bias" not in key:
            p.uniform_(-0.5, 0.5) if gemma else p.uniform_(0.5, 1.5)
        else:
            p.uniform_(-0.5, 0.5)


def prompts_of(vocab, seed):
    g = torch.Generator().manual_seed(seed + 5)
    return [torch.randint(3, vocab, (n,), generator=g).tolist() for n in PROMPT_TOKENS]


def digits(values):
    return [float(f"{float(v):.7g}") for v in values]


def greedy(model, ids, cached):
    """Tokens and the least margin of their logits: with a cache as generate has it, or every prefix by itself."""
    ids, made, least, cache = list(ids), [], 1e9, None
    for _ in range(NEW_TOKENS):
        if cached:
            given = ids if cache is None else ids[-1:]
            out = model(torch.tensor([given]), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
        else:
            out = model(torch.tensor([ids]), use_cache=False)
        top = out.logits[0, -1].topk(2)
        least = min(least, float(top.values[0] - top.values[1]))
        made.append(int(top.indices[0]))
        ids.append(made[-1])
    return made, least


def causal(model, name, prompts):
    out, least, noise = {"prompts": prompts, "logits_last": [], "logits_all_checksum": [], "greedy": []}, 1e9, 0.0
    wide = type(model).from_pretrained(model.name_or_path, dtype=torch.float64, attn_implementation=model.config._attn_implementation, experts_implementation="eager").eval()
    for ids in prompts:
        if "dynamic" in name:    # its rope remembers the longest text that it has seen
            model = type(model).from_pretrained(model.name_or_path, dtype=torch.float32, attn_implementation=model.config._attn_implementation).eval()
            wide = type(model).from_pretrained(model.name_or_path, dtype=torch.float64, attn_implementation=model.config._attn_implementation).eval()
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
        noise = max(noise, float((wide(torch.tensor([ids]), use_cache=False).logits[0] - logits).abs().max()))
        top = logits.topk(2, dim=-1).values
        out["logits_last"].append(digits(logits[-1]))
        out["logits_all_checksum"].append({"argmax": logits.argmax(-1).tolist(), "max": digits(top[:, 0]), "margin": digits(top[:, 0] - top[:, 1]), "l2": digits(logits.norm(dim=-1))})
        made, margin = greedy(model, ids, "dynamic" in name)
        out["greedy"].append(made)
        least = min(least, margin)
    out["float32_noise_max_abs"] = min(noise, 1e-4)
    return out, least


def classes(model, name, prompts):
    cases = []
    for i, ids in enumerate(p[:30] for p in prompts):
        case = {"input_ids": ids}
        more = {}
        if "-bert" in name:
            case["token_type_ids"] = [int(t >= len(ids) // 2) for t in range(len(ids))]
            more["token_type_ids"] = torch.tensor([case["token_type_ids"]])
        case["logits"] = digits(model(torch.tensor([ids]), **more).logits[0])
        cases.append(case)
    return {"cases": cases}, 1e9


def unit(x):
    return digits(x / x.norm())


def bare(model, name, prompts):
    cases = []
    for ids in (p[:20] for p in prompts[1:4]):
        made = model(torch.tensor([ids]))
        x = made.last_hidden_state[0]
        case = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "last_hidden_state": [[digits(row) for row in x]], "mean_pooled_l2norm": [unit(x.mean(0))],
                "cls_l2norm": [unit(x[0])], "last_l2norm": [unit(x[-1])], "max_l2norm": [unit(x.max(0).values)]}
        if getattr(made, "pooler_output", None) is not None:
            case["pooler_output"] = [digits(made.pooler_output[0])]
        cases.append(case)
    return {"cases": cases}, 1e9


def make(out_dir, name):
    kind, of, config_of, stored = ROWS[name]
    folder = os.path.join(out_dir, name)
    how = "sdpa" if "falcon" in name else "eager"    # the eager path of Falcon in transformers 5 adds alibi twice
    for attempt in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        seed = sum(map(ord, name)) + 1000 * attempt
        model = of._from_config(config_of(), attn_implementation=how).float().eval()
        draw_weights(model, name, seed)
        model.to(TYPES[stored]).save_pretrained(folder, safe_serialization=True)
        model = of.from_pretrained(folder, attn_implementation=how, dtype=torch.float32).eval()
        values, margin = {CAUSAL: causal, CLASSES: classes, BARE: bare}[kind](model, name, prompts_of(model.config.vocab_size, seed))
        if margin > LEAST_MARGIN:
            break
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as f:
        json.dump({"kind": kind, "made_with": f"transformers {tf.__version__}, torch {torch.__version__.split('+')[0]}, float32, attention {how}", **values}, f)
    print(name, sum(os.path.getsize(os.path.join(folder, n)) for n in os.listdir(folder)), f"margin {margin:.3g}", flush=True)


def main():
    torch.set_num_threads(1)
    with torch.no_grad():
        for name in sys.argv[2:] or ROWS:
            make(sys.argv[1], name)


main()
