"""Megatron-LM's GPT as goldens: GPT-2's fixtures with their tensors transposed, regrouped and renamed as Megatron stores them. The model is the same one, so its
expected values stay those that transformers gave for GPT-2. Run once by hand:

    build-venv/bin/python tools/make_megatron_golden.py tests/golden/models
"""
import json
import os
import struct
import sys

import numpy as np

PARTS = {"ln_1": "input_layernorm", "ln_2": "post_attention_layernorm", "mlp.c_fc": "mlp.dense_h_to_4h", "mlp.c_proj": "mlp.dense_4h_to_h",
         "attn.c_attn": "{attention}.query_key_value", "attn.c_proj": "{attention}.dense"}
ENDS = {"wte.weight": "embedding.word_embeddings.weight", "wpe.weight": "embedding.position_embeddings.weight", "ln_f.weight": "{body}.final_layernorm.weight",
        "ln_f.bias": "{body}.final_layernorm.bias"}
KINDS = {"F32": np.float32, "F16": np.float16}


def read(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        header, data = json.loads(f.read(n)), f.read()
    return {name: np.frombuffer(data[about["data_offsets"][0]:about["data_offsets"][1]], KINDS[about["dtype"]]).reshape(about["shape"])
            for name, about in header.items() if name != "__metadata__" and about["dtype"] in KINDS}    # stored masks are bytes


def write(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        header[name] = {"dtype": "F32" if t.dtype == np.float32 else "F16", "shape": list(t.shape), "data_offsets": [len(data), len(data) + t.nbytes]}
        data += np.ascontiguousarray(t).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def convert(source, target, heads, v2):
    """v2: newer names, and q, k and v of each head together; else the oldest names, and all q, all k, all v."""
    names = {"attention": "self_attention" if v2 else "attention", "body": "encoder" if v2 else "transformer"}
    tensors = {}
    for name, t in read(os.path.join(source, "model.safetensors")).items():
        name = name.removeprefix("transformer.")
        if name in ENDS:
            tensors["language_model." + ENDS[name].format(**names)] = t
            continue
        if name.endswith(".attn.bias") or name.endswith(".masked_bias") or name == "lm_head.weight":
            continue    # a mask, or a copy of the embedding
        _, layer, part = name.split(".", 2)
        part, kind = part.rsplit(".", 1)
        if part in ("mlp.c_fc", "mlp.c_proj", "attn.c_attn", "attn.c_proj") and kind == "weight":
            t = t.T                                                                             # Conv1D is [in, out]
        if part == "attn.c_attn" and v2:
            t = t.reshape(3, heads, t.shape[0] // 3 // heads, *t.shape[1:]).swapaxes(0, 1).reshape(t.shape)
        tensors[f"language_model.{names['body']}.layers.{layer}.{PARTS[part].format(**names)}.{kind}"] = t
    os.makedirs(target, exist_ok=True)
    write(os.path.join(target, "model.safetensors"), tensors)


def main():
    for source, target, v2 in (("gpt2", "made-megatron-gpt", True), ("gpt2-noprefix-f16", "made-megatron-gpt-oldest", False)):
        source, target = os.path.join(sys.argv[1], source), os.path.join(sys.argv[1], target)
        with open(os.path.join(source, "config.json"), encoding="utf-8") as f:
            c = json.load(f)
        convert(source, target, c["n_head"], v2)
        config = {"architectures": ["MegatronGPTForCausalLM"], "model_type": "megatron_gpt", "hidden_size": c["n_embd"], "num_layers": c["n_layer"], "num_attention_heads": c["n_head"],
                  "ffn_hidden_size": c["n_inner"], "vocab_size": c["vocab_size"], "max_position_embeddings": c["n_positions"], "activation_function": c["activation_function"],
                  "layernorm_epsilon": c["layer_norm_epsilon"], "megatron_v2": v2}
        with open(os.path.join(target, "config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f, indent=2)
        with open(os.path.join(source, "expected.json"), encoding="utf-8") as f:
            expected = json.load(f)
        expected.update(name=os.path.basename(target), arch="megatron_gpt", config_style="Megatron-LM's argument names", notes=["GPT-2's fixture in Megatron's layout"])
        expected.pop("text", None)
        with open(os.path.join(target, "expected.json"), "w", encoding="utf-8") as f:
            json.dump(expected, f)


main()
