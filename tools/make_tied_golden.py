"""Writes tests/golden/tied/expected.json: what Hugging Face transformers makes of checkpoints whose config.json ties the head to the embedding and whose
files store a head, or a bias, all the same. Run by maintainers, with transformers 5.24.0, torch and safetensors:

    build-venv/bin/python tools/make_tied_golden.py

Each case is a folder of tests/golden/models with tensors added, changed or taken away; tests/golden/tied/README.md says how.
"""
import json
import os
import shutil
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = os.path.join(ROOT, "tests", "golden", "models")
OUT = os.path.join(ROOT, "tests", "golden", "tied", "expected.json")

# folder, the embedding's tensor, the head's, the bias of the head as the model names it, and its twin inside the head's layer
ROWS = [
    ("llama-gqa-tied-llama3rope", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("qwen2-tied", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("gpt2", "transformer.wte.weight", "lm_head.weight", None, None),
    ("gpt-neo", "transformer.wte.weight", "lm_head.weight", None, None),
    ("opt-pre", "model.decoder.embed_tokens.weight", "lm_head.weight", None, None),
    ("opt-post-proj", "model.decoder.embed_tokens.weight", "lm_head.weight", None, None),
    ("bloom", "word_embeddings.weight", "lm_head.weight", None, None),
    ("falcon-mq", "transformer.word_embeddings.weight", "lm_head.weight", None, None),
    ("mpt", "transformer.wte.weight", "lm_head.weight", None, None),
    ("gemma", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("gemma2", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("gemma3-text", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("cohere", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("starcoder2", "model.embed_tokens.weight", "lm_head.weight", None, None),
    ("bert-mlm", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight", "cls.predictions.bias", "cls.predictions.decoder.bias"),
    ("roberta-mlm", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight", "lm_head.bias", "lm_head.decoder.bias"),
    ("distilbert-mlm", "distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight", None, None),
]
IDS = [5, 17, 33, 8]
KEPT = 48    # logits of the last position that are kept


def change(tensors, case, embed, head, bias, twin):
    """False where the case is none of this model."""
    if case == "equal":
        tensors[head] = tensors[embed].clone()
    elif case == "reversed":
        tensors[head] = tensors[embed].flip(0).contiguous()
    elif case == "one element":
        tensors[head] = tensors[embed].clone()
        tensors[head][7, 3] += 0.5
    elif case == "head only":
        tensors[head] = tensors.pop(embed)
    elif case == "twin bias" and bias:
        tensors[twin] = tensors[bias].flip(0).contiguous()
    elif case == "twin bias only" and bias:
        tensors[twin] = tensors.pop(bias)
    else:
        return False
    return True


def run(folder):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        name = json.load(f)["architectures"][0]
    model, info = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    with torch.no_grad():
        logits = model.eval()(torch.tensor([IDS])).logits[0, -1].double()
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    return [float("%.7g" % x) for x in logits[:KEPT]]


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    cases = []
    for name, embed, head, bias, twin in ROWS:
        for case in ("as it is", "equal", "reversed", "one element", "head only", "twin bias", "twin bias only"):
            with tempfile.TemporaryDirectory() as place:
                tensors = load_file(os.path.join(MODELS, name, "model.safetensors"))
                if case != "as it is" and not change(tensors, case, embed, head, bias, twin):
                    continue
                shutil.copy(os.path.join(MODELS, name, "config.json"), place)
                save_file(tensors, os.path.join(place, "model.safetensors"), {"format": "pt"})
                try:
                    logits = run(place)
                except Exception as e:    # shown, so that a row can be fixed or left out on purpose
                    print(name, case, repr(e)[:300], file=sys.stderr)
                    continue
            cases.append({"model": name, "case": case, "embed": embed, "head": head, "bias": bias, "twin": twin, "logits": logits})
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as f:
        f.write('{"transformers": "%s", "ids": %s, "cases": [\n' % (transformers.__version__, IDS))
        f.write(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
        f.write("\n]}\n")
    base = {}
    for c in cases:
        if c["case"] == "as it is":
            base[c["model"]] = c["logits"]
        print(c["model"], c["case"], "same as before" if c["logits"] == base[c["model"]] else "differs")


main()
