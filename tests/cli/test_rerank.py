"""`tern rerank`: a line's scores are the head's logits over the pair that the tokenizer's template makes of the query and the line, with the template's type ids, of one
label through the sigmoid unless --raw is given. The pairs are written out here by hand, and given to `tern classify` as ids, whose logits are Hugging Face's
(test_models.py). test_cross_encoder.py compares with sentence-transformers.

Usage: test_rerank.py BUILD_DIR
"""
import json
import math
import os
import shutil

from rig import GOLDEN, check, document, finish, folder, one_sentence, tern

WORDS = ["<s>", "<pad>", "</s>", "how", "do", "swifts", "sleep", "birds", "in", "flight", "nests"]
QUERY, LINES = "how do swifts sleep", ["swifts sleep in flight", "birds do", ""]


def special(name):
    return {"SpecialToken": {"id": name, "type_id": 0}}


def tokenizer(typed):
    """Words at blanks; a pair is <s> A </s> </s> B </s>, as RoBERTa's, or with type ids [0 A 0 | 1 B 1], as BERT's."""
    pair = [special("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, special("</s>")]
    pair += [] if typed else [special("</s>")]
    pair += [{"Sequence": {"id": "B", "type_id": int(typed)}}, {"SpecialToken": {"id": "</s>", "type_id": int(typed)}}]
    ids = {name: {"id": name, "ids": [WORDS.index(name)], "tokens": [name]} for name in ("<s>", "</s>")}
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
            "added_tokens": [{"id": WORDS.index(name), "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for name in ("<s>", "<pad>", "</s>")],
            "model": {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(WORDS)}, "unk_token": "<pad>"},
            "post_processor": {"type": "TemplateProcessing", "single": [special("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, special("</s>")], "pair": pair, "special_tokens": ids}}


def numbers(text):
    return [WORDS.index(word) for word in text.split()]


def by_hand(line, typed):
    first = [0] + numbers(QUERY) + [2] + ([] if typed else [2])
    second = numbers(line) + [2]
    return first + second, [0] * len(first) + [int(typed)] * len(second)


def check_model(name, typed):
    with folder() as place:
        for file in ("config.json", "model.safetensors"):
            shutil.copy(os.path.join(GOLDEN, "models", name, file), place)
        with open(os.path.join(place, "tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump(tokenizer(typed), f)
        given = "".join(line + "\n" for line in LINES).encode()
        common = ("-m", place, "--compute", "f32")
        plain = tern("rerank", *common, QUERY, stdin=given)
        raw = tern("rerank", *common, QUERY, "--raw", stdin=given)
        listed = tern("rerank", *common, QUERY, "--json", stdin=given)
        check(plain.returncode == 0 and not plain.stderr, f"{name}: {plain.stderr.decode()}")
        scores, logits = ([[float(number) for number in line.split()] for line in run.stdout.splitlines()] for run in (plain, raw))
        document_of = [{"score": row[0]} if len(row) == 1 else {"scores": row} for row in scores]
        check([json.loads(line) for line in listed.stdout.splitlines()] == document_of, f"{name}: --json gives {listed.stdout!r}")
        check(len(scores) == len(logits) == len(LINES), f"{name}: {len(scores)} scores of {len(LINES)} lines")
        with open(os.path.join(place, "modules.json"), "w", encoding="utf-8") as f:
            json.dump([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}], f)
        with open(os.path.join(place, "sentence_bert_config.json"), "w", encoding="utf-8") as f:
            json.dump({"do_lower_case": True}, f)
        for command in (("rerank", *common, QUERY), ("classify", *common)):
            small, large = (tern(*command, stdin=text) for text in (b"birds do\n", b"BIRDS Do\n"))
            check(small.returncode == 0 and small.stdout and small.stdout == large.stdout, f"{name}: {command[0]} with do_lower_case: {small} {large}")
        for line, row, raw_row in zip(LINES, scores, logits):
            ids, types = by_hand(line, typed)
            hand = ["--ids", ",".join(map(str, ids))] + (["--type-ids", ",".join(map(str, types))] if typed else [])
            want = document("classify", *common, *hand, "--json")["logits"]
            check(len(raw_row) == len(want) and max(abs(a - b) for a, b in zip(raw_row, want)) <= 1e-6 * max(1, max(map(abs, want))), f"{name}, {line!r}: {raw_row}, not {want}")
            want = [1 / (1 + math.exp(-want[0]))] if len(want) == 1 else want
            check(max(abs(a - b) for a, b in zip(row, want)) <= 1e-6 * max(1, max(map(abs, want))), f"{name}, {line!r}: {row}, not {want}")
        check(len(set(map(tuple, scores))) == len(LINES), f"{name}: {scores} do not tell the lines apart")
        check(tern("rerank", *common, QUERY).stdout == b"", f"{name}: no lines, no scores")
        os.remove(os.path.join(place, "tokenizer.json"))
        one_sentence(tern("rerank", *common, QUERY, stdin=given), f"{name}: without a tokenizer")


def main():
    check_model("made-roberta-score", False)
    check_model("made-bert-classes", True)
    one_sentence(tern("rerank", QUERY, stdin=b"a line\n"), "a model without a head")
    check(tern("rerank").returncode == 2, "no query is a usage error")
    finish()


if __name__ == "__main__":
    main()
