"""tern info on directories that cannot be opened, tern info --check on weights that are no numbers, and tern verify."""
import json
import os
import shutil
import struct
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import copies    # noqa: E402
from rig import GOLDEN, TERN, check, document, environment, finish, folder, sanitized, isas, one_sentence, tern    # noqa: E402

LLAMA = os.path.join(GOLDEN, "models", "made-llama-yarn")


def copy(where, **changes):
    shutil.copytree(LLAMA, where, dirs_exist_ok=True)
    path = os.path.join(where, "config.json")
    with open(path, encoding="utf-8") as f:
        config = {**json.load(f), **changes}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)


def check_reasons():
    rows = [
        ({"hidden_act": "sine", "attention_chunk_size": 3, "num_attention_heads": 5}, ["hidden_act", "attention_chunk_size", "5 heads are no multiple"], "several faults of the config are all named"),
        ({"num_hidden_layers": 3, "intermediate_size": 49}, ["model.layers.2.mlp.up_proj.weight is missing", "model.layers.0.mlp.gate_proj.weight has shape [48, 32], and config.json asks for [49, 32]",
                                                           "model.layers.1.mlp.down_proj.weight"], "each tensor that does not fit"),
        ({"num_hidden_layers": 1}, ["model.layers.1.mlp.up_proj.weight"], "tensors that are left over"),
        ({"architectures": ["LlamaForCasualLM"]}, ["nearest is LlamaForCausalLM"], "an unknown class, with its nearest"),
        ({"architectures": ["LamaForCausalLM"]}, ["is none that this version runs"], "another model, however near its name"),
    ]
    for changes, told, why in rows:
        with folder() as where:
            copy(where, **changes)
            run = tern("info", "-m", where)
            one_sentence(run, why)
            for message in told:
                check(message in run.stdout.decode(), f"{why}: {message!r} is not in {run.stdout.decode()}")
            opened = tern("generate", "-m", where, "-p", "x").stderr.decode()
            check(any(message in opened for message in told) and (len(told) == 1 or "faults: " in opened), f"{why}: opening says {opened}")
            reasons = json.loads(tern("info", "-m", where, "--json").stdout)["reasons"]
            check(run.stdout.decode().startswith("\n".join(reasons) + "\ngenerate: no"), f"{why}: --json has other reasons: {reasons}")
    with folder() as where:
        copy(where)
        os.remove(os.path.join(where, "model.safetensors"))
        with open(os.path.join(where, "pytorch_model.bin"), "wb") as f:
            f.write(b"\x80\x02")
        check("pytorch_model.bin" in tern("info", "-m", where).stdout.decode(), "a pickle is named")


def put_weight(where, value):
    with open(os.path.join(where, "model.safetensors"), "r+b") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        about = json.loads(f.read(n))["model.layers.1.mlp.up_proj.weight"]
        f.seek(8 + n + about["data_offsets"][0] + 4 * 77)
        f.write(np.float32(value).tobytes())


def check_weights():
    check(tern("info", "-m", LLAMA, "--check").returncode == 0, "good weights pass")
    for value, message in ((float("nan"), "NaN"), (float("-inf"), "infinite")):
        with folder() as where:
            copy(where)
            put_weight(where, value)
            run = tern("info", "-m", where, "--check")
            one_sentence(run, message)
            check(f"model.layers.1.mlp.up_proj.weight is {message} at element 77" in run.stderr.decode(), f"{message}: {run.stderr.decode()}")
            check(tern("info", "-m", where).returncode == 0, "without --check the file is not read")


def check_beyond_f16():
    """A weight that f16 cannot hold is refused when a model is opened to compute in f16; one that it rounds to its largest number is not."""
    for value, refused in ((65519.0, False), (-70000.0, True)):
        with folder() as where:
            copy(where)
            put_weight(where, value)
            run = tern("generate", "-m", where, "--ids", "1,2", "-n", "1", "--compute", "f16")
            if not check((run.returncode != 0) == refused, f"{value} under f16: {run.returncode}, {run.stderr.decode()}") or not refused:
                continue
            one_sentence(run, "a weight beyond f16")
            check("model.layers.1.mlp.up_proj.weight has -70000" in run.stderr.decode() and "65504" in run.stderr.decode(), f"{value}: {run.stderr.decode()}")
            check(tern("generate", "-m", where, "--ids", "1,2", "-n", "1", "--compute", "bf16").returncode == 0, "and not under bf16")


def check_below_f16():
    """Weights that f16 rounds to 0, or to few bits, are counted in a warning; the numbers of the file are what counts, by NumPy's own rounding."""
    name = "model.layers.1.mlp.up_proj.weight"

    def scaled(factor):
        def change(tensors):
            tensors[name] = ("F32", tensors[name][1] * np.float32(factor))
        return change

    for factor, told in ((1, ()), (1e-6, ("count as 0", "keeps few of their bits", "off the most")), (1e-4, ("count as 0",)), (1e-9, ("count as 0", "keeps few of their bits"))):
        with folder() as where:
            copies.copy("llama-mha", where, tensors=scaled(factor))
            weights = [t for key, (_, t) in copies.load(os.path.join(where, "model.safetensors")).items() if t.ndim == 2 and "embed_tokens" not in key]
            lost = sum(int(((t != 0) & (t.astype(np.float16) == 0)).sum()) for t in weights)
            for compute in ("f16", "f32", "bf16"):
                run = tern("generate", "-m", where, "--ids", "1,2", "-n", "1", "--temperature", "0", "--compute", compute)
                text = run.stderr.decode()
                message = f"weights times {factor}, {compute}: {text}"
                check(run.returncode == 0 and (compute == "f16" or not text), message)
                check(compute != "f16" or (all(part in text for part in told) and ("few" in text) == any("few" in part for part in told)), message)
                check(compute != "f16" or (f": {lost} of {sum(t.size for t in weights)} weights" in text) == bool(lost), f"{lost} are lost; {message}")
                check(compute != "f16" or not text or name in text, message)


def check_without_proc():
    """A system that mounts no /proc: what it does not say is unknown, and everything else is as ever."""
    hidden = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*hidden, "true"], capture_output=True).returncode:
        print("skipped: /proc cannot be hidden here")
        return
    if sanitized():
        print("skipped without /proc: the sanitizers read it themselves")
        return

    def run(*args):
        return subprocess.run([*hidden, TERN, *args], capture_output=True, env=environment())

    told = run("info", "-m", LLAMA)
    check(told.returncode == 0 and b"unknown" in told.stdout and b"TB" not in told.stdout, f"info without /proc: {told}")
    report = json.loads(run("info", "-m", LLAMA, "--json").stdout)
    check(report["free_memory_bytes"] is None and report["fits_tokens"] is None, f"info --json without /proc: {report}")
    made = run("generate", "-m", LLAMA, "--ids", "1,2", "-n", "3", "--temperature", "0", "--json")
    check(made.returncode == 0 and json.loads(made.stdout) == document("generate", "-m", LLAMA, "--ids", "1,2", "-n", "3", "--temperature", "0", "--json"), f"generate without /proc: {made}")


def check_verify():
    for name in ("made-deepseek-v3", "bert-mlm", "made-llama-classes", "gpt2"):
        model = os.path.join(GOLDEN, "models", name)
        for isa in isas()[0]:
            for compute, bound in (("f32", 1e-4), ("f16", 0.05), ("bf16", 0.1)):
                made = document("verify", "-m", model, "--isa", isa, "--compute", compute, "--json")
                layers = document("info", "-m", model, "--json")["layers"]
                check(made["ok"] and made["bound"] == bound and len(made["layers"]) == layers, f"{name}, {isa}, {compute}: {made}")
                worst = max(layer["relative"] for layer in made["layers"])
                check(worst <= bound and (compute == "f32" or worst > 1e-4), f"{name}, {isa}, {compute}: {worst}")
                check((isa, compute) != ("scalar", "f32") or worst == 0, f"{name}: scalar f32 is the reference itself, and is off by {worst}")
    one_sentence(tern("verify", "--ids", "99999999"), "an id outside the vocabulary")
    for value, message in ((float("nan"), "is NaN"), (float("inf"), "is ")):
        with folder() as where:
            copy(where)
            put_weight(where, value)
            for isa in isas()[0]:
                run = tern("verify", "-m", where, "--isa", isa)
                one_sentence(run, f"verify of a weight that is {value}, {isa}")
                check(message in run.stderr.decode() and b"within" not in run.stdout, f"verify of {value}: {run.stderr.decode()}")
    check(b"within the bound" in tern("verify", "--ids", "1,2,3").stdout, "text for people")


def main():
    check_reasons()
    check_weights()
    check_beyond_f16()
    check_below_f16()
    check_without_proc()
    check_verify()
    finish()


main()
