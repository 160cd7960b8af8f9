"""What is measured, and what it must reach: the sections of a run (a model, the engines that open it, the entries that each measures, and the thread counts for which each engine is a
slice of its own, as all together take over a minute), and the marks, a line of the table each.

A mark names its section, the entry, the engines whose best it is compared with, and how two speeds become its figure. Nothing here runs anything.
"""
import random

ONE = {"prompt": 512, "decode": 24, "batch": 1}
EIGHT = {"prompt": 64, "decode": 12, "batch": 8}
MANY = {"prompt": 16, "decode": 6, "batch": 32}
PROMPT = {"prompt": 512, "decode": 0, "batch": 1}
BESIDE = {"prompt": 128, "decode": 32, "batch": 1}

TERN, LLAMA, TORCH, TORCH_F32, CT2, CT2_INT8, ORT, SENTENCE = "tern", "llama.cpp", "transformers", "transformers f32", "ctranslate2", "ctranslate2 int8", "onnxruntime", "sentence-transformers"


def engine(runner, form, stored):
    return {"runner": runner, "form": form, "type": stored}


AS_BF16 = engine("run_tern.py", "hf", "bf16")
TORCH_BF16 = engine("run_torch.py", "hf", "bf16")
LLAMA_BF16 = engine("run_llama.py", "gguf-bf16", "bf16")


def words_of(vocabulary, n_text, n_token):
    """Texts of n_token tokens each with the two that BERT's tokenizer adds: words that are one token by themselves."""
    words = [w for w in vocabulary if w.isascii() and w.isalpha() and len(w) > 2]
    draw = random.Random(n_token)
    return [" ".join(draw.choice(words) for _ in range(n_token - 2)) for _ in range(n_text)]


def text_entries(vocabulary):
    return {"one": {"texts": words_of(vocabulary, 16, 32), "tokens": 32, "batch": 1}, "32": {"texts": words_of(vocabulary, 64, 32), "tokens": 32, "batch": 32},
            "128": {"texts": words_of(vocabulary, 32, 128), "tokens": 128, "batch": 32}}


ENCODERS = {TERN: engine("run_tern.py", "hf", "fastest"), SENTENCE: engine("run_sentence.py", "hf", "f32"), CT2: engine("run_ct2.py", "ct2-f32", "f32"), ORT: engine("run_ort.py", "onnx-f32", "f32")}

SECTIONS = {
    "tinyllama": {"shape": "tinyllama-1.1b", "apart": (1, 2), "measure": {"one": ONE, "eight": EIGHT, "many": MANY}, "engines": {TERN: AS_BF16, LLAMA: LLAMA_BF16, TORCH: TORCH_BF16}},
    "qwen": {"shape": "qwen2.5-0.5b", "apart": (1,), "measure": {"one": ONE, "eight": EIGHT, "many": MANY}, "engines": {TERN: AS_BF16, LLAMA: LLAMA_BF16, TORCH: TORCH_BF16}},
    "tinyllama f32": {"shape": "tinyllama-1.1b", "apart": (1,), "measure": {"one": PROMPT}, "engines": {TERN: engine("run_tern.py", "hf", "f32"), TORCH_F32: engine("run_torch.py", "hf", "f32")}},
    "qwen f32": {"shape": "qwen2.5-0.5b", "measure": {"one": PROMPT}, "engines": {TERN: engine("run_tern.py", "hf", "f32"), TORCH_F32: engine("run_torch.py", "hf", "f32")}},
    "gpt2": {"shape": "gpt2-124m", "measure": {"one": ONE, "eight": EIGHT},
             "engines": {TERN: AS_BF16, LLAMA: engine("run_llama.py", "gguf-f16", "f16"), TORCH: TORCH_BF16, CT2_INT8: engine("run_ct2.py", "ct2-int8", "int8")}},
    "mixtral": {"shape": "mixtral-small", "measure": {"one": ONE, "eight": EIGHT}, "engines": {TERN: AS_BF16, LLAMA: LLAMA_BF16, TORCH: TORCH_BF16}},
    "first": {"shape": "tinyllama-1.1b", "measure": {"first": {"first": 22}}, "engines": {TERN: AS_BF16, LLAMA: LLAMA_BF16}},
    "minilm": {"shape": "minilm-l6", "measure": text_entries, "engines": ENCODERS},
    "bert": {"shape": "bert-base", "measure": text_entries, "engines": ENCODERS},
    "beside": {"shape": "qwen2.5-0.5b", "measure": {"busy": BESIDE | {"beside": True}, "alone": BESIDE}, "engines": {TERN: AS_BF16}},
    "long": {"shape": "tinyllama-1.1b-16k", "measure": {"8192": {"prompt": 8192, "decode": 8, "batch": 1}}, "threads": [2], "rounds": 1,
             "random": True, "engines": {TERN: AS_BF16}},
}

# (what, section, entry, what is compared, by what, must, aim): a share is tern's own of the machine's limit; a ratio is tern's speed by the best of the engines named.
BF16_PEERS = (LLAMA, TORCH)
ENCODER_PEERS = (SENTENCE, CT2, ORT)
MARKS = []


def mark(what, section, entry, figure, must, aim, peers=(), more=False):
    """more: the figure is something to stay below."""
    MARKS.append({"what": what, "section": section, "entry": entry, "figure": figure, "must": must, "aim": aim, "peers": peers, "below": more})


for name, at in (("TinyLlama-1.1B", "tinyllama"), ("Qwen2.5-0.5B", "qwen")):
    mark(f"{name}: decode, bf16, share of bandwidth", at, "one", "bandwidth_share", {1: 0.85, 2: 0.92}, 0.95)
    mark(f"{name}: decode, bf16, by the best peer", at, "one", "decode", None, 1.0, BF16_PEERS)
    mark(f"{name}: prompt of 512, bf16, share of the bf16 instruction's peak", at, "one", "instruction_share", 0.78, 0.88)
    mark(f"{name}: prompt of 512, bf16, share of the fastest instruction's peak", at, "one", "peak_share", None, None)
    mark(f"{name}: prompt of 512, bf16, by the best bf16 peer", at, "one", "prompt", 1.05, None, BF16_PEERS)
    mark(f"{name}: prompt of 512, f32, share of peak", at + " f32", "one", "peak_share", 0.70, 0.80)
    mark(f"{name}: prompt of 512, f32, by torch f32", at + " f32", "one", "prompt", None, None, (TORCH_F32,))
    mark(f"{name}: 8 sequences, bf16, by the best peer", at, "eight", "decode", 1.5, 1.65, BF16_PEERS)
    mark(f"{name}: 32 sequences, bf16, by the best peer", at, "many", "decode", 1.5, 1.65, BF16_PEERS)
mark("GPT-2: prompt of 512, by transformers bf16", "gpt2", "one", "prompt", 1.5, 1.8, (TORCH,))
mark("GPT-2: decode, by llama.cpp f16", "gpt2", "one", "decode", 1.05, 1.15, (LLAMA,))
mark("Mixtral, small: prompt of 512, by the best peer", "mixtral", "one", "prompt", 1.3, 1.6, BF16_PEERS)
mark("Mixtral, small: decode, by the best peer", "mixtral", "one", "decode", 1.05, 1.15, BF16_PEERS)
for name, at in (("MiniLM-L6", "minilm"), ("BERT-base", "bert")):
    mark(f"{name}: cosine to sentence-transformers f32", at, "32", "cosine", 0.9999, None)
    for length in ("32", "128"):
        mark(f"{name}: {length} tokens, sentences/s by sentence-transformers f32", at, length, "texts", 4, None, (SENTENCE,))
        mark(f"{name}: {length} tokens, sentences/s by the best peer", at, length, "texts", 1.3, 1.6, ENCODER_PEERS)
    mark(f"{name}: one sentence of 32 tokens, ms", at, "one", "latency_ms", 2.5 if at == "minilm" else None, 2.0 if at == "minilm" else None, more=True)
mark("first token of 22, cold process, by llama.cpp", "first", "first", "first", 1.5, 2.0, (LLAMA,))
mark("first token of 22: peak memory by weights and KV cache", "first", "first", "memory_share", 1.05, None, more=True)
mark("8k tokens: time of a prompt token by that at 512", "long", "8192", "long", 1.8, 1.5, more=True)
mark("8k tokens: decode, share of bandwidth", "long", "8192", "bandwidth_share", 0.80, 0.90)
mark("a busy process on one of two cores: prompt, 2 threads by 1 alone", "beside", "busy", "beside prompt", 0.9, 1.2)
mark("a busy process on one of two cores: decode, 2 threads by 1 alone", "beside", "busy", "beside decode", 0.9, 1.2)
