"""generate, chat and embed of real models against the values of tests/golden/real, which Hugging Face transformers and sentence-transformers gave. `make real` calls it.

    run.py BUILD HOME        HOME keeps the downloads and the directories that are made of them

Says what it skipped and why. Ends with 1 where a value differs, or where no model could be had.
"""
import json
import os
import sys

import numpy as np

BUILD, HOME = sys.argv[1:3]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
from rig import GOLDEN, check, document, finish, tern    # noqa: E402
import models    # noqa: E402

SECONDS = 1800


def ids_text(ids):
    return ",".join(map(str, ids))


def cosine(a, b):
    a, b = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def check_generate(name, folder, cases):
    for case in cases:
        words = f"{name}, {case['prompt'][:40]!r}"
        ids = document("tokenize", "-m", folder, "--json", stdin=case["prompt"].encode())["ids"]
        check(ids == case["prompt_ids"], f"{words}: ids {ids}, not {case['prompt_ids']}")
        logits = np.array(document("logits", "-m", folder, "--compute", "f32", "--ids", ids_text(case["prompt_ids"]), "--json", timeout=SECONDS)["logits"])
        worst = max(abs(float(logits[token]) - value) for token, value in case["first_top8"])
        check(worst <= 1e-3, f"{words}: a logit is off by {worst:.3g}")
        made = document("generate", "-m", folder, "--compute", "f32", "-p", case["prompt"], "-n", str(len(case["greedy"])), "--temperature", "0", "--ignore-eos", "--json", timeout=SECONDS)
        check(made["ids"] == case["greedy"], f"{words}: {made['ids']}, not {case['greedy']}")
        check(made["text"] == case["text"], f"{words}: {made['text']!r}, not {case['text']!r}")


def check_chat(name, folder, cases):
    if not cases:
        print(f"skipped: chat of {name}: it has no chat template")
    for case in cases:
        system = ["--system", case["system"]] if case["system"] else []
        run = tern("chat", "-m", folder, "--compute", "f32", "--temperature", "0", "-n", str(case["tokens"]), *system, stdin="".join(t + "\n" for t in case["turns"]).encode(), timeout=SECONDS)
        wanted = "".join(answer + "\n" for answer in case["answers"])
        text = run.stdout.decode(errors="replace")
        check(run.returncode == 0 and text == wanted, f"{name}, chat {case['turns'][0]!r}: exit {run.returncode}, {text!r}, not {wanted!r}: {run.stderr.decode(errors='replace')}")


def check_embed(name, folder, cases):
    for case in cases:
        made = document("embed", "-m", folder, "--compute", "f32", "--pooling", "mean", "--normalize", "--json", stdin=case["text"].encode(), timeout=SECONDS)["embedding"]
        worst = float(np.abs(np.array(made) - np.array(case["vector"])).max())
        check(worst <= 1e-4 * float(np.abs(case["vector"]).max()), f"{name}, {case['text'][:40]!r}: a number is off by {worst:.3g}")


def check_minilm(folder, expected):
    """By ids under each compute type, f16 on each instruction set, and by text in float32, as sentence-transformers cuts, pools and normalizes it."""
    for compute, least in (("f32", 0.99999), ("f16", 0.9999), ("bf16", 0.999)):
        for case in expected["cases"]:
            made = document("embed", "-m", folder, "--compute", compute, "--ids", ids_text(case["ids"]), "--json")["embedding"]
            words = f"minilm, {compute}, {case['text'][:40]!r}"
            check(len(made) == len(case["vector"]) and cosine(made, case["vector"]) >= least, f"{words}: {len(made)} numbers, cosine {cosine(made, case['vector'])}")
            check(abs(np.linalg.norm(made) - 1) < 1e-5, f"{words}: length {np.linalg.norm(made)}, not 1")
    case = expected["cases"][0]
    for isa in [s["name"] for s in document("ops", "--json")["instruction_sets"] if s["usable"] and s["name"] != "scalar"]:
        made = document("embed", "-m", folder, "--compute", "f16", "--isa", isa, "--ids", ids_text(case["ids"]), "--json")["embedding"]
        check(cosine(made, case["vector"]) >= 0.9999, f"minilm, f16 on {isa}: cosine {cosine(made, case['vector'])}")
    texts = expected["sentences"] + [case for case in expected["cases"] if "\n" not in case["text"] and len(case["ids"]) < expected["max_tokens"]]
    run = tern("embed", "-m", folder, "--compute", "f32", "--json", stdin="\n".join(case["text"] for case in texts).encode(), timeout=SECONDS)
    lines = run.stdout.decode().splitlines()
    if check(run.returncode == 0 and len(lines) == len(texts), f"minilm: {len(lines)} lines for {len(texts)} texts: {run.stderr.decode(errors='replace')}"):
        for case, line in zip(texts, lines):
            got = cosine(json.loads(line)["embedding"], case["vector"])
            check(got >= 0.99999, f"minilm, {case['text'][:40]!r}: cosine {got}")


def main():
    for name in models.MODELS:
        try:
            folder = models.folder_of(name, HOME)
        except models.Missing as why:
            print(f"skipped: {name}: {why}", flush=True)
            continue
        print(f"{name}: {folder}", flush=True)
        with open(os.path.join(GOLDEN, "real", name + ".json"), encoding="utf-8") as f:
            expected = json.load(f)
        if name == "minilm":
            check_minilm(folder, expected)
            print("skipped: generate and chat of minilm: an encoder")
            continue
        check_generate(name, folder, expected["prompts"])
        check_chat(name, folder, expected["chats"])
        check_embed(name, folder, expected["embeddings"])
    finish()


main()
