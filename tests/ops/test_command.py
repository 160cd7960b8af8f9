"""`tern op` on files that are right and wrong: the exit status, and the sentence that says what is wrong.

Usage: test_command.py BUILD_DIR
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

SIZES = {"F32": 4, "F16": 2, "I64": 8}


def write(path, tensors):
    """Zeros: name -> (dtype, shape)."""
    header, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = SIZES[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


def read_header(path):
    data = path.read_bytes()
    header = json.loads(data[8:8 + struct.unpack_from("<Q", data)[0]])
    return {name: (entry["dtype"], entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


# op, tensors, options, exit status, text on stderr (or the outputs, where it succeeds), why
ROWS = [
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, None, 0, {"out.output": ("F32", [2, 8])}, "no options: the types are the inputs'"),
    ("rms_norm", {"in.input": ("F16", [2, 8]), "in.gamma": ("F16", [8])}, {"layer_norm_eps": 1e-5}, 0, {"out.output": ("F16", [2, 8])}, "options alone"),
    ("qkv_gemm", {"in.input": ("F32", [2, 8]), "in.weight": ("F32", [8, 3]), "in.gamma": ("F32", [8])}, {"dtype": "fp32", "options": {}, "outputs": ["inp_norm", "output"]}, 0,
     {"out.inp_norm": ("F32", [2, 8]), "out.output": ("F32", [2, 3])}, "a case: dtype, options, outputs"),
    ("qkv_gemm", {"in.input": ("F32", [2, 8]), "in.weight": ("F32", [8, 3]), "in.gamma": ("F32", [8]), "other": ("F32", [1])}, None, 0,
     {"out.inp_norm": ("F32", [2, 8]), "out.output": ("F32", [2, 3])}, "tensors without in. are not the op's"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [7])}, None, 1, ["rms_norm", "gamma", "7", "8"], "shapes"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gama": ("F32", [8])}, None, 1, ["gama", "gamma"], "an unknown input"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"layer_norm_epsilon": 1}, 1, ["layer_norm_epsilon", "layer_norm_eps"], "an unknown option"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"layer_norm_eps": "small"}, 1, ["layer_norm_eps", "small"], "an option's kind"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"options": {}, "outputs": ["result"]}, 1, ["result"], "an unknown output"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"options": {}, "dtype": "fp16"}, 1, ["input", "f32", "f16"], "a dtype that is not the tensors'"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"options": {}, "dtype": "fp8"}, 1, ["dtype", "fp8"], "an unknown dtype"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"op": "layer_norm", "options": {}}, 1, ["layer_norm", "rms_norm"], "a case of another op"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, {"options": {}, "inputs": ["input", "gamma", "beta"]}, 1, ["beta"], "an input that is listed and not there"),
    ("rms_norm", {"in.input": ("F32", [2, 8]), "in.gamma": ("F32", [8])}, [1], 1, ["--options"], "options that are no object"),
    ("rms_nrom", {"in.input": ("F32", [2, 8])}, None, 1, ["rms_nrom", "rms_norm"], "an unknown op"),
    ("rms_norm", {}, None, 1, ["input", "missing"], "no tensors"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [1, 3, 48])}, {"options": {"heads": 2}, "dtype": "fp32", "outputs": ["context_step0", "key_cache"]}, 0,
     {"out.context_step0": ("F32", [1, 3, 16]), "out.key_cache": ("F32", [1, 2, 3, 8])}, "one step"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [1, 3, 48])}, {"options": {}, "dtype": "fp32"}, 1, ["heads", "missing"], "a required option"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [1, 3, 48])}, {"options": {"heads": 2, "steps": 2}, "dtype": "fp32"}, 1, ["query_key_value_step1", "missing"], "a step without its input"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [1, 3, 48])}, {"options": {"heads": 2, "layer_id": 2, "num_layers": 2}, "dtype": "fp32"}, 1, ["layer", "2"], "a layer beyond the last"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [1, 3, 48]), "in.mask_step0": ("F32", [1, 3])}, {"options": {"heads": 2}, "dtype": "fp32"}, 1, ["mask_step0"], "an unknown input of a step"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [1, 3, 48])}, {"options": {"heads": 2, "steps": 0}, "dtype": "fp32"}, 1, ["steps", "0"], "no steps"),
    ("softmax_context", {"in.query_key_value_step0": ("F32", [0, 3, 48]), "in.attn_mask_step0": ("F32", [0, 3])}, {"options": {"heads": 2}, "dtype": "fp32", "outputs": ["context_step0", "key_cache"]}, 0,
     {"out.context_step0": ("F32", [0, 3, 16]), "out.key_cache": ("F32", [0, 2, 3, 8])}, "an empty batch with a mask"),
    ("layer", {"in.input_step0": ("F32", [1, 3, 8]), "in.norm_w": ("F32", [8]), "in.mlp.attn_nw": ("F32", [8]), "in.attention.attn_qkvw": ("F32", [8, 8]), "in.attention.attn_ow": ("F32", [4, 8]),
               "in.mlp.inter_w": ("F32", [8, 5]), "in.mlp.output_w": ("F32", [5, 8])},
     {"options": {"hidden_size": 8, "heads": 4, "num_kv": 2, "intermediate_size": 10, "norm_type": "RMSNorm", "mp_size": 2}, "dtype": "fp32", "outputs": ["output_step0", "key_cache"]}, 0,
     {"out.output_step0": ("F32", [1, 3, 8]), "out.key_cache": ("F32", [1, 1, 3, 2])}, "the slices of one rank of two"),
    ("layer", {"in.input_step0": ("F32", [1, 3, 8])}, {"options": {"hidden_size": 8, "heads": 2, "intermediate_size": 8, "mp_size": 3}, "dtype": "fp32"}, 1, ["mp_size 3", "heads 2"], "ranks that do not divide the heads"),
    ("layer", {"in.input_step0": ("F32", [1, 3, 8])}, {"options": {"hidden_size": 8, "heads": 2}, "dtype": "fp32"}, 1, ["intermediate_size", "missing"], "a required option"),
    ("layer", {"in.input_step0": ("F32", [1, 3, 8])}, {"options": {"hidden_size": 8, "heads": 3, "intermediate_size": 8}, "dtype": "fp32"}, 1, ["heads 3", "hidden_size 8"], "a config that does not check"),
    ("layer", {"in.input_step0": ("F32", [1, 3, 8])}, {"options": {"hidden_size": 8, "heads": 2, "intermediate_size": 8}, "dtype": "fp32"}, 1, ["missing"], "a layer without weights"),
    ("moe_layer", {"in.input": ("F32", [1, 3, 8])}, {"options": {}, "dtype": "fp32"}, 1, ["global_experts", "missing"], "a required option"),
    ("moe_layer", {"in.input": ("F32", [1, 3, 8])}, {"options": {"global_experts": 2, "k": 3}, "dtype": "fp32"}, 1, ["k is 3", "2"], "more experts than there are"),
]


def main():
    tern = str(pathlib.Path(sys.argv[1]) / "tern")
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.safetensors", pathlib.Path(folder) / "out.safetensors"
        for op, tensors, options, status, expected, why in ROWS:
            write(source, tensors)
            target.unlink(missing_ok=True)
            command = [tern, "op", op, str(source), str(target)]
            if options is not None:
                text = json.dumps(options)
                if not text.startswith("{"):
                    (pathlib.Path(folder) / "options.json").write_text(text)
                    text = str(pathlib.Path(folder) / "options.json")
                command += ["--options", text]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != status:
                wrong = f"exit {done.returncode}, {done.stderr.strip()}"
            elif status == 0:
                wrong = "" if read_header(target) == expected else f"wrote {read_header(target)}"
            else:
                one_line = done.stderr.startswith("tern: ") and done.stderr.count("\n") == 1 and not target.exists()
                wrong = "" if one_line and all(word in done.stderr for word in expected) else f"said {done.stderr!r}"
            if wrong:
                faults += 1
                print(f"{op} ({why}): {wrong}")
        config = pathlib.Path(folder) / "config.json"
        config.write_text('{"dtype": "fp16", "layer_norm_eps": 1e-3}')
        write(source, {"in.input": ("F16", [2, 8]), "in.gamma": ("F16", [8])})
        done = subprocess.run([tern, "op", "rms_norm", str(source), str(target), "--config", str(config)], capture_output=True, text=True)
        if done.returncode or read_header(target) != {"out.output": ("F16", [2, 8])}:
            faults += 1
            print(f"--config: {done.stderr}")
        done = subprocess.run([tern, "op", "rms_norm", str(source), str(target), "--options", folder + "/nothing.json"], capture_output=True, text=True)
        if done.returncode != 1 or "nothing.json" not in done.stderr:
            faults += 1
            print(f"--options of no file: {done.stderr}")
    print(f"{len(ROWS) + 2} runs")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
