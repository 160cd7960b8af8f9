"""Records what Hugging Face transformers computes when keys of config.json change: tests/golden/flips,
for tests/families/test_flips.c.

    build-venv/bin/python tools/make_key_flips.py tests/golden/models tests/golden/flips [NAME...]

Run by hand where torch and transformers 5.24 are installed, after a change of
src/families/reference_keys.c, whose keys it flips, or of the checkpoints. For each checkpoint its
config.json is changed key by key, the checkpoint is loaded from files as a user would, and 40
tokens are run in float32. One JSON a checkpoint: see tests/golden/flips/README.md. A change that
leads to values which float32 and float64 do not agree on is left out.
"""
import copy
import json
import os
import re
import shutil
import sys
import tempfile

import torch
import transformers as tf

TOKENS = 40
ACTS = ["relu", "silu", "gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "gelu_fast", "gelu_accurate", "gelu_python", "swish", "relu2", "tanh", "sigmoid", "mish", "another"]
LOSES_SAME = 1e-6       # of the largest value: no change
NOISE = 2e-5            # of the largest value: between float32 and float64

# One checkpoint a class has every key changed; the others those of their own config.json and of
# what is special to them.
MAIN = """bert-mlm bloom cohere deepseek-v2-lite made-deepseek-v3 distilbert-mlm falcon-new-gqa gemma gemma2 gemma3-text gpt-neo gpt-neox-parallel gpt2 gptj granite llama-mha mistral-window
    mixtral-top2 made-gpt-oss mpt made-olmo olmo2 opt-pre phi phi3 qwen2-tied qwen2-moe qwen3 qwen3-moe roberta-mlm made-smollm3 stablelm starcoder2 made-xlm-roberta-model
    made-llama-classes made-bert-classes""".split()
LEFT_OUT = ("architectures",)    # says which class runs

OWN_ROWS = re.compile(r"(READ|KNOWN)\((\"[^\"]+\"), (NULL|\"(?:\\.|[^\"\\])*\")\)")


def read_tables():
    """model_type -> key -> (default or None, read), and the keys that every class has, out of the generated table."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "families", "reference_keys.c"), encoding="utf-8") as f:
        text = f.read()
    arrays = {}
    for name, body in re.findall(r"static const tern_reference_key (\w+)\[\] = \{(.*?)\n\};", text, re.S):
        arrays[name] = {json.loads(key): (None if fallback == "NULL" else json.loads(fallback), kind == "READ") for kind, key, fallback in OWN_ROWS.findall(body)}
    bases = {"every": ["every_keys"], "rope": ["every_keys", "rope_keys"], "layer_rope": ["every_keys", "rope_keys", "layer_rope_keys"]}
    classes = {}
    for model_type, rows, base in re.findall(r"CLASS\(\"([^\"]+)\", (\w+), &(\w+)\)", text):
        classes[model_type] = {}
        for name in bases[base] + [rows]:
            classes[model_type].update(arrays[name])
    return classes


def numbers(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value // 2 if value > 2 else value + 2, value * 16 + 5, 0]
    return [value * 1.5 + 0.25, value * 40, value / 40]


def rope_values(n_pairs):
    """Descriptions of ropes: each type, and each of its keys changed, added and left out."""
    short, long = [1 + i / 16 for i in range(n_pairs)], [2 + i / 8 for i in range(n_pairs)]
    yarn = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
    llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
    longrope = dict(rope_type="longrope", short_factor=short, long_factor=long, original_max_position_embeddings=32, factor=4.0)
    every = [dict(type="linear", factor=2.0), dict(rope_type="linear", factor=2.0, rope_theta=5000.0), dict(rope_type="linear"), dict(rope_type="dynamic", factor=2.0), yarn, llama3, longrope,
             dict(rope_type="default"), dict(rope_type="default", factor=3.0), dict(rope_type="proportional", partial_rotary_factor=0.5), dict(rope_type="another", factor=2.0),
             dict(type="su", short_factor=short, long_factor=long, original_max_position_embeddings=32), dict(rope_type="default", rope_theta=500.0), dict(rope_type="default", partial_rotary_factor=0.5), {}]
    nested = []
    for base, more in ((yarn, [("attention_factor", 1.5), ("beta_fast", 8.0), ("beta_slow", 3.0), ("mscale", 0.7), ("mscale_all_dim", 0.8), ("truncate", False), ("factor", None),
                               ("attention_factor", None), ("partial_rotary_factor", 0.5), ("type", "linear")]),
                       (llama3, [("low_freq_factor", 2.0), ("high_freq_factor", 8.0), ("factor", 2.0), ("attention_factor", 1.5)]),
                       (longrope, [("factor", 2.0), ("attention_factor", 1.5), ("long_factor", short), ("short_factor", long), ("long_factor", long[:-1]), ("long_factor", None)]),
                       (dict(rope_type="dynamic", factor=2.0), [("original_max_position_embeddings", 16)]),
                       (dict(rope_type="linear", factor=2.0), [("attention_factor", 1.5), ("original_max_position_embeddings", 16), ("factor", "2")])):
        nested += [{**base, key: value} for key, value in more] + [{k: v for k, v in base.items() if k != key} for key in base if key not in ("rope_type",)]
    nested += [{**yarn, "mscale": 0.7, "mscale_all_dim": 0.8}, {**yarn, "beta_fast": 1.0, "beta_slow": 32.0}]
    return every, nested


SPECIAL = {
    "sliding_window": [5, 1, 0, 1000, None], "_sliding_window_pattern": [2], "sliding_window_pattern": [2, 1], "attention_chunk_size": [8], "num_kv_shared_layers": [1], "kv_sharing_modes": [["full"]],
    "is_causal": [False, True], "per_layer_config": [{"0": {"num_key_value_heads": 1}}, {"1": {"sliding_window": 4}}, {"0": {"hidden_act": "relu"}}],
    "quantization_config": [{"quant_method": "gptq", "bits": 4, "group_size": 32}, {"quant_method": "fp8", "weight_block_size": [16, 16]}], "pruned_heads": [{"0": [1]}], "num_labels": [3, 1],
    "id2label": [{"0": "a", "1": "b", "2": "c"}, {"0": "a"}], "label2id": [{"a": 0, "b": 1, "c": 2}], "cross_attention_hidden_size": [48], "transformers_weights": ["other.safetensors"],
    "attention_types": [[[["global"], 2]], [[["local", "global"], 1]], [[["local"], 2]]], "attention_layers": [["global", "global"], ["local", "local"], ["global"]],
    "mlp_only_layers": [[0], [], [1, 5]], "no_rope_layers": [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0]], "topk_method": ["group_limited_greedy", "noaux_tc", "another"],
    "scoring_func": ["sigmoid", "softmax"], "position_embedding_type": ["absolute", "relative_key", "relative_key_query", "another"], "attn_config": [None, {"alibi": False}],
    "problem_type": ["regression", "multi_label_classification"], "dtype": ["float16", "bfloat16"], "torch_dtype": ["float16", "bfloat16"], "rope_parameters": [], "rope_scaling": [],
    "rope_parameters.full_attention": [], "rope_parameters.sliding_attention": [], "rope_scaling.full_attention": [], "rope_scaling.sliding_attention": [],
    "suppress_tokens": [[3, 4]], "begin_suppress_tokens": [[3]], "bad_words_ids": [[[3]]], "tokenizer_class": ["LlamaTokenizer"], "task_specific_params": [{"summarization": {"num_beams": 4}}],
    "clip_qkv": [0.5, 4.0], "attn_config.clip_qkv": [0.5], "attn_config.softmax_scale": [0.3], "attn_logit_softcapping": [2.0, 30.0], "final_logit_softcapping": [3.0, 20.0],
    "logit_scale": [2.0, 0.1], "head_dim": [8, 16, 5], "num_ln_in_parallel_attn": [1, 2], "n_embed": [16], "word_embed_proj_dim": [16], "n_inner": [64], "ffn_hidden_size": [64],
    "embedding_size": [16], "partial_rotary_factor": [0.5, 0.25, 1.0], "rotary_pct": [0.5, 1.0], "rotary_emb_base": [500.0], "original_max_position_embeddings": [16, 64],
    "num_key_value_heads": [1, 2, 4, 3], "q_lora_rank": [None, 8], "use_bidirectional_attention": [True, False], "max_window_layers": [0, 1], "tie_word_embeddings": [True, False],
    "rotary": [True, False], "rope_interleave": [True, False],
}


def values_of(key, row, config, ids):
    fallback, read = row
    here = key in config
    base = config.get(key)
    default = json.loads(fallback) if fallback is not None else None
    n_layer = next((config[k] for k in ("num_hidden_layers", "n_layer", "num_layers", "n_layers") if isinstance(config.get(k), int)), 2)
    if key == "layer_types":
        full, window = "full_attention", "sliding_attention"
        out = [[full] * n_layer, [window] * n_layer, [window, full] * (n_layer // 2) + [window] * (n_layer % 2), ["chunked_attention"] * n_layer, [full] * (n_layer - 1), ["another"] * n_layer]
    elif key == "pad_token_id":
        out = [0, ids[-1], ids[5], -1, 1000000]
    elif key in SPECIAL:
        out = list(SPECIAL[key])
    elif "act" in key.split("_") or "activation" in key.split("_"):
        out = list(ACTS)
    else:
        seen = base if base is not None else default
        if isinstance(seen, (bool, int, float)):
            out = numbers(seen)
        elif isinstance(seen, str):
            out = ["another"]
        elif isinstance(seen, list):
            out = [seen[1:], seen[::-1]] if seen else [[1]]
        elif isinstance(seen, dict):
            out = []
        else:
            out = [3, 0.5, True]
        if default is not None and here and base != default:
            out.append(default)
    if not read and not here:
        out = out[:1]    # one value of what nothing looks at
    kept = []
    for value in out + [None]:
        if (not here or value != base or type(value) is not type(base)) and not any(value == k and type(value) is type(k) for k in kept):
            kept.append(value)
    return kept


def changes_of(config, table, is_main, ids, n_pairs, aliases):
    """Changes as objects: a key's new value, "-key" for one that is gone."""
    out = []
    own = set(table) if is_main else {k for k in table if k in config}
    for key in sorted(own | {k for k in config if k not in ("model_type", "rope_parameters", "rope_scaling")}):
        if key in LEFT_OUT or "." in key and key.split(".")[0] in ("rope_parameters", "rope_scaling"):
            continue
        flat = {**config, **{f"attn_config.{k}": v for k, v in config.get("attn_config", {}).items()}} if isinstance(config.get("attn_config"), dict) else config
        if not (key == "attn_config" and isinstance(config.get(key), dict)):
            out += [{key: v} for v in values_of(key, table.get(key, (None, False)), flat, ids)]
        if key in flat:
            out.append({"-" + key: 0})
    for alias, target in aliases.items():
        if target in config and alias not in config:
            out.append({"-" + target: 0, alias: config[target]})
    if is_main and "use_sliding_window" in table:
        out += [{"use_sliding_window": True, "sliding_window": 5}, {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1, "-layer_types": 0},
                {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 0, "-layer_types": 0},
                {"use_sliding_window": False, "sliding_window": 5, "max_window_layers": 0, "-layer_types": 0}]
    return out + rope_changes(config, table, is_main, n_pairs)


def rope_changes(config, table, is_main, n_pairs):
    out = []
    if "rope_scaling" not in table:
        return out
    every, nested = rope_values(n_pairs)
    gone = {"-" + k: 0 for k in ("rope_parameters", "rope_scaling") if k in config}
    if is_main:
        out += [{**gone, "rope_scaling": v} for v in every] + [{**gone, "rope_parameters": v} for v in every[2:6] + every[12:13]]
        out += [{**gone, "rope_scaling": every[3], "max_position_embeddings": 16}, {**gone, "rope_scaling": every[6], "max_position_embeddings": 32},
                {**gone, "rope_scaling": every[4], "original_max_position_embeddings": 16}, {**gone, "rope_scaling": every[1], "rope_theta": 700.0}, {**gone, "rope_theta": 700.0}, gone]
        if config["model_type"] in ("llama", "phi3", "deepseek_v3", "gpt_neox", "gemma3_text", "gpt_oss"):
            out += [{**gone, "rope_scaling": v} for v in nested]
        if f"rope_parameters.full_attention.factor" in table:
            local = dict(rope_type="default", rope_theta=300.0)
            out += [{**gone, "rope_parameters": dict(full_attention=v, sliding_attention=local)} for v in every] + [{**gone, "rope_parameters": dict(full_attention=every[1])}]
            out += [{**gone, "rope_parameters": dict(full_attention=local, sliding_attention=v)} for v in every[:8]] + [{**gone, "rope_local_base_freq": 300.0}]
    for name in ("rope_parameters", "rope_scaling"):
        here = config.get(name)
        for part, inside in ([("", here)] if not any(isinstance(v, dict) for v in (here or {}).values()) else [(k, v) for k, v in here.items()]) if here else ():
            path = ".".join(x for x in (name, part) if x)
            for key, value in inside.items():
                changed = numbers(value) if isinstance(value, (bool, int, float)) else [[x * 1.5 for x in value], value[1:]] if isinstance(value, list) else ["linear", "default", "another"]
                out += [{f"{path}.{key}": v} for v in changed if v != value] + [{f"-{path}.{key}": 0}]
    return out


def changed(config, change):
    out = copy.deepcopy(config)
    for path, value in change.items():
        parts, inside = path.lstrip("-").split("."), out
        for part in parts[:-1]:
            inside = inside.setdefault(part, {})
        if path.startswith("-"):
            inside.pop(parts[-1], None)
        else:
            inside[parts[-1]] = copy.deepcopy(value)
    return out


class Bed:
    """A checkpoint whose config.json changes."""

    def __init__(self, folder):
        self.folder, self.work = folder, tempfile.mkdtemp()
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            self.config = json.load(f)
        for name in os.listdir(folder):
            if "safetensors" in name:
                shutil.copy(os.path.join(folder, name), self.work)
        self.of = getattr(tf, self.config["architectures"][0])
        self.how = "sdpa" if self.config["model_type"] == "falcon" else "eager"    # the eager path of Falcon in transformers 5 adds alibi twice
        vocab, most = self.config["vocab_size"], self.config.get("max_position_embeddings") or TOKENS
        self.ids = [(3 + 7 * i) % vocab for i in range(TOKENS if "dynamic" in folder else min(TOKENS, most))]

    def model(self, config, dtype):
        with open(os.path.join(self.work, "config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        model, info = self.of.from_pretrained(self.work, dtype=dtype, attn_implementation=self.how, experts_implementation="eager", output_loading_info=True)
        if info["missing_keys"] or info["mismatched_keys"]:
            raise ValueError("weights that the checkpoint lacks")
        return model.eval()

    def run(self, config, dtype=torch.float32):
        """[rows, columns] in double precision; None where the reference fails or gives no number."""
        try:
            out = self.model(config, dtype)(torch.tensor([self.ids]))
            y = (out.logits if hasattr(out, "logits") else out[0])[0].double().reshape(-1, (out.logits if hasattr(out, "logits") else out[0]).shape[-1])
        except Exception:    # whatever a key leads to
            return None
        return y if bool(torch.isfinite(y).all()) else None


def digest(y):
    """The largest magnitude, the norm, a weighted sum, and seven values."""
    n, m = y.shape
    weights = ((7 * torch.arange(n)[:, None] + 3 * torch.arange(m)[None, :]) % 11 - 5).double()
    at = [(n - 1, 0), (n - 1, m // 3), (n - 1, m - 1), (n // 2, m // 2), (n // 2, m - 1), (n // 4, 0), (min(1, n - 1), m // 4)]
    return [float(f"{v:.6g}") for v in [float(y.abs().max()), float(y.norm()), float((y * weights).sum())] + [float(y[t, c]) for t, c in at]]


def rotated_pairs(model):
    return next((len(b) for name, b in model.named_buffers() if name.endswith("inv_freq")), 4)


def record(folder, tables):
    bed = Bed(folder)
    name = os.path.basename(folder)
    base = bed.run(bed.config)
    model = bed.model(bed.config, torch.float32)
    flips, dropped = {"same": [], "error": [], "other": []}, 0
    for change in changes_of(bed.config, tables[bed.config["model_type"]], name in MAIN, bed.ids, rotated_pairs(model), getattr(type(model.config), "attribute_map", {})):
        config = changed(bed.config, change)
        y = bed.run(config)
        if y is None:
            flips["error"].append(change)
        elif y.shape == base.shape and float((y - base).abs().max()) <= LOSES_SAME * float(base.abs().max()):
            flips["same"].append(change)
        else:
            wide = bed.run(config, torch.float64)
            if wide is None or float((wide - y).abs().max()) > NOISE * float(y.abs().max()):
                dropped += 1
            else:
                flips["other"].append([change, digest(y)])
    shutil.rmtree(bed.work)
    print(f"{name}: {len(flips['same'])} the same, {len(flips['error'])} fail, {len(flips['other'])} others, {dropped} too noisy", flush=True)
    return {"ids": bed.ids, "base": digest(base), "same": joined(flips["same"]), "error": joined(flips["error"]), "other": flips["other"]}


def joined(changes):
    """["key", value, ...] for changes of one key that follow each other."""
    out = []
    for change in changes:
        (key, value), *more = change.items()
        if more:
            out.append(change)
        elif out and isinstance(out[-1], list) and out[-1][0] == key:
            out[-1].append(value)
        else:
            out.append([key, value])
    return out


def write(path, values):
    with open(path, "w", encoding="utf-8") as f:
        text = ",\n".join(f'"{k}": ' + ("[\n" + ",\n".join(json.dumps(v, separators=(",", ":")) for v in values[k]) + "\n]" if k in ("same", "error", "other") else json.dumps(values[k]))
                          for k in values)
        f.write("{\n" + text + "\n}\n")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    tf.logging.set_verbosity_error()
    tf.logging.disable_progress_bar()
    tables = read_tables()
    os.makedirs(sys.argv[2], exist_ok=True)
    with torch.no_grad():
        for name in sys.argv[3:] or sorted(os.listdir(sys.argv[1])):
            folder = os.path.join(sys.argv[1], name)
            if os.path.isdir(folder) and "megatron" not in name:
                write(os.path.join(sys.argv[2], name + ".json"), record(folder, tables))


main()
