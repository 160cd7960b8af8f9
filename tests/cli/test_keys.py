"""Keys of config.json that are not read, that are missing, or that decide which way attention looks, added to or taken from recorded checkpoints
(tests/golden/models).

Sources. What transformers reads, and the value that a missing key stands for: its classes of version 5.24.0. The keys that are added are those of the
published files that a row names.

Usage: test_keys.py BUILD_DIR
"""
import json
import os
import shutil

import numpy as np

from rig import DEMO, GOLDEN, check, document, finish, folder, one_sentence, tern

ABSENT = object()

# model, keys added, which of them are ignored, whose file has them
IGNORED = [
    ("bert-model", {"directionality": "bidi", "pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3, "pooler_size_per_head": 128,
                    "pooler_type": "first_token_transform"}, None, "bert-base-chinese, bert-base-multilingual-cased"),
    ("made-bert-classes", {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, [], "cross-encoder/ms-marco-MiniLM-L-6-v2: rerank reads it"),
    ("made-bert-classes", {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.1.0"}}, [], "the same since 2025"),
    ("bert-model", {"is_causal": False}, [], "no file: an encoder looks both ways by itself"),
    ("phi3", {"attention_bias": False, "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}},
     ["attention_bias"], "microsoft/Phi-3-mini-4k-instruct"),
    ("qwen2-tied", {"use_mrope": False, "dual_chunk_attention_config": {"chunk_size": 262144, "local_size": 8192}}, None, "Qwen2.5-7B, and its 1M"),
    ("qwen3-moe", {"qkv_bias": False, "use_qk_norm": True, "shared_expert_intermediate_size": 0}, None, "Qwen3-Coder-30B-A3B"),
    ("starcoder2", {"mlp_type": "default", "norm_type": "layer_norm", "rms_norm_eps": 1e-05}, None, "starcoder2-15b"),
    ("gpt2", {"n_special": 0, "predict_special_tokens": True}, None, "gpt2-medium"),
    ("llama-mha", {"step_limit": [0.0, float("inf")], "least": float("-inf"), "nothing": float("nan"), "no_limit": int(1e30)}, None, "numbers as Python writes them"),
    ("gptj", {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}, "partial_rotary_factor": 0.5}, None, "no file: GPT-J's class has a fixed rope"),
    ("llama-mha", {"rope_interleaved": True, "vision_config": {"hidden_size": 1, "depth": 9}}, None, "an object as a whole"),
    ("llama-gqa-tied-llama3rope", {"rope_parameters": {"attn_factor": 0.88}}, ["rope_parameters.attn_factor"], "DeepSeek-R1-0528-Qwen3-8B"),
    ("llama-mha", {"is_decoder": True}, [], "a decoder is one: xglm-564M's and biogpt's files have the key, and no class of a decoder reads it"),
    ("llama-mha", {"attention_chunk_size": None, "is_decoder": False, "output_attentions": True}, [], "null, and values of no effect"),
]

# model, keys changed, what the one sentence has
REFUSED = [
    ("llama-mha", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, "the weights are quantized, which this version does not read: \"quantization_config\": {"),
    ("llama-mha", {"min_length": 3}, "key \"min_length\": 3 changes the result"),
    ("llama-mha", {"is_encoder_decoder": True}, "key \"is_encoder_decoder\": true changes the result"),
    ("bert-model", {"is_decoder": True}, "\"is_decoder\" is true, and this family is an encoder"),
    ("llama-mha", {"hidden_act": "quick_gelu"}, "an activation that cannot gate an MLP"),
    ("phi", {"hidden_act": "sigmoid"}, "an activation that no MLP has here"),
    ("llama-mha", {"architectures": ABSENT, "model_type": "lama"}, "\"model_type\" is \"lama\""),
    ("mistral-window", {"sliding_window": 0}, "config.json: the window is 0, and must be an integer from 1, or null"),
    ("llama-mha", {"attention_chunk_size": 8}, "\"attention_chunk_size\": 8 changes the result"),
    ("llama-mha", {"rms_norm_eps": float("nan")}, "\"rms_norm_eps\" is NaN"),
    ("llama-mha", {"max_position_embeddings": int(1e30)}, "\"max_position_embeddings\" is 1e30, and must be an integer"),
    ("llama-mha", {"model_type": "llama-of-ours", "scale_emb": 12}, "unknown key \"scale_emb\": 12"),
    ("llama-mha", {"model_type": "llama-of-ours", "rms_norm_eps": ABSENT, "hidden_size": ABSENT}, "\"hidden_size\" is missing"),
    ("llama-mha", {"model_type": "mistral"}, "\"model_type\" is \"mistral\""),
    ("llama-mha", {"architectures": ["LLaMAForCausalLM"], "model_type": "llama-of-ours"}, "\"LLaMAForCausalLM\", which is none"),
    ("gemma", {"hidden_act": "gelu", "hidden_activation": "relu"}, "\"hidden_activation\" is \"relu\""),
    ("made-qwen2-window", {"is_causal": False}, "window"),
    ("made-qwen2-model", {"auto_map": {"AutoModel": "modeling_qwen.Qwen2Model"}}, "--attention"),
    ("made-xlm-roberta-model", {"auto_map": {"AutoConfig": "code--configuration.XLMRobertaFlashConfig"}}, "XLMRobertaFlashConfig"),
]

# model, two sets of changes that mean the same, why
SAME = [
    ("gemma", {"hidden_act": "gelu", "hidden_activation": None}, {"hidden_act": "gelu_pytorch_tanh"}, "gemma-2b's makers wrote gelu and meant the tanh form"),
    ("gemma", {"hidden_act": ABSENT, "hidden_activation": ABSENT}, {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": ABSENT}, "Gemma without either"),
    ("gemma2", {"hidden_act": "relu", "hidden_activation": ABSENT}, {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": ABSENT}, "Gemma 2 reads hidden_activation only"),
    ("gemma2", {"attn_logit_softcapping": ABSENT}, {"attn_logit_softcapping": 50.0}, "GemmaConfig's default"),
    ("gemma2", {"final_logit_softcapping": ABSENT}, {"final_logit_softcapping": 30.0}, "the same"),
    ("gemma2", {"query_pre_attn_scalar": ABSENT}, {"query_pre_attn_scalar": 256}, "the same"),
    ("gemma3-text", {"layer_types": ABSENT, "_sliding_window_pattern": 2}, {"layer_types": ABSENT, "_sliding_window_pattern": ABSENT}, "written by Gemma3TextConfig, which never reads it"),
    ("cohere", {"logit_scale": ABSENT}, {"logit_scale": 0.0625}, "CohereConfig's default"),
    ("granite", {"embedding_multiplier": ABSENT, "logits_scaling": ABSENT}, {"embedding_multiplier": 1.0, "logits_scaling": 1.0}, "GraniteConfig's defaults"),
    ("gpt2", {"activation_function": ABSENT, "layer_norm_epsilon": ABSENT}, {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}, "GPT2Config's defaults"),
    ("bert-model", {"hidden_act": ABSENT, "layer_norm_eps": ABSENT}, {"hidden_act": "gelu", "layer_norm_eps": 1e-12}, "BertConfig's defaults"),
    ("opt-pre", {"activation_function": ABSENT, "do_layer_norm_before": ABSENT}, {"activation_function": "relu", "do_layer_norm_before": True}, "OPTConfig's defaults"),
    ("llama-mha", {"architectures": ["LLaMAForCausalLM"]}, {}, "the class's first spelling, whose model_type is llama"),
    ("llama-mha", {"num_key_value_heads": None}, {"num_key_value_heads": ABSENT}, "as many as heads"),
    ("llama-mha", {"hidden_act": ABSENT, "rms_norm_eps": ABSENT}, {"hidden_act": "silu", "rms_norm_eps": 1e-6}, "LlamaConfig's defaults"),
    ("mixtral-top2", {"num_experts_per_tok": ABSENT, "rms_norm_eps": ABSENT}, {"num_experts_per_tok": 2, "rms_norm_eps": 1e-5}, "MixtralConfig's defaults"),
]


def changed(at, model, keys):
    """A copy of a recorded checkpoint with keys of its config.json changed; the keys of an object are changed within it."""
    path = os.path.join(at, "model")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(os.path.join(GOLDEN, "models", model), path)
    with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    for key, value in keys.items():
        if value is ABSENT:
            config.pop(key, None)
        elif isinstance(config.get(key), dict):
            config[key].update(value)
        else:
            config[key] = value
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return path


def answer(model, path, *flags):
    command = ["classify"] if "classes" in model else ["embed", "--hidden"] if model in ("bert-model",) else ["logits", "--all"]
    run = tern(*command, "-m", path, "--compute", "f32", "--ids", "5,6,7,8,9", "--json", *flags)
    if not check(run.returncode == 0, f"{model}: {run.stderr.decode()}"):
        return np.zeros(1), ""
    made = json.loads(run.stdout)
    return np.array(made.get("logits") or made.get("hidden")), run.stderr.decode()


def ignored(at):
    for model, keys, names, source in IGNORED:
        path, message = changed(at, model, keys), f"{model} with keys of {source}"
        names = list(keys) if names is None else names
        wanted, _ = answer(model, os.path.join(GOLDEN, "models", model))
        got, said = answer(model, path)
        check(np.array_equal(got, wanted), f"{message}: another answer")
        lines = [line for line in said.split("\n") if "ignored" in line]
        check(len(lines) == (1 if names else 0) and all(name in said for name in names), f"{message}: {said!r}")
        _, said = answer(model, path, "--quiet")
        check(not said, f"{message}: not quiet: {said!r}")
        run = tern("info", "-m", path)
        check(run.returncode == 0 and not run.stderr, f"{message}: info: {run.stderr.decode()}")
        shown = [line for line in run.stdout.decode().split("\n") if line.startswith("ignored ")]
        check(len(shown) == (1 if names else 0) and all(name in shown[0] for name in names), f"{message}: info shows {shown}")
        check(document("info", "-m", path, "--json")["ignored"] == names, f"{message}: {document('info', '-m', path, '--json')['ignored']}")
        if names:
            run = tern("info", "-m", path, "--strict")
            one_sentence(run, f"{message}: strict")
            check(all(f"unknown key \"{name}\"" in run.stderr.decode() for name in names), f"{message}: strict: {run.stderr.decode()}")


def refused(at):
    for model, keys, message in REFUSED:
        run = tern("info", "-m", changed(at, model, keys), "--quiet")
        one_sentence(run, f"{model} with {list(keys)}")
        check(message in run.stderr.decode(), f"{model} with {list(keys)}: {run.stderr.decode()}")


def same(at):
    for model, keys, others, why in SAME:
        one, _ = answer(model, changed(at, model, keys))
        other, _ = answer(model, changed(at, model, others))
        check(np.array_equal(one, other), f"{model}: {list(keys)}: {why}: the answers differ")


def directions(at):
    """A decoder that looks both ways: every token sees all, and no text is generated."""
    model = "qwen2-tied"
    plain, _ = answer(model, changed(at, model, {}))
    both, _ = answer(model, changed(at, model, {}), "--attention", "bidirectional")
    path = changed(at, model, {"is_causal": False})
    check(np.array_equal(answer(model, path)[0], both), "is_causal false and --attention bidirectional differ")
    check(not np.allclose(plain[0], both[0], atol=1e-3), "is_causal false: the first token sees those behind it")
    check(np.allclose(answer(model, path, "--attention", "causal")[0], plain, atol=1e-6), "--attention causal beside is_causal false")
    run = tern("generate", "-m", path, "--ids", "5,6", "-n", "2")
    one_sentence(run, "generate by a model that looks both ways")
    check(b"looks both ways" in run.stderr, f"generate: {run.stderr.decode()}")
    run = tern("embed", "-m", os.path.join(GOLDEN, "models", "bert-model"), "--ids", "5", "--attention", "causal")
    one_sentence(run, "an encoder made causal")
    check(b"encoder" in run.stderr, f"an encoder made causal: {run.stderr.decode()}")


def no_length_limit(at):
    """ "model_max_length": int(1e30), transformers' word for no limit."""
    path = os.path.join(at, "demo")
    shutil.copytree(DEMO, path)
    with open(os.path.join(path, "tokenizer_config.json"), encoding="utf-8") as f:
        config = json.load(f)
    with open(os.path.join(path, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({**config, "model_max_length": int(1e30)}, f)
    given = ["-p", "Long ago", "-n", "4", "--temperature", "0", "--json"]
    check(document("generate", "-m", path, *given) == document("generate", "-m", DEMO, *given), "model_max_length 1e30: another text")


def main():
    with folder() as at:
        for part in (ignored, refused, same, directions, no_length_limit):
            part(at)
    finish()


main()
