"""What tern says of a path that is no checkpoint: the layouts of other libraries as their repositories have them (the names of the files; nothing is in them),
caches, folders beside the right one, files, names of hubs. Each must be one sentence with the path, what was found, and what to do, from every command that
opens a model.

Layouts: diffusers (model_index.json), peft (adapter_config.json), Meta's llama-models and mistral-inference (params.json), huggingface_hub's cache
(docs, "Understand caching"), transformers' Trainer (checkpoint-N), optimum's ONNX and OpenVINO exports, CTranslate2's converters, DeepSpeed's and FSDP's
checkpoints, git-lfs's docs/spec.md.
"""
import json
import os
import shutil

from rig import GOLDEN, check, finish, folder, one_sentence, tern

CONFIG = os.path.join(GOLDEN, "models", "llama-mha", "config.json")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1000\n"
UNET = '{"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0"}'
POOLING = '{"word_embedding_dimension": 384, "pooling_mode_mean_tokens": true}'

# The files of the directory (a list of names, or a name with its text; "config.json" alone is a model's), which folder of it is opened, what must be said, why
ROWS = [
    ([("model_index.json", "{}"), ("unet/config.json", UNET), ("text_encoder/config.json", "{}")], "", ["model_index.json", "diffusers"], "a pipeline of diffusers"),
    ([("unet/config.json", UNET)], "unet", ["config.json", "diffusers"], "a part of one"),
    ([("adapter_config.json", '{"base_model_name_or_path": "meta-llama/Llama-2-7b-hf"}'), "adapter_model.safetensors"], "",
     ["adapter_config.json", "PEFT", "meta-llama/Llama-2-7b-hf", "merge"], "an adapter names its base"),
    (["config.json", "adapter_config.json", "adapter_model.safetensors"], "", ["PEFT"], "an adapter with a config.json beside it"),
    ([("adapter_config.json", "{"), "adapter_model.bin"], "", ["PEFT"], "one whose config is broken"),
    (["llama-2-7b.Q4_K_M.gguf", "llama-2-7b.Q2_K.gguf"], "", ["llama-2-7b.Q2_K.gguf", "GGUF"], "GGUF files: the first by name"),
    (["config.json", "model.gguf"], "", ["model.gguf", "GGUF"], "a GGUF file beside a config"),
    (["model.onnx", "tokenizer.json"], "", ["model.onnx", "ONNX"], "an ONNX graph"),
    (["config.json", "onnx/model.onnx"], "", ["ONNX"], "a folder of them"),
    (["config.json", "pytorch_model.bin"], "", ["pytorch_model.bin", "pickle", "save_pretrained"], "a pickle"),
    (["config.json", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"], "", ["index of pickles"], "shards of a pickle"),
    (["consolidated.00.pth", "params.json", "tokenizer.model"], "", ["consolidated.00.pth", "Meta"], "Meta's own layout"),
    (["consolidated.safetensors", "params.json", "tekken.json"], "", ["Mistral"], "Mistral's own layout"),
    (["config.json", "tf_model.h5"], "", ["tf_model.h5", "TensorFlow"], "TensorFlow"),
    (["saved_model.pb", "variables/variables.index"], "", ["TensorFlow"], "its graphs"),
    (["bert_model.ckpt.index", "bert_config.json", "vocab.txt"], "", ["TensorFlow"], "its first checkpoints"),
    (["config.json", "flax_model.msgpack"], "", ["flax_model.msgpack", "Flax"], "Flax"),
    ([("config.json", '{"add_source_bos": false}'), "model.bin", "shared_vocabulary.json"], "", ["CTranslate2"], "CTranslate2"),
    (["openvino_model.xml", "openvino_model.bin"], "", ["OpenVINO"], "OpenVINO"),
    (["mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"], "", ["DeepSpeed", "zero_to_fp32.py"], "a checkpoint of DeepSpeed"),
    (["__0_0.distcp", ".metadata"], "", ["FSDP"], "a checkpoint of FSDP"),
    (["weights.npz", "tokenizer.model"], "", ["weights.npz", "MLX"], "MLX's first layout"),
    (["mlc-chat-config.json", "ndarray-cache.json", "params_shard_0.bin"], "", ["MLC"], "MLC's layout is no pickle, for all its .bin"),
    (["config.json", ("model.safetensors", "PK\x03\x04 and so on")], "", ["model.safetensors", "archive", "PyTorch"], "a pickle under another name"),
    (["config.json", ("model.safetensors", "GGUF and so on")], "", ["model.safetensors", "GGUF"], "a GGUF file under another name"),
    (["rank0.engine"], "", ["TensorRT"], "an engine"),
    (["config.json", "model-00001-of-00002.safetensors"], "", ["model-00001-of-00002.safetensors", "model.safetensors.index.json"], "shards without their index"),
    (["config.json", "model.fp16.safetensors"], "", ["model.fp16.safetensors", "variant"], "a variant"),
    (["config.json", "model.safetensors.incomplete"], "", ["download", "not finished"], "half a download"),
    (["model.safetensors"], "", ["model.safetensors", "config.json"], "weights alone"),
    (["tokenizer.json"], "", ["tokenizer.json", "tern tokenize"], "a tokenizer alone"),
    (["README.md"], "", ["no config.json is there"], "nothing known"),
    ([], "", ["empty directory"], "nothing at all"),
    ([".gitattributes", ".git/HEAD"], "", ["empty directory"], "a clone whose files are not checked out"),
    (["models--org--name/snapshots/1a2b/config.json", "models--org--name/snapshots/9f/config.json", ("models--org--name/refs/main", "9f"), "models--org--name/blobs/x"],
     "models--org--name", ["models--org--name/snapshots/9f"], "a hub's cache of a model: the snapshot of its branch"),
    (["models--org--name/snapshots/1a2b/config.json", "models--org--name/blobs/x"], "models--org--name", ["snapshots/1a2b"], "one without a branch"),
    (["models--org--name/blobs/x.incomplete", "models--org--name/snapshots/.keep"], "models--org--name", ["fetch it again"], "one without a snapshot"),
    (["models--org--name/snapshots/1a2b/config.json", "models--org--name/blobs/x", "version.txt"], "", ["models--org--name/snapshots/1a2b"], "the cache of all models"),
    (["checkpoint-500/config.json", "checkpoint-1000/config.json", "runs/x"], "", ["checkpoint-1000"], "a trainer's folder: the last of its checkpoints"),
    (["0_Transformer/config.json", ("1_Pooling/config.json", POOLING)], "", ["0_Transformer"], "the transformer is in a folder below, and no modules.json names it"),
    ([("1_Pooling/config.json", POOLING)], "1_Pooling", ["Pooling", "directory above"], "a module in place of the model"),
    (["models/base/config.json", "base/config.json"], "", ["/base"], "a folder too high"),
    ([("config.json", "<!DOCTYPE html>\n<html>"), "model.safetensors"], "", ["config.json", "web page"], "a login page under the file's name"),
    (["config.json", ("model.safetensors", "<html><body>404</body></html>")], "", ["model.safetensors", "web page"], "one in place of the weights"),
    ([("config.json", ""), "model.safetensors"], "", ["config.json: an empty file"], "a download that never began"),
    ([("config.json", "\ufeff{}"), "model.safetensors"], "", ["config.json", "byte order mark"], "saved by an editor"),
    (["config.json", ("model.safetensors", "Entry not found")], "", ["model.safetensors", "the text \"Entry not found\""], "a server's answer in place of the weights"),
    (["config.json", ("model.safetensors", '{"error":"Invalid credentials"}')], "", ["model.safetensors", "the text \"{\"error\""], "one in JSON"),
    ([("config.json", POINTER), ("model.safetensors", POINTER)], "", ["config.json", "Git LFS", "git lfs pull"], "a clone without Git LFS"),
    (["config.json", ("model.safetensors", POINTER)], "", ["model.safetensors", "Git LFS", "1000 bytes", f"{len(POINTER)} bytes"], "its weights"),
    (["config.json", ("model.safetensors.index.json", POINTER)], "", ["model.safetensors.index.json", "Git LFS"], "its index"),
    (["config.json", ("model.safetensors.index.json", '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}'), ("model-00001-of-00001.safetensors", POINTER)], "",
     ["model-00001-of-00001.safetensors", "Git LFS"], "a shard"),
]

FILES = [("model.gguf", ["GGUF"]), ("model.safetensors", ["directory"]), ("config.json", ["directory"]), ("pytorch_model.bin", ["pickle"]), ("model.onnx", ["ONNX"]),
         ("model.tar.gz", ["archive"]), ("notes", ["a file, not a directory"])]

NAMES = [
    ("org/model", ["hub", "downloads nothing"], "a hub's name"),
    ("bert-base-uncased", ["hub", "downloads nothing"], "one without an organization"),
    ("https://huggingface.co/org/model", ["address", "downloads nothing"], "an address"),
    ("~/models/x", ["$HOME"], "a tilde that the shell has left"),
    ("/nonexistent/models/x", ["No such file or directory"], "a path"),
    ("./nope", ["No such file or directory"], "a path from here"),
]


def fill(where, files):
    for name in files:
        name, text = name if isinstance(name, tuple) else (name, None)
        path = os.path.join(where, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if text is None and name == "config.json":
            shutil.copy(CONFIG, path)
            continue
        with open(path, "w", encoding="utf-8") as f:
            f.write(text or "")


def says(run, message, why):
    one_sentence(run, why)
    for word in message:
        check(word in run.stderr.decode(), f"{why}: {word!r} is not in {run.stderr.decode()}")


def check_rows():
    for files, below, message, why in ROWS:
        with folder() as where:
            fill(where, files)
            path = os.path.join(where, below)
            run = tern("info", "-m", path)
            says(run, message, why)
            check(path.rstrip("/") in run.stderr.decode(), f"{why}: no path in {run.stderr.decode()}")
            reasons = json.loads(tern("info", "-m", path, "--json").stdout)["reasons"]
            check(any(all(word in reason for word in message) for reason in reasons), f"{why}: not a reason: {reasons}")


def check_commands():
    """Not info alone: whatever opens a model says the same, and what opens a tokenizer or a template says no worse."""
    with folder() as where:
        fill(where, ["llama-2-7b.Q2_K.gguf"])
        for command in (["generate", "-p", "x"], ["chat"], ["logits", "--ids", "1"], ["embed"], ["classify"], ["rerank", "x"], ["verify"], ["tokenize"]):
            says(tern(*command, "-m", where), ["GGUF", "llama-2-7b.Q2_K.gguf"], f"tern {command[0]} of a GGUF directory")
        for command in ("tokenize", "detokenize", "render"):
            says(tern(command, "-m", "org/model"), ["downloads nothing"], f"tern {command} of a hub's name")
        for name in ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json"):
            fill(where, [(name, POINTER)])
            says(tern("tokenize", "-m", where), [name, "Git LFS"], f"a pointer in place of {name}")
            os.remove(os.path.join(where, name))
        os.remove(os.path.join(where, "llama-2-7b.Q2_K.gguf"))
        for name, message in (("tekken.json", ["Mistral"]), ("source.spm", ["SentencePiece", "save_pretrained"]), ("qwen.tiktoken", ["tiktoken", "save_pretrained"])):
            fill(where, [name])
            says(tern("tokenize", "-m", where), [name, "tokenizer.json"] + message, f"{name} in place of a tokenizer that tern reads")
            os.remove(os.path.join(where, name))
        fill(where, [("chat_template.jinja", POINTER)])
        says(tern("render", "-m", where, stdin=b"[]"), ["chat_template.jinja", "Git LFS"], "a pointer in place of a template")
        says(tern("render", "--template", os.path.join(where, "chat_template.jinja"), stdin=b"[]"), ["Git LFS"], "one that --template names")


def check_modules_of_a_model():
    """A model without a tokenizer: the folders of its modules have a config.json, too, and are not the place to look."""
    with folder() as where:
        fill(where, ["config.json", ("1_Pooling/config.json", POOLING)])
        run = tern("tokenize", "-m", where, stdin=b"x")
        check(run.returncode == 1 and b"tokenizer.json" in run.stderr and b"1_Pooling" not in run.stderr, f"a model with modules and no tokenizer: {run.stderr.decode()}")


def check_links():
    """A snapshot of a hub's cache whose files were removed has links to nothing."""
    for name in ("config.json", "model.safetensors"):
        with folder() as where:
            fill(where, ["config.json"])
            if name == "config.json":
                os.remove(os.path.join(where, name))
            os.symlink("../../blobs/4d7a21", os.path.join(where, name))
            says(tern("info", "-m", where), [name, "link", "../../blobs/4d7a21"], f"a link to nothing in place of {name}")


def check_adapter_beside_weights():
    with folder() as where:
        for name in ("config.json", "model.safetensors"):
            shutil.copy(os.path.join(os.path.dirname(CONFIG), name), where)
        fill(where, [("adapter_config.json", "{}")])
        run = tern("logits", "-m", where, "--ids", "1")
        check(run.returncode == 0 and "warning" in run.stderr.decode() and "adapter_config.json" in run.stderr.decode(), f"an adapter that is not applied is warned of: {run.stderr.decode()}")


def check_tokenizers():
    """Ids do without a tokenizer; one that is there and does not open is warned of, under each of its names."""
    for name in ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt"):
        for below in ("", "0_Transformer"):
            with folder() as top:
                where = os.path.join(top, below)
                os.makedirs(where, exist_ok=True)
                for file in ("config.json", "model.safetensors"):
                    shutil.copy(os.path.join(os.path.dirname(CONFIG), file), where)
                if below:
                    fill(top, [("modules.json", json.dumps([{"idx": 0, "name": "0", "path": below, "type": "sentence_transformers.models.Transformer"}]))])
                plain = tern("generate", "-m", top, "--ids", "1,2", "-n", "2", "--temperature", "0")
                with open(os.path.join(where, name), "wb") as f:
                    f.write(b"\xff\n")
                run = tern("generate", "-m", top, "--ids", "1,2", "-n", "2", "--temperature", "0")
                check(plain.returncode == 0 and not plain.stderr, f"no tokenizer, {below}: {plain.stderr.decode()}")
                check(run.returncode == 0 and run.stdout == plain.stdout and b"no text, only ids" in run.stderr and name.encode() in run.stderr, f"a broken {name}, {below}: {run.stderr.decode()}")


def check_names():
    with folder() as where:
        for name, message in FILES:
            fill(where, [(name, "x")])
            says(tern("info", "-m", os.path.join(where, name)), [name] + message, f"the file {name} in place of a directory")
        for name, message, why in NAMES:
            says(tern("info", "-m", name, cwd=where), [name] + message, why)


check_rows()
check_commands()
check_modules_of_a_model()
check_links()
check_adapter_beside_weights()
check_tokenizers()
check_names()
finish()
