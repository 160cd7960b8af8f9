"""Whole models against Hugging Face's values: logits, greedy tokens, text, for every folder of tests/golden/models and tests/golden/families and the demo
model, with --compute f32 on every instruction set of this machine ("made-" and families: on the lowest and the highest).

    test_models.py BUILD [FOLDER...]     these folders instead of those two

labels: models golden

Tolerance of a logit: the largest of 5e-4, 20 times the fixture's float32 noise and 1e-4 of the largest logit. Greedy tokens are identical.
"""
import json
import os
import sys

import numpy as np

from rig import GOLDEN, check, document, finish, isas, one_sentence, sanitized, tern

FOLDERS = sys.argv[2:] or [os.path.join(GOLDEN, "models"), os.path.join(GOLDEN, "families")]

# What a checkpoint leaves open, and the flags that say it.
FLAGS = {"set-gte-qwen2-tuned": ["--attention", "bidirectional"]}


def opened(folder):
    """The arguments that open a folder."""
    return ["-m", folder, "--compute", "f32", *FLAGS.get(os.path.basename(folder), [])]


def ids_text(ids):
    return ",".join(map(str, ids))


def tolerance(expected, logits):
    return max(5e-4, 20 * expected.get("float32_noise_max_abs", 0), 1e-4 * float(np.abs(logits).max()))


def same_logits(got, want, tol, message):
    got, want = np.array(got), np.array(want)
    if check(got.shape == want.shape, f"{message}: {got.shape} logits, not {want.shape}"):
        worst = float(np.abs(got - want).max())
        check(worst <= tol, f"{message}: a logit is off by {worst:.3g}, beyond {tol:.3g}")


def check_positions(rows, sums, tol, message):
    """Every position's largest logit, where it stands, and the length of the row."""
    for at, (row, want) in enumerate(zip(np.array(rows), zip(sums["argmax"], sums["max"], sums["margin"], sums["l2"]))):
        argmax, largest, margin, l2 = want
        check(abs(row.max() - largest) <= tol, f"{message}: position {at}: largest logit {row.max()}, not {largest}")
        check(margin <= 2 * tol or int(row.argmax()) == argmax, f"{message}: position {at}: argmax {row.argmax()}, not {argmax}")
        check(abs(np.linalg.norm(row) - l2) <= tol * np.sqrt(len(row)) + 1e-5 * l2, f"{message}: position {at}: norm {np.linalg.norm(row)}, not {l2}")


def generate(folder, isa, ids, n):
    return document("generate", *opened(folder), "--isa", isa, "--ids", ids_text(ids), "-n", str(n), "--temperature", "0", "--repetition-penalty", "1",
                    "--ignore-eos", "--json")


def check_prompts(name, folder, expected, isa):
    prompts, runs = expected["prompts"], []
    for i, ids in enumerate(prompts):
        message = f"{name}, {isa}, prompt {i}"
        rows = document("logits", *opened(folder), "--isa", isa, "--ids", ids_text(ids), "--all", "--json")["logits"]
        tol = tolerance(expected, expected["logits_last"][i])
        check(len(rows) == len(ids), f"{message}: {len(rows)} rows for {len(ids)} ids")
        same_logits(rows[-1], expected["logits_last"][i], tol, message)
        check_positions(rows, expected["logits_all_checksum"][i], tol, message)
        greedy = generate(folder, isa, ids, len(expected["greedy"][i]))["ids"]
        check(greedy == expected["greedy"][i], f"{message}: greedy {greedy}, not {expected['greedy'][i]}")
        runs.append((rows[-1], greedy))
    batch = expected.get("batch")
    if not batch:
        return
    for row, i in enumerate(batch["prompt_indices"]):
        message = f"{name}, {isa}, left-padded row {row}"
        same_logits(runs[i][0], batch["logits_last"][row], tolerance(expected, batch["logits_last"][row]), message)
        n = min(len(runs[i][1]), len(batch["greedy"][row]))
        check(runs[i][1][:n] == batch["greedy"][row][:n], f"{message}: greedy {runs[i][1]}, not {batch['greedy'][row]}")


def check_text(name, folder, expected, isa):
    for i, case in enumerate(expected.get("text") or []):
        message = f"{name}, {isa}, text {i} {case['text']!r}"
        made = document("generate", "-m", folder, "--isa", isa, "--compute", "f32", "-p", case["text"], "-n", str(len(case["greedy"])), "--temperature", "0",
                        "--repetition-penalty", "1", "--ignore-eos", "--json")
        check(made["usage"]["prompt_tokens"] == len(case["prompt_ids"]), f"{message}: {made['usage']} for {len(case['prompt_ids'])} ids")
        check(made["ids"] == case["greedy"], f"{message}: {made['ids']}, not {case['greedy']}")
        check(made["text"] == case["greedy_text"], f"{message}: {made['text']!r}, not {case['greedy_text']!r}")
        ids = document("tokenize", "-m", folder, "--parse-special", "--json", stdin=case["text"].encode())["ids"]
        check(ids == case["prompt_ids"], f"{message}: ids {ids}, not {case['prompt_ids']}")
        whole = " ".join(map(str, case["greedy"])).encode()
        text = tern("detokenize", "-m", folder, stdin=whole).stdout.decode()
        check(text == case["greedy_text_with_special"], f"{message}: {text!r}, not {case['greedy_text_with_special']!r}")


def check_encoder(name, folder, expected, isa):
    """Hidden states, pooler, pooled vectors and the logits of a masked-language model; the padding of a row is left out, as it means nothing."""
    for i, case in enumerate(expected["cases"]):
        for row in range(len(case["input_ids"])):
            message = f"{name}, {isa}, case {i}, row {row}"
            kept = [at for at, attend in enumerate(case["attention_mask"][row]) if attend]
            given = [*opened(folder), "--isa", isa, "--json", "--ids", ids_text(case["input_ids"][row][at] for at in kept)]
            if case.get("token_type_ids"):
                given += ["--type-ids", ids_text(case["token_type_ids"][row][at] for at in kept)]
            wanted = [("last_hidden_state", ["embed", "--hidden"], "hidden", 5e-4), ("pooler_output", ["embed", "--pooling", "pooler"], "embedding", 5e-4),
                      ("mean_pooled_l2norm", ["embed", "--pooling", "mean", "--normalize"], "embedding", 1e-4),
                      ("cls_l2norm", ["embed", "--pooling", "cls", "--normalize"], "embedding", 1e-4), ("last_l2norm", ["embed", "--pooling", "last", "--normalize"], "embedding", 1e-4),
                      ("max_l2norm", ["embed", "--pooling", "max", "--normalize"], "embedding", 1e-4), ("mlm_logits", ["logits", "--all"], "logits", None),
                      ("mlm_logits_first_position", ["logits", "--all"], "logits", None)]
            for key, command, part, tol in wanted:
                if not case.get(key):
                    continue
                got, want = document(*command, *given)[part], np.array(case[key][row])
                if key in ("last_hidden_state", "mlm_logits"):
                    want = want[kept]
                if key == "mlm_logits_first_position":
                    got = got[0]
                same_logits(got, want, tol or tolerance(expected, want), f"{message}, {key}")


def check_classes(name, folder, expected, isa):
    for i, case in enumerate(expected["cases"]):
        batched = "attention_mask" in case
        ids, types, logits = (case.get(key) and (case[key][0] if batched else case[key]) for key in ("input_ids", "token_type_ids", "logits"))
        given = ["--type-ids", ids_text(types)] if types else []
        made = document("classify", *opened(folder), "--isa", isa, "--ids", ids_text(ids), "--json", *given)
        same_logits(made["logits"], logits, max(5e-4, 1e-4 * float(np.abs(logits).max())), f"{name}, {isa}, case {i}")


def check_refused(name, folder, flags=()):
    """Code that is not there decides: the checkpoint is refused with that sentence, whatever is asked for."""
    for command in (["info"], ["embed", "--ids", "1,2"]):
        run = tern(*command, "-m", folder, *flags)
        one_sentence(run, f"{name}, {command[0]}")
        check(b"auto_map" in run.stderr and b"never execute" in run.stderr, f"{name}, {command[0]}: {run.stderr.decode()}")


def check_demo(isa):
    with open(os.path.join(GOLDEN, "demo", "expected.json"), encoding="utf-8") as f:
        cases = json.load(f)["cases"]
    for case in cases:
        message = f"demo, {isa}, {case['prompt']!r}"
        made = document("generate", "--isa", isa, "--compute", "f32", "-p", case["prompt"], "-n", str(len(case["greedy"])), "--temperature", "0", "--ignore-eos", "--json")
        check(made["ids"] == case["greedy"], f"{message}: {made['ids']}, not {case['greedy']}")
        check(made["text"] == case["text"], f"{message}: {made['text']!r}, not {case['text']!r}")
        check(made["usage"]["prompt_tokens"] == len(case["prompt_ids"]), f"{message}: {made['usage']}")
        logits = np.array(document("logits", "--isa", isa, "--compute", "f32", "--ids", ids_text(case["prompt_ids"]), "--json")["logits"])
        for at, (token, value) in enumerate(case["first_top8"]):
            check(abs(logits[token] - value) <= max(5e-4, 1e-4 * float(np.abs(logits).max())), f"{message}: top {at}: logit {logits[token]} of {token}, not {value}")


def main():
    usable, absent = isas()
    if sanitized():
        usable = [usable[0], usable[-1]]    # what is wrong with memory is wrong in one of them
    print("on:", *usable, "| not run, this CPU lacks them:", *(absent or ["none"]))
    kinds = {"causal_lm": check_prompts, "encoder": check_encoder, "classifier": check_classes}
    for folder in (os.path.join(parent, name) for parent in FOLDERS for name in sorted(os.listdir(parent))):
        name = os.path.basename(folder)
        if not os.path.isdir(folder):
            continue
        with open(os.path.join(folder, "expected.json"), encoding="utf-8") as f:
            expected = json.load(f)
        if expected["kind"] == "other" or name in FLAGS:
            check_refused(name, folder)
        if expected["kind"] == "other":
            check_refused(name, folder, ["--attention", "bidirectional"])
            continue
        for isa in {usable[0], usable[-1]} if name.startswith(("made-", "set-")) else usable:
            kinds[expected["kind"]](name, folder, expected, isa)
        if expected["kind"] == "causal_lm":
            check_text(name, folder, expected, usable[-1])
    for isa in usable:
        check_demo(isa)
    finish()


main()
