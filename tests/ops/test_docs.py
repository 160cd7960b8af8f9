"""docs/ops.md lists exactly the ops of `tern ops`, and names what the args structs of include/tern/ops.h name, and what each costs. docs/deepspeed.md names every field of the
configs; it and tests/README.md name tests that are there. The primitives listed are those of the backend's table.

Usage: test_docs.py BUILD_DIR
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def sections(text):
    """Op -> the text of its section."""
    parts = re.split(r"^### `(\w+)`$", text, flags=re.M)
    return {name: re.split(r"^## ", body, flags=re.M)[0] for name, body in zip(parts[1::2], parts[2::2])}


def header_structs(text):
    """Op -> (its tensors, all its fields), by the struct tern_OP_args; typedefs of another op's struct are followed."""
    structs = {}
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} tern_(\w+)_args;", text, flags=re.S):
        tensors, fields = set(), set()
        for declaration in body.split(";"):
            words = re.findall(r"\w+", declaration)
            if not words:
                continue
            names = re.findall(r"(\w+)\s*(?:,|$)", declaration.strip().replace("*", " "))
            fields.update(names)
            if words[0] == "tern_tensor":
                tensors.update(names)
        structs[name] = (tensors, fields)
    for base, others in re.findall(r"typedef tern_(\w+)_args (tern_\w+_args(?:, tern_\w+_args)*);", text):
        for other in re.findall(r"tern_(\w+)_args", others):
            structs[other] = structs[base]
    return structs


def config_fields(text, struct):
    """The fields of a config struct, those of structs inside it left out."""
    body = re.search(r"typedef struct %s \{(.*?)\n\} %s;" % (struct, struct), re.sub(r"/\*.*?\*/", "", text, flags=re.S), flags=re.S).group(1)
    body = re.sub(r"struct \{.*?\} (\w+);", r"int \1;", re.sub(r"struct \{[^{}]*\}", "int", body))
    return [name for line in body.split(";") for name in re.findall(r"(\w+)\s*(?:\[\w+\])?\s*(?:,|$)", line.strip())]


def named_tests_faults(path):
    """A page names only tests, cases and models that are there: `tests/FILE: NAME`, `tests/FILE`, `fixtures/OP`, `models/NAME`."""
    text, faults = (ROOT / path).read_text(), []
    for file, name in re.findall(r"`(tests/[\w./]+\.(?:c|py))(?:: (\w+))?`", text):
        if not (ROOT / file).exists() or (name and not re.search(rf"\b{name}\b", (ROOT / file).read_text())):
            faults.append(f"{path} names the test {file}: {name}, which is not there")
    faults += [f"{path} names cases of {op}, and there are none" for op in re.findall(r"`fixtures/([a-z]\w+)`", text) if not list((ROOT / "tests/golden/ops" / op).glob("*.json"))]
    faults += [f"{path} names the model {name}, which is not there" for name in re.findall(r"`models/([a-z][\w-]+)`", text) if not (ROOT / "tests/golden/models" / name).is_dir()]
    return faults


def deepspeed_faults():
    """docs/deepspeed.md names every op and every field of the configs."""
    text = (ROOT / "docs" / "deepspeed.md").read_text()
    quoted = set(re.findall(r"`(\w+)`", text))
    include = ROOT / "include" / "tern"
    faults = []
    for file, struct in (("config.h", "tern_config"), ("config.h", "tern_moe_config"), ("engine_config.h", "tern_engine_config")):
        faults += [f"docs/deepspeed.md does not name {struct}.{name}" for name in config_fields((include / file).read_text(), struct) if name not in quoted and name != "layer"]
    for page in ("docs/deepspeed.md", "tests/README.md"):
        faults += named_tests_faults(page)
    return faults


def main():
    tern = pathlib.Path(sys.argv[1]) / "tern"
    listed = json.loads(subprocess.run([tern, "ops", "--json"], capture_output=True, check=True).stdout)
    registry = listed["ops"]
    doc = sections((ROOT / "docs" / "ops.md").read_text())
    header = (ROOT / "include" / "tern" / "ops.h").read_text()
    config = (ROOT / "include" / "tern" / "config.h").read_text()
    structs = header_structs(header)
    faults = []
    names = [op["name"] for op in registry]
    for name in names:
        if name not in doc:
            faults.append(f"{name} has no section in docs/ops.md")
        if f"tern_{name}_run(" not in header:
            faults.append(f"{name} has no typed call in include/tern/ops.h")
    faults += [f"docs/ops.md describes {name}, which is no op" for name in doc if name not in names]
    for name in names:
        body, (tensors, fields) = doc.get(name, ""), structs.get(name, (set(), set()))
        if not fields:
            faults.append(f"tern_{name}_args is not in include/tern/ops.h")
            continue
        quoted = set(re.findall(r"`([\w.]+)`", body))
        shared = set(re.findall(r"c\.`(\w+)`", body))
        if "as top1gating" in body:
            quoted |= set(re.findall(r"`([\w.]+)`", doc["top1gating"]))
        unnamed = sorted(tensors - quoted)
        faults += [f"{name}: docs/ops.md does not name the tensor {tensor}" for tensor in unnamed]
        faults += [f"{name}: c.{field} is no field of tern_config" for field in sorted(shared) if not re.search(rf"\b{field}\b", config)]
        if not re.search(r"^\| cost \|.+\|$", body, flags=re.M):
            faults.append(f"{name}: docs/ops.md does not say what it costs")
        row = re.search(r"^\| inputs \|(.*)\|$", body, flags=re.M)
        for tensor in re.findall(r"`([\w.]+)`", row.group(1) if row else ""):
            if tensor.replace(".", "_") not in fields:
                faults.append(f"{name}: docs/ops.md names the input {tensor}, which tern_{name}_args has not")
    table = re.search(r"typedef struct tern_backend \{(.*?)\} tern_backend;", (ROOT / "src/backend/backend.h").read_text(), flags=re.S).group(1)
    if sorted(re.findall(r"\(\*(\w+)\)", table)) != sorted(entry["name"] for entry in listed["primitives"]):
        faults.append("the primitives that are listed are not those of src/backend/backend.h")
    faults += deepspeed_faults()
    for fault in faults:
        print(fault)
    print(f"{len(names)} ops")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
