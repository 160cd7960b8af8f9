"""What sentence-transformers gives for the directories of tests/families/sentence_cases.py: vectors of lists of modules, and a CrossEncoder's scores. Run once by hand:

    build-venv/bin/python tools/make_sentence_golden.py tests/golden/sentences/expected.json
"""
import json
import logging
import os
import sys
import tempfile

import sentence_transformers
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODELS = os.path.join(ROOT, "tests", "golden", "models")
sys.path.insert(0, os.path.join(ROOT, "tests", "families"))
import sentence_cases    # noqa: E402


def digits(row):
    return [float(f"{x:.8g}") for x in row]


def vectors_of(c):
    """Each text by itself: a batch would pad, and a masked sum of padded rows differs in its last bits."""
    with tempfile.TemporaryDirectory() as folder:
        sentence_cases.write_case(MODELS, c, folder)
        model = sentence_transformers.SentenceTransformer(folder, device="cpu", truncate_dim=c.get("truncate_dim")).float().eval()
        rows = [model.encode([text], prompt_name=c.get("prompt_name"), normalize_embeddings=bool(c.get("normalize_end")))[0] for text in c.get("texts", sentence_cases.TEXTS)]
        return {"vectors": [digits(row.tolist()) for row in rows], "similarity": model.similarity_fn_name}


def scores_of(row):
    with tempfile.TemporaryDirectory() as folder:
        sentence_cases.write_pair_case(MODELS, row, folder)
        model = sentence_transformers.CrossEncoder(folder, device="cpu")
        model.float().eval()
        return [[digits(score.reshape(-1).tolist()) for score in (model.predict([(query, line)]) for line in sentence_cases.LINES)] for query in sentence_cases.QUERIES]


def main():
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    made = f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}, torch {torch.__version__}, float32, CPU"
    cases = sentence_cases.all_cases()
    assert len({c["name"] for c in cases}) == len(cases)
    out = {"made_with": made, "cases": {c["name"]: vectors_of(c) for c in cases}, "pairs": {row[0]: scores_of(row) for row in sentence_cases.pair_cases()}}
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write("{\n")
        f.write(f'"made_with": {json.dumps(made)},\n')
        for kind in ("cases", "pairs"):
            f.write(f'"{kind}": {{\n' + ",\n".join(f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in out[kind].items()) + ("\n},\n" if kind == "cases" else "\n}\n"))
        f.write("}\n")
    print(len(out["cases"]), "lists of modules,", len(out["pairs"]), "CrossEncoders")


if __name__ == "__main__":
    main()
