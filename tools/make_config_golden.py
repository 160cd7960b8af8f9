"""config.json as different versions of transformers write it, for tests/golden/configs. Run once by hand for each version, which is installed without its dependencies:

    build-venv/bin/pip install --no-deps --target FOLDER/4.45.2 transformers==4.45.2
    build-venv/bin/python tools/make_config_golden.py FOLDER/4.45.2 tests/golden/configs

The packages of build-venv serve what they import beside themselves.
"""
import json
import os
import sys
import types

sys.path.insert(0, sys.argv[1])
unchecked = types.ModuleType("transformers.dependency_versions_check")    # writing a config needs none of the versions that are checked there
unchecked.dep_version_check = lambda *args, **more: None
sys.modules["transformers.dependency_versions_check"] = unchecked
import huggingface_hub    # noqa: E402
for name in ("cached_download", "HfFolder"):
    if not hasattr(huggingface_hub, name):
        setattr(huggingface_hub, name, type(name, (), {}))
import transformers as tf    # noqa: E402

VERSION = tuple(map(int, tf.__version__.split(".")[:2]))
SMALL = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)
LLAMA = {**SMALL, "max_position_embeddings": 256, "rms_norm_eps": 1e-5}
GROUPED = {**LLAMA, "num_key_value_heads": 2}


def rope(theta, partial=None, **scaling):
    """The rope's keys as this version takes them."""
    if VERSION >= (5, 0):
        more = {} if partial is None else {"partial_rotary_factor": partial}
        return {"rope_parameters": {"rope_type": "default", "rope_theta": theta, **scaling, **more}}
    if scaling and VERSION < (4, 43):
        scaling["type"] = scaling.pop("rope_type")
    return {"rope_theta": theta, **({"rope_scaling": scaling} if scaling else {})}


def partial(old_key):
    return rope(10000.0, partial=0.5) if VERSION >= (5, 0) else {old_key: 0.5}


# name: (first version, config, architecture, keys)
ROWS = {
    "bert": ((4, 0), "BertConfig", "BertModel", lambda: SMALL),
    "gemma2": ((4, 45), "Gemma2Config", "Gemma2ForCausalLM", lambda: {**GROUPED, "head_dim": 12, "query_pre_attn_scalar": 24, "sliding_window": 6}),
    "gpt-neox": ((4, 28), "GPTNeoXConfig", "GPTNeoXForCausalLM", lambda: {**SMALL, **partial("rotary_pct")}),
    "gpt2": ((4, 0), "GPT2Config", "GPT2LMHeadModel", lambda: dict(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=64)),
    "llama": ((4, 31), "LlamaConfig", "LlamaForCausalLM", lambda: {**GROUPED, **rope(50000.0)}),
    "llama-linear": ((4, 31), "LlamaConfig", "LlamaForCausalLM", lambda: {**GROUPED, **rope(10000.0, rope_type="linear", factor=2.0)}),
    "llama-mha": ((4, 28), "LlamaConfig", "LlamaForCausalLM", lambda: LLAMA),
    "mistral": ((4, 36), "MistralConfig", "MistralForCausalLM", lambda: {**GROUPED, "sliding_window": 64, **rope(20000.0)}),
    "opt": ((4, 0), "OPTConfig", "OPTForCausalLM", lambda: dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, max_position_embeddings=64, word_embed_proj_dim=32)),
    "phi3": ((4, 45), "Phi3Config", "Phi3ForCausalLM", lambda: {**GROUPED, "pad_token_id": 0}),
    "qwen2": ((4, 41), "Qwen2Config", "Qwen2ForCausalLM", lambda: {**GROUPED, **rope(30000.0)}),
    "qwen3": ((4, 51), "Qwen3Config", "Qwen3ForCausalLM", lambda: {**GROUPED, "head_dim": 12}),
    "stablelm": ((4, 41), "StableLmConfig", "StableLmForCausalLM", lambda: {k: v for k, v in {**GROUPED, **partial("partial_rotary_factor")}.items() if k != "rms_norm_eps"}),
}


def main():
    for name, (first, config, architecture, keys) in ROWS.items():
        if VERSION < first:
            continue
        made = getattr(tf, config)(**keys())
        made.architectures = [architecture]
        folder = os.path.join(sys.argv[2], name)
        os.makedirs(folder, exist_ok=True)
        values = {"model_type": made.model_type, **json.loads(made.to_json_string(use_diff=True)), "transformers_version": tf.__version__,
                  ("dtype" if VERSION >= (4, 56) else "torch_dtype"): "bfloat16"}
        with open(os.path.join(folder, f"transformers-{tf.__version__}.json"), "w", encoding="utf-8") as f:
            json.dump(values, f, indent=1, sort_keys=True)
            f.write("\n")


main()
