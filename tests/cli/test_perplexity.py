"""Perplexity against Hugging Face's logits, as DeepSpeed's nightly test compares it (tests/unit/inference/test_inference.py: TestLMCorrectness, GPT-Neo and
GPT-2 XL): a difference below 0.01. The expected values are exp of the mean of -log p, by the logits of Hugging Face where the fixture has them, and for
longer texts by those of `tern logits --all`, which test_models.py holds against Hugging Face.

    test_perplexity.py BUILD
"""
import json
import os
import subprocess

import numpy as np

from rig import GOLDEN, ROOT, TERN, check, document, finish

MODELS = os.path.join(GOLDEN, "models")
MOST = 0.01


def nats(row, token):
    row = np.array(row, np.float64)
    return float(np.log(np.exp(row - row.max()).sum()) + row.max() - row[token])


def perplexity(folder, ids):
    return document("perplexity", "-m", folder, "--compute", "f32", "--ids", ",".join(map(str, ids)), "--json")["perplexity"]


def first_token(name):
    """The prompt of one token: what Hugging Face gives for the next."""
    with open(os.path.join(MODELS, name, "expected.json")) as f:
        expected = json.load(f)
    for ids, row in zip(expected["prompts"], expected["logits_last"]):
        if len(ids) != 1:
            continue
        for token in (int(np.argmax(row)), 3, len(row) - 1):
            want, got = float(np.exp(nats(row, token))), perplexity(os.path.join(MODELS, name), ids + [token])
            check(abs(got - want) < MOST + 1e-4 * want, f"{name}: {ids} and {token}: perplexity {got}, not {want}")
        return
    check(False, f"{name} has no prompt of one token")


def whole_text(folder, ids):
    rows = document("logits", "-m", folder, "--compute", "f32", "--ids", ",".join(map(str, ids)), "--all", "--json")["logits"]
    want, got = float(np.exp(np.mean([nats(row, token) for row, token in zip(rows, ids[1:])]))), perplexity(folder, ids)
    check(abs(got - want) < MOST, f"{folder}: perplexity {got}, not {want}")


def main():
    for name in ("gpt-neo", "gpt2", "llama-mha"):
        first_token(name)
    demo = os.path.join(ROOT, "models", "demo")
    text = subprocess.run([TERN, "tokenize", "-m", demo, "--json"], input=b"Long ago, near the river, there lived a turtle. It was kind to all.", capture_output=True, check=True).stdout
    whole_text(demo, json.loads(text)["ids"])
    finish()


if __name__ == "__main__":
    main()
