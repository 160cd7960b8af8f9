"""Every case of tests/golden/ops through `tern op`, on every instruction set that this CPU runs, within the tolerance that the case states.

Usage: test_fixtures.py BUILD_DIR [--op NAME] [--isa NAME]...     The contract is tests/golden/ops/README.md.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "ops"
DTYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U8": np.uint8, "BOOL": np.uint8, "I32": np.int32, "I64": np.int64}


def read_safetensors(path):
    """Name -> array; BF16 is widened to float32."""
    data = pathlib.Path(path).read_bytes()
    (n_header,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + n_header])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + n_header + at for at in entry["data_offsets"])
        raw = data[begin:end]
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            array = np.frombuffer(raw, DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def complaint(name, got, want, tolerance):
    """What is wrong with an output; empty where it is right."""
    if name not in got:
        return f"{name} is missing"
    a, b = got[name], want[name]
    if a.shape != b.shape:
        return f"{name} has shape {list(a.shape)}, not {list(b.shape)}"
    if b.dtype.kind in "iu":
        return "" if a.dtype.kind in "iu" and np.array_equal(a, b) else f"{name} differs from the expected integers"
    a, b = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(b)
    if not np.isfinite(a[finite]).all():
        return f"{name} is not finite where it should be"
    if not b[finite].size:
        return ""
    bound = tolerance["rtol"] * np.abs(b[finite]) + tolerance["atol_rel_max"] * max(1.0, np.abs(b[finite]).max())
    excess = np.abs(a[finite] - b[finite]) / bound
    return "" if excess.max() <= 1 else f"{name} is off by {excess.max():.3g} times the tolerance"


def run_case(tern, case, out, isa):
    spec = json.loads(case.with_suffix(".json").read_text())
    command = [tern, "op", spec["op"], str(case), out, "--options", str(case.with_suffix(".json"))]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, TERN_ISA=isa, TERN_THREADS="1"))
    if done.returncode:
        return [f"exit {done.returncode}: {done.stderr.strip()}"]
    want = {name: array for name, array in read_safetensors(case).items() if name.startswith("out.")}
    got = read_safetensors(out)
    return [text for name in want if (text := complaint(name, got, want, spec["tolerance"]))]


def usable_isas(tern):
    """Those that this CPU can run, as the program lists them; the others are named."""
    listed = json.loads(subprocess.run([tern, "ops", "--json"], capture_output=True, check=True).stdout)["instruction_sets"]
    for entry in listed:
        if not entry["usable"]:
            print(f"not run: {entry['name']}, which this CPU lacks")
    return [entry["name"] for entry in listed if entry["usable"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--op")
    parser.add_argument("--isa", action="append")
    options = parser.parse_args()
    tern = str(pathlib.Path(options.build) / "tern")
    cases = sorted(GOLDEN.glob(f"{options.op or '*'}/*.safetensors"))
    if not cases:
        sys.exit(f"no cases in {GOLDEN}")
    failures = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        for isa in options.isa or usable_isas(tern):
            runs = [workers.submit(run_case, tern, case, f"{folder}/{i}", isa) for i, case in enumerate(cases)]
            for case, run in zip(cases, runs):
                for text in run.result():
                    failures += 1
                    print(f"{isa} {case.parent.name}/{case.stem}: {text}")
            print(f"{isa}: {len(cases)} cases")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
