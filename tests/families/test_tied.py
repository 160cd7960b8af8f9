"""Checkpoints whose config.json ties the head to the embedding and whose files store a head, or a bias under two names, all the same: the reference's logits for
each case, and a warning where what is stored differs from what config.json says.

labels: golden
"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from copies import copy    # noqa: E402
from rig import GOLDEN, check, finish, folder, one_sentence, tern    # noqa: E402

WARNED = ("reversed", "one element", "twin bias")


def change(tensors, row):
    embed, head, bias, twin, case = row["embed"], row["head"], row["bias"], row["twin"], row["case"]
    kind, table = tensors[embed]
    if case == "equal":
        tensors[head] = (kind, table)
    elif case == "reversed":
        tensors[head] = (kind, table[::-1])
    elif case == "one element":
        tensors[head] = (kind, table.copy())
        tensors[head][1][7, 3] += 0.5
    elif case == "head only":
        tensors[head] = tensors.pop(embed)
    elif case == "twin bias":
        tensors[twin] = (tensors[bias][0], tensors[bias][1][::-1])
    elif case == "twin bias only":
        tensors[twin] = tensors.pop(bias)


def logits(where, ids, *flags):
    run = tern("logits", "-m", where, "--ids", ",".join(map(str, ids)), "--json", *flags)
    return run, np.array(json.loads(run.stdout)["logits"]) if not run.returncode else np.zeros(1)


def check_row(row, ids):
    message = f"{row['model']}, {row['case']}"
    with folder() as place:
        copy(row["model"], place, tensors=lambda t: change(t, row))
        run, got = logits(place, ids, "--compute", "f32")
        text = run.stderr.decode()
        want = np.array(row["logits"])
        if not check(run.returncode == 0, f"{message}: {text}"):
            return
        off = np.abs(got[:len(want)] - want).max()
        check(off <= 5e-4 * max(1, np.abs(want).max()), f"{message}: a logit is off by {off}")
        check(("differ" in text) == (row["case"] in WARNED) and text.count("\n") == (row["case"] in WARNED), f"{message}: {text!r}")
        check(not tern("info", "-m", place).returncode, f"{message}: info")


def check_wrong():
    """A head of another shape, or of a type that is no weight's, is refused and not dropped."""
    def narrow(t):
        t["lm_head.weight"] = ("F32", t["model.embed_tokens.weight"][1][:, 1:])

    def few(t):
        t["lm_head.weight"] = ("F32", t["model.embed_tokens.weight"][1][:7])

    def whole(t):
        t["lm_head.weight"] = ("I64", np.zeros((424, 56)))

    for spoil in (narrow, few, whole):
        with folder() as place:
            copy("qwen2-tied", place, tensors=spoil)
            run = tern("logits", "-m", place, "--ids", "5")
            one_sentence(run, spoil.__name__)
            check(b"lm_head.weight" in run.stderr, f"{spoil.__name__}: {run.stderr}")
            info = tern("info", "-m", place)
            check(info.returncode == 1 and b"lm_head.weight" in info.stdout, f"{spoil.__name__}: info says {info.stdout}")


def check_types():
    """A head in bf16 equals an embedding in f32 where the numbers are the same; a NaN in both is no equal."""
    def halved(t):
        bits = t["model.embed_tokens.weight"][1].view(np.uint32) >> 16
        t["model.embed_tokens.weight"] = ("F32", (bits << 16).view(np.float32))
        t["lm_head.weight"] = ("BF16", bits)

    def spoiled(t):
        t["model.embed_tokens.weight"][1][400, 2] = np.nan
        t["lm_head.weight"] = t["model.embed_tokens.weight"]

    for change_by, warned in ((halved, False), (spoiled, True)):
        with folder() as place:
            copy("qwen2-tied", place, tensors=change_by)
            run, _ = logits(place, [5, 6])
            check((b"differs" in run.stderr) == warned, f"{change_by.__name__}: {run.stderr}")


def main():
    with open(os.path.join(GOLDEN, "tied", "expected.json"), encoding="utf-8") as f:
        golden = json.load(f)
    for row in golden["cases"]:
        check_row(row, golden["ids"])
    check_wrong()
    check_types()
    finish()


if __name__ == "__main__":
    main()
