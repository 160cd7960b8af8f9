"""Copies of checkpoint folders with some of their numbers, tensors or files changed: what tests of faults share."""
import json
import os
import shutil
import struct

import numpy as np

from rig import GOLDEN

MODELS = os.path.join(GOLDEN, "models")
TYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64}    # a bf16 number as its bits


def load(path):
    """{name: (type, array)} of a safetensors file."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: (t["dtype"], np.frombuffer(data[slice(*t["data_offsets"])], TYPES[t["dtype"]]).reshape(t["shape"]).copy()) for name, t in header.items()}


def save(path, tensors):
    header, data = {}, b""
    for name, (kind, array) in tensors.items():
        blob = np.ascontiguousarray(array, TYPES[kind]).tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def edit(path, change):
    """Changes a JSON object in place; a value of None takes its key out."""
    value = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            value = json.load(f)
    value.update(change)
    with open(path, "w", encoding="utf-8") as f:
        json.dump({k: v for k, v in value.items() if v is not None}, f)


def copy(name, place, config=None, generation=None, tensors=None):
    """A copy of a folder of tests/golden/models in place, with keys of its JSON files replaced and its tensors changed by a function."""
    source = os.path.join(MODELS, name)
    for file in os.listdir(source):
        if file != "expected.json":
            shutil.copyfile(os.path.join(source, file), os.path.join(place, file))
    if config:
        edit(os.path.join(place, "config.json"), config)
    if generation:
        edit(os.path.join(place, "generation_config.json"), generation)
    if tensors:
        path = os.path.join(place, "model.safetensors")
        given = load(path)
        tensors(given)
        save(path, given)
    return place
