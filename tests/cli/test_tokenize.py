"""`tern tokenize`: all ids of a text come, whatever tokenizer.json says of truncation and padding, unless --truncate or --pad asks
for them.

Usage: test_tokenize.py BUILD_DIR
"""
import json
import os
import shutil

from rig import GOLDEN, check, document, finish, folder, tern

TEXT = b"hello world how are you"

with folder() as d:
    for name in ("config.json", "generation_config.json", "model.safetensors", "tokenizer_config.json"):
        source = os.path.join(GOLDEN, "models", "llama-mha", name)
        if os.path.exists(source):
            shutil.copy(source, d)
    with open(os.path.join(GOLDEN, "tokenizers", "llama2-spbpe", "tokenizer.json"), encoding="utf-8") as f:
        tokenizer = json.load(f)
    plain = tokenizer["truncation"], tokenizer["padding"]
    check(plain == (None, None), "the golden tokenizer has neither")
    shutil.copy(os.path.join(GOLDEN, "tokenizers", "llama2-spbpe", "tokenizer.json"), d)
    whole = document("tokenize", "-m", d, "--json", stdin=TEXT)["ids"]
    for flag in ("--truncate", "--pad"):
        run = tern("tokenize", "-m", d, flag, stdin=TEXT)
        check(run.returncode == 0 and list(map(int, run.stdout.split())) == whole and f"{flag} has no effect".encode() in run.stderr, f"{flag} without a length: {run.stderr}")
    tokenizer["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    tokenizer["padding"] = {"strategy": {"Fixed": 30}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"}
    with open(os.path.join(d, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(tokenizer, f)
    check(4 < len(whole) < 30, "the text is longer than the cut and shorter than the padding")
    check(document("tokenize", "-m", d, "--json", stdin=TEXT)["ids"] == whole, "nothing is cut and nothing added")
    check(document("tokenize", "-m", d, "--truncate", "--json", stdin=TEXT)["ids"] == whole[:4], "--truncate cuts")
    check(not tern("tokenize", "-m", d, "--truncate", "--pad", stdin=TEXT).stderr, "and nothing is said")
    check(document("tokenize", "-m", d, "--pad", "--json", stdin=TEXT)["ids"] == whole + [0] * (30 - len(whole)), "--pad fills up")
    check(tern("tokenize", "-m", d, "--truncate", "--pad", stdin=TEXT).stdout.split() == [b"%d" % i for i in whole[:4] + [0] * 26], "both, in this order")
    with open(os.path.join(d, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump({"add_bos_token": "h", "add_eos_token": "o"}, f)
    ids = ",".join(str(tokenizer["model"]["vocab"][piece]) for piece in "ho").encode()
    kept = tern("detokenize", "-m", d, "--skip-special", stdin=ids).stdout
    check(kept.strip() == b"ho", f"a switch that is a text names no special token, as in AutoTokenizer of transformers 5.24.0: {kept}")

finish()
