"""Each family's constant against the list of tensors of its fixtures, in both directions: nothing is missing, nothing is left over, and a tensor under another name
is told from both sides. Also: a constant's file stays short, and docs/models.md has a row for each family.

A tensor that the constant ignores (a stored mask, a copy of a tied head) may be missing; under another name it is left over.
"""
import glob
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from rig import GOLDEN, ROOT, check, document, finish, folder, tern    # noqa: E402

MODELS = os.path.join(GOLDEN, "models")
MOST_LINES = 140    # of 120 columns


def read(path):
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        return json.loads(f.read(n)), f.read()


def write(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def reasons(where):
    run = tern("info", "-m", where, "--json")
    return json.loads(run.stdout)["reasons"] if run.returncode == 1 else []


def one_of_each(names):
    """The names of the first layer and expert, and those of none."""
    return [n for n in names if n != "__metadata__" and not any(part.isdigit() and part != "0" for part in n.split("."))]


def check_fixture(name, where):
    source = os.path.join(MODELS, name)
    with open(os.path.join(source, "config.json"), "rb") as f:
        config = f.read()
    header, data = read(os.path.join(source, "model.safetensors"))
    with open(os.path.join(where, "config.json"), "wb") as f:
        f.write(config)
    path = os.path.join(where, "model.safetensors")
    write(path, header, data)
    check(tern("info", "-m", where, "--json").returncode == 0, f"{name}: does not open: {reasons(where)}")
    missed = 0
    names = one_of_each(header)
    for tensor in names:
        other = {(n + ".other" if n == tensor else n): about for n, about in header.items()}
        write(path, other, data)
        told = reasons(where)
        check(any(tensor + ".other" in reason for reason in told), f"{name}: {tensor} under another name is not left over: {told}")
        missed += any("missing" in reason and tensor.split(".")[-1] in reason for reason in told)
    ignored = len(names) - missed
    check(ignored <= 4, f"{name}: {ignored} of {len(names)} tensors can be left out")


def main():
    for path in sorted(glob.glob(os.path.join(ROOT, "src", "families", "*.c"))):
        with open(path, encoding="utf-8") as f:
            lines = len(f.readlines())
        check(lines <= MOST_LINES or os.path.basename(path) in ("spec.c", "reference_keys.c"), f"{path}: {lines} lines")
    seen = set()
    with folder() as where:
        for name in sorted(os.listdir(MODELS)):
            config = os.path.join(MODELS, name, "config.json")
            if not os.path.exists(os.path.join(MODELS, name, "model.safetensors")):
                continue
            with open(config, encoding="utf-8") as f:
                architecture = json.load(f)["architectures"][0]
            if name.startswith("made-") and architecture in seen:
                continue
            seen.add(architecture)
            check_fixture(name, where)
    families = {document("info", "-m", os.path.join(MODELS, name), "--json")["family"] for name in os.listdir(MODELS) if os.path.isdir(os.path.join(MODELS, name))}
    with open(os.path.join(ROOT, "src", "families", "families.c"), encoding="utf-8") as f:
        listed = set(part.split(")")[0] for line in f if line.strip().startswith("X(") for part in line.split("X(")[1:])
    with open(os.path.join(ROOT, "docs", "models.md"), encoding="utf-8") as f:
        table = f.read().split("\n## What runs\n")[1].split("\n## ")[0].split("\n")
    rows = {line.split("|")[1].strip() for line in table if line.startswith("| ") and not line.startswith("| family")}
    check(rows == listed, f"docs/models.md and families.c differ: {rows ^ listed}")
    check(families == listed, f"families without a fixture, or fixtures without a family: {families ^ listed}")
    finish()


main()
