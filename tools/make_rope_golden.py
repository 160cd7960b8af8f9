"""Records rope frequencies as Hugging Face transformers computes them, into tests/golden/rope/rope.json.

Run by maintainers only:

    build-venv/bin/python tools/make_rope_golden.py > tests/golden/rope/rope.json

Every case is a config.json as a checkpoint could carry it; the class of its family reads it and says inv_freq and attention_scaling.
"""
import copy
import json

import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.phi.modeling_phi import PhiRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

LLAMA = {"model_type": "llama", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 4096}
SHORT = [1.0 + 0.03125 * j for j in range(16)]
LONG = [1.5 + 0.75 * j for j in range(16)]


def llama(**keys):
    return {**LLAMA, **keys}


CASES = [
    ("llama-plain", "no rope key but theta: the default", LlamaRotaryEmbedding, llama(rope_theta=10000.0), {}, [0]),
    ("llama-new-default", "rope_parameters of transformers 5", LlamaRotaryEmbedding, llama(rope_parameters={"rope_type": "default", "rope_theta": 500000.0}), {}, [0]),
    ("llama-head-dim", "head_dim given beside hidden_size", LlamaRotaryEmbedding, llama(head_dim=48, rope_theta=1e6), {"head_dim": 48}, [0]),
    ("linear-old", "type under its first name", LlamaRotaryEmbedding, llama(rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 4.0}), {}, [0]),
    ("linear-new", "the same in the new spelling", LlamaRotaryEmbedding, llama(rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}), {}, [0]),
    ("dynamic", "below, at and beyond the length of the model", LlamaRotaryEmbedding, llama(rope_theta=10000.0, rope_scaling={"type": "dynamic", "factor": 2.0}), {}, [0, 4096, 4097, 9000]),
    ("llama3", "Llama 3.1's own numbers: all three bands", LlamaRotaryEmbedding,
     llama(max_position_embeddings=131072, rope_theta=500000.0, rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                                                              "original_max_position_embeddings": 8192}), {}, [0]),
    ("yarn", "defaults of everything that may be left out (Qwen2.5's form)", LlamaRotaryEmbedding,
     llama(max_position_embeddings=32768, rope_theta=1000000.0, rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}), {}, [0]),
    ("yarn-full", "every key given", LlamaRotaryEmbedding,
     llama(rope_theta=10000.0, rope_parameters={"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "original_max_position_embeddings": 2048, "beta_fast": 24.0,
                                                "beta_slow": 2.0, "mscale": 0.707, "mscale_all_dim": 0.5, "truncate": False}), {}, [0]),
    ("yarn-attention", "attention_factor wins over the formula", LlamaRotaryEmbedding,
     llama(rope_theta=10000.0, rope_scaling={"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 512, "attention_factor": 1.25}), {}, [0]),
    ("longrope", "short and long factors; the magnitude from the lengths' ratio (Phi-3's form)", Phi3RotaryEmbedding,
     {"model_type": "phi3", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 16384, "original_max_position_embeddings": 2048, "rope_theta": 10000.0,
      "rope_scaling": {"type": "longrope", "short_factor": SHORT, "long_factor": LONG}}, {}, [0, 2048, 2049]),
    ("longrope-su", "Phi-3's first name for it", Phi3RotaryEmbedding,
     {"model_type": "phi3", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 16384, "original_max_position_embeddings": 2048, "rope_theta": 10000.0,
      "rope_scaling": {"type": "su", "original_max_position_embeddings": 2048, "short_factor": SHORT, "long_factor": LONG}}, {"longrope_only": True}, [0, 5000]),
    ("longrope-partial", "part of the head turns (the form of Phi-4-mini)", Phi3RotaryEmbedding,
     {"model_type": "phi3", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 16384, "original_max_position_embeddings": 4096, "partial_rotary_factor": 0.75,
      "rope_theta": 10000.0, "rope_scaling": {"type": "longrope", "short_factor": SHORT[:12], "long_factor": LONG[:12]}}, {}, [0, 5000]),
    ("neox-pct", "rotary_pct and rotary_emb_base", GPTNeoXRotaryEmbedding,
     {"model_type": "gpt_neox", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 2048, "rotary_pct": 0.25, "rotary_emb_base": 20000}, {}, [0]),
    ("phi-partial", "partial_rotary_factor beside rope_theta", PhiRotaryEmbedding,
     {"model_type": "phi", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 2048, "partial_rotary_factor": 0.5, "rope_theta": 10000.0}, {}, [0]),
    ("gemma3-full-new", "one group of several", Gemma3RotaryEmbedding,
     {"model_type": "gemma3_text", "hidden_size": 128, "num_attention_heads": 4, "head_dim": 32, "num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"],
      "max_position_embeddings": 4096, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                                                           "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}}, {"group": "full_attention"}, [0]),
    ("gemma3-sliding-new", "the other group", Gemma3RotaryEmbedding,
     {"model_type": "gemma3_text", "hidden_size": 128, "num_attention_heads": 4, "head_dim": 32, "num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"],
      "max_position_embeddings": 4096, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                                                           "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}}, {"group": "sliding_attention"}, [0]),
    ("gemma3-full-old", "rope_scaling belongs to the full layers", Gemma3RotaryEmbedding,
     {"model_type": "gemma3_text", "hidden_size": 128, "num_attention_heads": 4, "head_dim": 32, "num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"],
      "max_position_embeddings": 4096, "rope_theta": 1000000.0, "rope_local_base_freq": 20000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
     {"group": "full_attention"}, [0]),
    ("gemma3-sliding-old", "and not to the sliding ones, which have a theta of their own", Gemma3RotaryEmbedding,
     {"model_type": "gemma3_text", "hidden_size": 128, "num_attention_heads": 4, "head_dim": 32, "num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"],
      "max_position_embeddings": 4096, "rope_theta": 1000000.0, "rope_local_base_freq": 20000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
     {"group": "sliding_attention", "theta_key": "rope_local_base_freq", "unscaled": True}, [0]),
]


def frequencies(rotary_class, keys, group, length):
    config = transformers.AutoConfig.for_model(**copy.deepcopy(keys))
    parameters = config.rope_parameters[group] if group else config.rope_parameters
    if length and parameters["rope_type"] != "default":
        inv_freq, scaling = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu", seq_len=length, layer_type=group)
    else:
        rotary = rotary_class(config)
        inv_freq = getattr(rotary, f"{group}_inv_freq" if group else "inv_freq")
        scaling = getattr(rotary, f"{group}_attention_scaling" if group else "attention_scaling")
    return [float(f"{x:.9g}") for x in inv_freq.tolist()], float(scaling)


def main():
    out = []
    for name, why, rotary_class, keys, source, lengths in CASES:
        for length in lengths:
            inv_freq, scaling = frequencies(rotary_class, keys, source.get("group"), length)
            full = {"head_dim": keys["hidden_size"] // keys["num_attention_heads"], "max_tokens": keys["max_position_embeddings"], **source}
            out.append({"name": name, "why": why, "config": keys, "source": full, "length": length, "frequencies": inv_freq, "magnitude": scaling})
    rows = ",\n".join(json.dumps(row) for row in out)
    print(f'{{"transformers": "{transformers.__version__}", "cases": [\n{rows}\n]}}')


main()
