"""A GGUF file as a Hugging Face directory: config.json, model.safetensors in float32, tokenizer.json. models.py calls it, until tern reads the format itself.

The gguf package reads the container and dequantizes the blocks; what differs from a Hugging Face checkpoint is undone here. Source: llama.cpp's conversion scripts (LlamaModel.permute,
Gemma3Model.norm_shift) and gguf-py/gguf/tensor_mapping.py. Architectures: llama and gemma3.
"""
import json
import os
import struct

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

from gguf_tokenizer import tokenizer_of

ENDS = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
LAYER = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
NORMS = {"llama": {"ffn_norm": "post_attention_layernorm"},
         "gemma3": {"post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}}
GEMMA3_FULL_EVERY, GEMMA3_LOCAL_BASE = 6, 10000.0    # fixed by the architecture, no key says them


def short(value):
    """A float32 of the metadata as the decimal number that was meant."""
    return float(str(np.float32(value)))


def config_of(meta, tied):
    arch = meta["general.architecture"]
    heads, dim = meta[f"{arch}.attention.head_count"], meta[f"{arch}.embedding_length"]
    config = {
        "hidden_size": dim, "intermediate_size": meta[f"{arch}.feed_forward_length"], "num_hidden_layers": meta[f"{arch}.block_count"], "num_attention_heads": heads,
        "num_key_value_heads": meta.get(f"{arch}.attention.head_count_kv", heads), "head_dim": meta.get(f"{arch}.attention.key_length", dim // heads),
        "max_position_embeddings": meta[f"{arch}.context_length"], "rms_norm_eps": short(meta[f"{arch}.attention.layer_norm_rms_epsilon"]),
        "rope_theta": short(meta.get(f"{arch}.rope.freq_base", 10000.0)), "vocab_size": len(meta["tokenizer.ggml.tokens"]), "attention_bias": False,
        "tie_word_embeddings": tied, "torch_dtype": "float32",
    }
    for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        config[name + "_token_id"] = meta.get(f"tokenizer.ggml.{key}_token_id")
    if arch == "llama":
        return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", **config}
    return {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": config["head_dim"],
            "sliding_window": meta["gemma3.attention.sliding_window"], "rope_local_base_freq": GEMMA3_LOCAL_BASE,
            "layer_types": ["full_attention" if (i + 1) % GEMMA3_FULL_EVERY == 0 else "sliding_attention" for i in range(config["num_hidden_layers"])], **config}


def name_of(arch, name):
    if name in ENDS:
        return ENDS[name]
    blk, layer, part, end = (name.split(".") + [""] * 4)[:4]
    to = LAYER.get(part) or NORMS[arch].get(part)
    if blk != "blk" or not to or end != "weight":
        raise ValueError(f"the tensor {name} is not known here")
    return f"model.layers.{layer}.{to}.weight"


def values_of(arch, config, tensor):
    """float32 as Hugging Face has it: q and k of llama rotate halves, not neighbours, and Gemma's norms are stored less 1."""
    w = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32).reshape([int(n) for n in reversed(tensor.shape)])
    part = tensor.name.split(".")[-2]
    if arch == "llama" and part in ("attn_q", "attn_k"):
        heads = config["num_attention_heads" if part == "attn_q" else "num_key_value_heads"]
        w = np.ascontiguousarray(w.reshape(heads, w.shape[0] // heads // 2, 2, w.shape[1]).swapaxes(1, 2)).reshape(w.shape)
    if arch == "gemma3" and part.endswith("norm"):
        w = w - np.float32(1)
    return w


def write_safetensors(path, tensors):
    """tensors: (name, shape, function that gives the values), written one after another."""
    header, at = {}, 0
    for name, shape, _ in tensors:
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, values in tensors:
            f.write(values().tobytes())


def convert(path, out):
    """Writes the directory out; ValueError where the file has what is not known here."""
    reader = GGUFReader(path)
    meta = {name: field.contents() for name, field in reader.fields.items()}
    arch = meta["general.architecture"]
    if arch not in NORMS:
        raise ValueError(f"the architecture {arch!r} is not known here")
    config = config_of(meta, not any(t.name == "output.weight" for t in reader.tensors))
    tensors = [(name_of(arch, t.name), [int(n) for n in reversed(t.shape)], lambda t=t: values_of(arch, config, t)) for t in reader.tensors]
    tokenizer, tokenizer_config = tokenizer_of(meta)
    os.makedirs(out, exist_ok=True)
    for name, document in (("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", tokenizer_config)):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            json.dump(document, f, ensure_ascii=False)
    write_safetensors(os.path.join(out, "model.safetensors"), sorted(tensors, key=lambda t: t[0]))
