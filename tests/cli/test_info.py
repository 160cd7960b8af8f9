"""What tern info says can be done with a directory, and what is wrong with it: every part is looked at, and one that fails hides no other.

Each row changes a copy of a small checkpoint; the lines that are wanted follow from what the commands do, and the commands are run beside some of them.
"""
import json
import os
import shutil

from rig import DEMO, GOLDEN, check, document, finish, folder, tern

MODELS = os.path.join(GOLDEN, "models")
COMMANDS = ["generate", "chat", "logits", "perplexity", "tokenize", "detokenize", "render", "embed", "classify", "rerank", "verify", "bench"]
POOLING = json.dumps({"word_embedding_dimension": 48, "pooling_mode_cls_token": True})
MODULES = json.dumps([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                      {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
UNKNOWN_MODULE = json.dumps([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                             {"idx": 1, "name": "1", "path": "1_X", "type": "custom.NoSuchModule"}])

# The checkpoint, files that change (null: taken away), exit status, the start of a command's line, text of a reason ("": there is none), why
ROWS = [
    ("demo", {}, 0, {c: "no (no classification head)" if c in ("classify", "rerank") else "yes" for c in COMMANDS}, [], "a model with all its parts"),
    ("demo", {}, 0, {"embed": "yes (last, 256)"}, [], "how it embeds"),
    ("llama-mha", {"tokenizer_config.json": "{}"}, 0, {"generate": "yes", "chat": "no (the directory has no chat template)", "render": "no"}, [], "no template"),
    ("demo", {"tokenizer.json": None}, 0, {"generate": "yes (by token ids alone: the directory has no tokenizer)", "chat": "no (the directory has no tokenizer)", "tokenize": "no"}, [],
     "no tokenizer"),
    ("demo", {"tokenizer.json": "{"}, 0, {"generate": "yes (by token ids alone: the tokenizer does not open)", "chat": "no", "render": "yes", "embed": "yes (last, 256; by token ids alone"},
     ["tokenizer.json: line 1, column 2"], "a broken tokenizer leaves the rest"),
    ("demo", {"chat_template.jinja": "<!DOCTYPE html>\n<title>404</title>"}, 0, {"chat": "no (", "tokenize": "yes"}, ["chat_template.jinja: a web page"], "a page in a template's place"),
    ("demo", {"tokenizer.json": None, "tokenizer.model": "<html></html>"}, 0, {"tokenize": "no"}, ["tokenizer.model: a web page"], "one in place of SentencePiece's file"),
    ("demo", {"tokenizer.json": None, "vocab.txt": "<html></html>"}, 0, {"tokenize": "no"}, ["vocab.txt: a web page"], "one that has lines as a vocabulary has"),
    ("demo", {"special_tokens_map.json": "[]"}, 0, {"generate": "yes (by token ids alone", "tokenize": "no"}, ["special_tokens_map.json: a list, not an object"], "no map"),
    ("demo", {"added_tokens.json": "[1]"}, 0, {"generate": "yes (by token ids alone", "tokenize": "no"}, ["added_tokens.json: a list, not an object"], "no tokens"),
    ("demo", {"generation_config.json": '{"eos_token_id": "2"}'}, 1, {"generate": "no"}, ["\"eos_token_id\" is \"2\", and must be an integer, or a list"], "an id that is a text"),
    ("demo", {"chat_template.jinja": "{% for %}"}, 0, {"generate": "yes", "chat": "no (", "render": "no (", "tokenize": "yes"}, ["chat_template.jinja: line 1"], "a broken template"),
    ("demo", {"chat_template.jinja": "{{ raise_exception('only tools') }}"}, 0, {"generate": "yes", "chat": "no (", "tokenize": "yes"}, ["only tools"],
     "a template that takes no message of a user"),
    ("demo", {"chat_template.jinja": "{% if messages[0].role != 'system' %}{{ raise_exception('who am I?') }}{% endif %}x"}, 0,
     {"chat": "yes (with a system message only)", "render": "yes (with a system message only)"}, [], "a template that wants a system message"),
    ("demo", {"chat_template.jinja": None, "additional_chat_templates/rag.jinja": "x"}, 0, {"chat": "no (", "generate": "yes"}, ["rag"], "no template that a chat begins with"),
    ("demo", {"tokenizer_config.json": "[]"}, 0, {"generate": "yes", "chat": "no ("}, ["tokenizer_config.json"], "a tokenizer_config.json that is none"),
    ("demo", {"generation_config.json": '{"temperature": "hot"}'}, 1, {"generate": "no (the model does not open)", "tokenize": "yes", "render": "yes"},
     ["generation_config.json", "temperature", "hot"], "a broken generation_config.json"),
    ("demo", {"tokenizer.json": "{", "chat_template.jinja": "{% for %}", "generation_config.json": "{", "config.json": "{}"}, 1, {c: "no" for c in COMMANDS},
     ["config.json", "tokenizer.json", "chat_template.jinja"], "several parts at once"),
    ("demo", {"config.json": None, "model.safetensors": None}, 1, {"generate": "no", "tokenize": "yes", "detokenize": "yes", "render": "yes"}, ["config.json", "a tokenizer, without a model"],
     "a tokenizer without a model"),
    ("bert-model", {}, 0, {"generate": "no (an encoder)", "chat": "no (an encoder)", "embed": "yes (mean, 48)", "logits": "no (no head over the vocabulary)",
                           "classify": "no (no classification head)"}, [], "an encoder"),
    ("bert-model", {"modules.json": MODULES, "1_Pooling/config.json": POOLING}, 0, {"embed": "yes (cls, 48)"}, [], "its modules"),
    ("bert-model", {"modules.json": "[" + MODULES[1:].split("}, ")[0] + "}]"}, 1, {"embed": "no ("}, ["modules.json: no module makes a vector"], "modules that make no vector"),
    ("bert-model", {"modules.json": MODULES}, 1, {"embed": "no ("}, ["1_Pooling/config.json"], "a module whose file is missing: what it is for does not run"),
    ("bert-model", {"modules.json": MODULES, "1_Pooling/config.json": POOLING, "tokenizer_config.json": '{"model_max_length": 7, "model_max_length": 9}'}, 0, {"embed": "yes (cls, 48)"}, [],
     "a key that tokenizer_config.json has twice"),
    ("bert-model", {"modules.json": UNKNOWN_MODULE}, 1, {"embed": "no ("}, ["NoSuchModule"], "a module that tern has not"),
    ("bert-model", {"modules.json": UNKNOWN_MODULE, "config.json": "{}"}, 1, {"embed": "no (the model does not open)"}, ["NoSuchModule", "config.json"], "the same beside another fault"),
    ("bert-mlm", {}, 0, {"logits": "yes", "generate": "no (an encoder)", "embed": "yes (mean"}, [], "a masked-language model"),
    ("made-bert-classes", {}, 0, {"classify": "yes (", "rerank": "no (the directory has no tokenizer)", "generate": "no"}, [], "a classifier"),
    ("made-llama-classes", {}, 0, {"classify": "yes (", "generate": "no (no head over the vocabulary)"}, [], "a classifier made of a decoder"),
    ("made-llama-model", {}, 0, {"embed": "yes (last", "generate": "no (no head over the vocabulary)", "classify": "no"}, [], "a decoder without a head"),
]


def copy(name, changes, where):
    shutil.copytree(DEMO if name == "demo" else os.path.join(MODELS, name), where, dirs_exist_ok=True)
    for file, text in changes.items():
        path = os.path.join(where, file)
        if text is None:
            os.remove(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def check_rows():
    for name, changes, status, wanted, reasons, why in ROWS:
        with folder() as where:
            copy(name, changes, where)
            run = tern("info", "-m", where)
            text = run.stdout.decode()
            check(run.returncode == status, f"{why}: exit {run.returncode}: {text}{run.stderr.decode()}")
            check(status == 0 or run.stderr.startswith(b"tern: "), f"{why}: a failure says why: {run.stderr.decode()}")
            lines = dict(line.split(": ", 1) for line in text.split("\n")[-1 - len(COMMANDS):-1])
            check(list(lines) == COMMANDS, f"{why}: it does not end with the commands: {text}")
            for command, start in wanted.items():
                check(lines.get(command, "").startswith(start), f"{why}: {command}: {lines.get(command)}, and not {start}")
            for message in reasons:
                check(any(message in line for line in text.split("\n")[:-1 - len(COMMANDS)]), f"{why}: no line has {message!r}: {text}")
            check_json(where, lines, status, why)


def check_json(where, lines, status, why):
    run = tern("info", "-m", where, "--json")
    about = json.loads(run.stdout)
    check(run.returncode == status, f"{why}: --json: exit {run.returncode}")
    for command, line in lines.items():
        told = about["commands"][command]
        check(line == ("yes" if told["able"] else "no") + (f" ({told['detail']})" if told["detail"] else ""), f"{why}: --json of {command}: {told}, and not {line}")
    check(("architecture" in about) == (lines["verify"] == "yes"), f"{why}: --json has the model where it opens: {about}")


def check_ignored():
    with folder() as where:
        copy("demo", {"generation_config.json": json.dumps({"first_new_key": 4, "second_new_key": [2], "eos_token_id": 0})}, where)
        check(any(line.startswith("ignored") and "first_new_key" in line for line in tern("info", "-m", where).stdout.decode().split("\n")), "keys that are ignored are listed")
        check(document("info", "-m", where, "--json")["ignored"] == ["generation_config.json: first_new_key", "generation_config.json: second_new_key"], "and so with --json")


def check_ignored_values():
    """A value with commas is one entry with its key."""
    with folder() as where:
        copy("llama-mha", {"generation_config.json": json.dumps({"suppress_tokens": [1, 2], "stop_strings": ["a, b", "c"], "new_key": 1})}, where)
        told = document("info", "-m", where, "--json")["ignored"]
        check(told == ['generation_config.json: "suppress_tokens" [1,2]', 'generation_config.json: "stop_strings" ["a, b","c"]', "generation_config.json: new_key"], f"values with commas: {told}")


def check_lost_links():
    """A link whose target is gone, as a cache leaves it, is not taken for a file that was never there."""
    for name, command in (("generation_config.json", "generate"), ("modules.json", "embed")):
        with folder() as where:
            copy("bert-model", {}, where)
            os.symlink("/nowhere/blob", os.path.join(where, name))
            run = tern("info", "-m", where)
            text = run.stdout.decode()
            check(run.returncode == 1 and f"{command}: no (" in text and name in text and "link" in text, f"{name} is a link to nothing: exit {run.returncode}: {text}")


def check_ignored_of_a_tokenizer():
    """A key that the tokenizers library skips inside a component is listed with its file."""
    with folder() as where:
        copy("demo", {}, where)
        path = os.path.join(where, "tokenizer.json")
        with open(path, encoding="utf-8") as f:
            tokenizer = json.load(f)
        tokenizer["decoder"] = dict(tokenizer["decoder"], twist=1)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(tokenizer, f)
        rows = [line for line in tern("info", "-m", where).stdout.decode().split("\n") if line.startswith("ignored")]
        check(len(rows) == 1 and "tokenizer.json: " in rows[0] and "twist" in rows[0], f"a key of tokenizer.json that is skipped: {rows}")
        told = document("info", "-m", where, "--json")["ignored"]
        check(len(told) == 1 and told[0].startswith("tokenizer.json: ") and told[0].endswith("twist"), f"and so with --json: {told}")


def check_what_it_says():
    """The commands do what the lines say."""
    with folder() as where:
        copy("demo", {"chat_template.jinja": "{% for %}"}, where)
        check(tern("generate", "-m", where, "-p", "Once", "-n", "1", "--temperature", "0").returncode == 0, "generate: yes")
        check(tern("chat", "-m", where, stdin=b"Hi\n").returncode == 1, "chat: no")
        copy("demo", {"tokenizer.json": "{"}, where)
        check(tern("generate", "-m", where, "--ids", "1", "-n", "1", "--temperature", "0").returncode == 0, "generate: yes, by token ids")
        check(tern("tokenize", "-m", where, stdin=b"x").returncode == 1, "tokenize: no")


def check_long_values():
    """What a file has is cut, at a character's end, marked, and never a terminal's escape."""
    for key, value in (("k" * 3000, 1), ("k", "v" * 3000), ("ключ" * 300, "значение" * 300), ("a\x1b[31mb\nc", "\x1b[2J")):
        with folder() as where:
            copy("llama-mha", {}, where)
            with open(os.path.join(where, "config.json"), encoding="utf-8") as f:
                config = json.load(f)
            config["hidden_act"] = {key: value}
            with open(os.path.join(where, "config.json"), "w", encoding="utf-8") as f:
                json.dump(config, f, ensure_ascii=False)
            first, second = tern("info", "-m", where), tern("info", "-m", where)
            check(first.stdout == second.stdout and first.stderr == second.stderr, f"the same bytes each time: {key[:10]!r}")
            text = first.stdout.decode() + first.stderr.decode()
            check("\x1b" not in text, f"no control characters: {text!r}")


check_rows()
check_ignored()
check_ignored_values()
check_lost_links()
check_ignored_of_a_tokenizer()
check_what_it_says()
check_long_values()
finish()
