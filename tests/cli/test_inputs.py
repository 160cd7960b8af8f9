"""What comes from outside: ids, token types and lengths that the model has no row for, lines that are empty or have a NUL, and results that are no numbers. Each is an
error with its name, value and limit, and in a file of lines the others are answered.
"""
import io
import json
import os
import resource

import numpy as np

from copies import MODELS, copy, edit
from rig import check, document, finish, folder, one_sentence, sanitized, tern

BERT, MLM, CLASSES = (os.path.join(MODELS, name) for name in ("bert-model", "bert-mlm", "made-bert-classes"))
QWEN, GPT2 = (os.path.join(MODELS, name) for name in ("qwen2-tied", "gpt2"))
WORDS = ["<s>", "<pad>", "</s>", "how", "do", "swifts", "sleep"]


def config(where):
    with open(os.path.join(where, "config.json"), encoding="utf-8") as f:
        return json.load(f)


def numbered(n, last):
    return ",".join(["5"] * (n - 1) + [str(last)])


def check_ids():
    """One past each table, and far past it."""
    generators = [(name, *flags) for name, flags in (("generate", ("-n", "1")), ("logits", ()), ("perplexity", ()), ("verify", ()), ("embed", ()))]
    for where in (QWEN, GPT2):
        vocab = config(where)["vocab_size"]
        for command in generators:
            for bad in (vocab, 2147483647):
                run = tern(command[0], "-m", where, "--ids", f"5,{bad},6", *command[1:])
                one_sentence(run, f"{command[0]} of id {bad}")
                check(str(bad) in run.stderr.decode() and str(vocab) in run.stderr.decode(), f"{command[0]} of id {bad}: {run.stderr}")
            check(not tern(command[0], "-m", where, "--ids", f"5,{vocab - 1},6", *command[1:]).returncode, f"{command[0]}: the last id is one")
    size = len(json.load(open(os.path.join(QWEN, "tokenizer.json"), encoding="utf-8"))["model"]["vocab"])
    for bad in (size + 1000, 2147483647):
        run = tern("detokenize", "-m", QWEN, stdin=b"5 %d" % bad)
        one_sentence(run, f"detokenize of {bad}")
        check(f"token id 1 is {bad}, outside the vocabulary" in run.stderr.decode(), f"detokenize of {bad}: {run.stderr}")
    for where, commands in ((BERT, ("embed", "verify")), (MLM, ("embed", "logits", "verify")), (CLASSES, ("classify", "embed"))):
        vocab, types = config(where)["vocab_size"], config(where).get("type_vocab_size", 2)
        for command in commands:
            run = tern(command, "-m", where, "--ids", f"5,{vocab}")
            one_sentence(run, f"{command} of id {vocab}")
            check(str(vocab) in run.stderr.decode(), f"{command} of id {vocab}: {run.stderr}")
            if command == "verify":
                continue
            for bad in (types, 1000, 2147483647):
                run = tern(command, "-m", where, "--ids", "5,6,7", "--type-ids", f"0,0,{bad}")
                one_sentence(run, f"{command} of type {bad}")
                check(f"token type 2 is {bad}" in run.stderr.decode() and f"of {types}" in run.stderr.decode(), f"{command} of type {bad}: {run.stderr}")
            check(not tern(command, "-m", where, "--ids", "5,6,7", "--type-ids", f"0,0,{types - 1}").returncode, f"{command}: the last type is one")
    for command, where in (("embed", os.path.join(MODELS, "distilbert-mlm")), ("logits", QWEN), ("embed", QWEN)):
        run = tern(command, "-m", where, "--ids", "5,6", "--type-ids", "0,0")
        one_sentence(run, f"{command}: types of a model without them")
        check("no token types" in run.stderr.decode(), f"{command}: {run.stderr}")


def check_lengths():
    """One position more than the model has, and than --context allows; a learned table is not read behind its end."""
    for command, where in (("embed", BERT), ("logits", MLM), ("classify", CLASSES), ("embed", os.path.join(MODELS, "roberta-mlm")), ("embed", GPT2), ("generate", GPT2), ("logits", GPT2),
                           ("verify", GPT2), ("verify", BERT)):
        most = document("info", "-m", where, "--json")["max_tokens"]
        check(not tern(command, "-m", where, "--ids", numbered(most if command != "generate" else most - 1, 5), *(("-n", "1") if command == "generate" else ())).returncode, f"{command} of {most}")
        run = tern(command, "-m", where, "--ids", numbered(most + 1, 5))
        one_sentence(run, f"{command} of {most + 1} tokens")
        check(str(most) in run.stderr.decode() and str(most + 1) in run.stderr.decode(), f"{command} of {most + 1} tokens: {run.stderr}")


def word_tokenizer(typed, add_special=True):
    special = lambda name, kind=0: {"SpecialToken": {"id": name, "type_id": kind}}
    pair = [special("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, special("</s>"), {"Sequence": {"id": "B", "type_id": int(typed)}}, special("</s>", int(typed))]
    single = [special("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, special("</s>")]
    post = {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {n: {"id": n, "ids": [WORDS.index(n)], "tokens": [n]} for n in ("<s>", "</s>")}}
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
            "added_tokens": [], "model": {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(WORDS)}, "unk_token": "<pad>"}, "post_processor": post if add_special else None}


def check_tokenizers_ids():
    """Ids and types that a tokenizer gives, and the model has not."""
    def one_type(tensors):
        kind, table = tensors["roberta.embeddings.token_type_embeddings.weight"]
        tensors["roberta.embeddings.token_type_embeddings.weight"] = (kind, table[:1])

    with folder() as where:
        copy("made-roberta-score", where, config={"type_vocab_size": 1}, tensors=one_type)
        edit(os.path.join(where, "tokenizer.json"), word_tokenizer(True))
        run = tern("rerank", "-m", where, "how do", stdin=b"swifts sleep\nswifts\n")
        types = config(where).get("type_vocab_size", 1)
        check(run.returncode == 1 and run.stderr.decode().count("token type") == 2 and f"of {types}" in run.stderr.decode(), f"a type that the model has not: {run.stderr}")
        check("line 1" in run.stderr.decode() and "line 2" in run.stderr.decode(), f"by line: {run.stderr}")
        far = word_tokenizer(False)
        far["model"]["vocab"]["sleep"] = 60000
        edit(os.path.join(where, "tokenizer.json"), far)
        run = tern("rerank", "-m", where, "how do", "--json", stdin=b"swifts sleep\nswifts\n")
        rows = [json.loads(line) for line in run.stdout.splitlines()]
        check(run.returncode == 1 and "line 1: token id" in run.stderr.decode() and "60000" in run.stderr.decode(), f"an id that the model has not: {run.stderr}")
        check("error" in rows[0] and "score" in rows[1], f"the other line is answered: {rows}")


def check_lines():
    """Lines of a file: one that is empty, too long or has an id too far fails by its own number; the others have their answers, and a NUL is a character."""
    lines = [b"line %d" % i for i in range(130)]
    lines[64], lines[129] = b"", b"x " * 3000
    given = b"\n".join(lines) + b"\n"
    whole = [json.loads(line) for line in tern("embed", "-m", QWEN, "--json", stdin=b"\n".join(lines[:64])).stdout.splitlines()]
    run = tern("embed", "-m", QWEN, "--json", stdin=given)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    told = run.stderr.decode()
    check(run.returncode == 1 and told.count("\n") == 2 and "line 65 has no tokens" in told and "line 130 has" in told, f"two of 130 lines: {told}")
    check(len(rows) == 130 and [i for i, row in enumerate(rows) if "error" in row] == [64, 129], "each line has its place")
    check(rows[:64] == whole, "the others are answered as without them")
    run = tern("embed", "-m", QWEN, stdin=given)
    check(run.returncode == 1 and [i for i, line in enumerate(run.stdout.split(b"\n")[:-1]) if not line] == [64, 129], "as text they are empty lines")
    run = tern("embed", "-m", QWEN, "--npy", stdin=given)
    array = np.load(io.BytesIO(run.stdout))
    check(run.returncode == 1 and array.shape[0] == 130 and np.isnan(array).any(1).nonzero()[0].tolist() == [64, 129], "in an array they are rows of NaN")
    run = tern("embed", "-m", QWEN, "--hidden", "--json", stdin=b"a\n\nb\n")
    check(run.returncode == 1 and ["hidden" in json.loads(line) for line in run.stdout.splitlines()] == [True, False, True], f"hidden states: {run.stdout[:80]}")


def check_nul():
    for command, where, key in (("embed", QWEN, "embedding"), ("classify", None, "logits"), ("rerank", None, "score")):
        with folder() as place:
            if not where:
                where = copy("made-bert-classes", place)
                edit(os.path.join(place, "tokenizer.json"), word_tokenizer(True))
            args = (command, "-m", where, "--json") + (("a question",) if command == "rerank" else ())
            run = tern(*args, stdin=b"how\0 do\nhow\nhow do\n")
            rows = [json.loads(line) for line in run.stdout.splitlines()]
            ids = document("tokenize", "-m", where, "--json", stdin=b"how\0 do")["ids"]
            check(run.returncode == 0 and len(rows) == 3 and rows[0] != rows[1], f"{command}: what is behind a NUL counts: {run.stderr}")
            if command != "rerank":
                by_ids = document(command, "-m", where, "--ids", ",".join(map(str, ids)), "--json")
                check(rows[0][key] == by_ids[key], f"{command}: the line with a NUL is that of its ids")


def check_no_numbers():
    """A weight that is NaN or infinite: what has met it fails by name, and what has not is answered."""
    def spoil(name, row, value):
        def change(tensors):
            tensors[name][1][row] = value
        return change

    for value, message in ((np.nan, "NaN"), (np.inf, "is ")):
        with folder() as where:    # the embedding of one id: only the text that has it
            copy("bert-model", where, tensors=spoil("embeddings.word_embeddings.weight", 300, value))
            run = tern("embed", "-m", where, "--ids", "5,300,6")
            one_sentence(run, f"embed of {value}")
            check(message in run.stderr.decode() and not run.stdout.strip(), f"embed of {value}: {run}")
            check(not tern("embed", "-m", where, "--ids", "5,6").returncode, "a text without it")
            one_sentence(tern("embed", "-m", where, "--ids", "5,300,6", "--hidden"), f"hidden states of {value}")
            one_sentence(tern("verify", "-m", where, "--ids", "5,300,6"), f"verify of {value}")
        with folder() as where:    # of a causal model the first tokens are numbers, and the largest of all is none
            copy("gpt2", where, tensors=spoil("transformer.wte.weight", 30, value))
            for pooling in ("max", "mean", "last"):
                one_sentence(tern("embed", "-m", where, "--ids", "5,6,30", "--pooling", pooling), f"{pooling} of {value} in the last token")
            check(not tern("embed", "-m", where, "--ids", "5,6,30", "--pooling", "cls").returncode, "the first token's has not met it")
        for name, source, tensor, commands in (
                ("bert-mlm", "bert-mlm", "bert.embeddings.word_embeddings.weight", (("logits",), ("logits", "--all", "--json"))),
                ("classes", "made-bert-classes", "bert.embeddings.word_embeddings.weight", (("classify",), ("classify", "--json"))),
                ("gpt2", "gpt2", "transformer.wte.weight", (("logits",), ("perplexity",), ("generate", "-n", "2"), ("embed",), ("logits", "--json", "--all")))):
            with folder() as where:
                copy(source, where, tensors=spoil(tensor, 30, value))
                for command in commands:
                    run = tern(command[0], "-m", where, "--ids", "5,30,6,7", *command[1:])
                    one_sentence(run, f"{name}: {command} of {value}")
                    told = run.stderr.decode()
                    check(("is NaN" in told or "infinite" in told) and b"nan" not in run.stdout and b"null" not in run.stdout, f"{name}: {command} of {value}: {told} {run.stdout[:60]}")
    with folder() as where:
        copy("made-bert-classes", where, tensors=spoil("bert.embeddings.word_embeddings.weight", 6, np.nan))
        edit(os.path.join(where, "tokenizer.json"), word_tokenizer(True))
        for command in (("classify",), ("rerank", "how do")):
            run = tern(*command, "-m", where, "--json", stdin=b"swifts\nswifts sleep\ndo\n")
            rows = [json.loads(line) for line in run.stdout.splitlines()]
            check(run.returncode == 1 and ["error" in row for row in rows] == [False, True, False], f"{command}: only the line with it fails: {rows}")
            check("line 2" in run.stderr.decode() and "NaN" in run.stderr.decode() and run.stderr.count(b"\n") == 1, f"{command}: {run.stderr}")


def check_memory():
    """Positions by the million cost nothing while texts are short."""
    if sanitized():    # a sanitizer takes more addresses than any limit leaves
        return
    with folder() as where:
        copy("made-llama-model", where, config={"max_position_embeddings": 4000000})
        run = tern("embed", "-m", where, "--ids", "1,2,3", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)))
        check(run.returncode == 0, f"a short text within a gigabyte: {run.stderr}")


def main():
    check_ids()
    check_lengths()
    check_tokenizers_ids()
    check_lines()
    check_nul()
    check_no_numbers()
    check_memory()
    finish()


if __name__ == "__main__":
    main()
