"""Directories of sentence-transformers against its own vectors and scores: `tern embed` of every module, mode, option and order of tests/families/sentence_cases.py, `tern rerank` of
CrossEncoders. Each number lies within 1e-4 of the vector's largest (a cosine does not see a lost normalization), each score within 1e-5.

Usage: test_sentences.py BUILD_DIR
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import sentence_cases    # noqa: E402
from rig import GOLDEN, check, finish, folder, one_sentence, tern    # noqa: E402

MODELS = os.path.join(GOLDEN, "models")


def flags(c):
    out = ["--compute", "f32", "--json"]
    if c.get("prompt_name"):
        out += ["--prompt-name", c["prompt_name"]]
    if c.get("normalize_end"):
        out += ["--normalize"]
    if c.get("truncate_dim"):
        out += ["--truncate-dim", str(c["truncate_dim"])]
    return out + (["--truncate"] if c.get("truncate") else [])


def check_case(c, expected):
    with folder() as place:
        sentence_cases.write_case(MODELS, c, place)
        texts = c.get("texts", sentence_cases.TEXTS)
        run = tern("embed", "-m", place, *flags(c), stdin="".join(text + "\n" for text in texts).encode())
        if not check(run.returncode == 0, f"{c['name']}: {run.stderr.decode()}"):
            return
        got = [json.loads(line)["embedding"] for line in run.stdout.splitlines()]
        for text, have, want in zip(texts, got, expected["vectors"]):
            off = max(abs(a - b) for a, b in zip(have, want)) / max(map(abs, want)) if len(have) == len(want) else float("inf")
            check(off <= 1e-4, f"{c['name']}, {text!r}: {len(have)} numbers, {off:.2g} of the largest apart; {have[:3]}, not {want[:3]}")
        check(len(got) == len(expected["vectors"]), f"{c['name']}: {len(got)} vectors")
        if c.get("truncate"):
            one_sentence(tern("embed", "-m", place, *flags(c)[:-1], stdin=(texts[0] + "\n").encode()), f"{c['name']}: a text that is too long, without --truncate")


def check_pairs(row, expected):
    with folder() as place:
        sentence_cases.write_pair_case(MODELS, row, place)
        for query, wanted in zip(sentence_cases.QUERIES, expected):
            run = tern("rerank", "-m", place, "--compute", "f32", "--truncate", query, stdin="".join(line + "\n" for line in sentence_cases.LINES).encode())
            got = [[float(number) for number in line.split()] for line in run.stdout.splitlines()]
            off = max((abs(a - b) for have, want in zip(got, wanted) for a, b in zip(have, want)), default=float("inf"))
            check(run.returncode == 0 and list(map(len, got)) == list(map(len, wanted)) and off <= 1e-5, f"{row[0]}, {query!r}: {off:.2g} apart; {run.stderr.decode()}")


REFUSED = [
    # the case that is changed, the file, what is put over it (None: taken away), what the sentence has, why
    ("pooling mean", "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}], "custom_st.Transformer", "code of the checkpoint's own"),
    ("pooling mean", "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "Transformer"}], '"Transformer"', "no class of the package"),
    ("pooling mean", "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.WordEmbeddings"}], "WordEmbeddings", "embeddings of its own"),
    ("pooling mean", "modules.json", [{"idx": 0, "name": "0", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}], "one Transformer", "no Transformer"),
    ("pooling mean", "modules.json", [], "empty list", "no modules"),
    ("pooling mean", "modules.json", {"0": "Transformer"}, "object", "no list"),
    ("pooling mean", "1_Pooling/config.json", {"embedding_dimension": 48, "pooling_mode": "attention"}, '"attention"', "a mode that there is not"),
    ("pooling mean", "1_Pooling/config.json", {"embedding_dimension": 48, "pooling_mode": ["mean", "median"]}, '"median"', "one of a list"),
    ("pooling mean", "1_Pooling/config.json", {"embedding_dimension": 48, "pooling_mode": []}, "empty list", "no mode of a list"),
    ("pooling mean", "1_Pooling/config.json", {"embedding_dimension": 48, "pooling_mode": None}, "null", "null is no mode"),
    ("pooling mean", "1_Pooling/config.json", {"embedding_dimension": 48, "pooling_mode_median_tokens": True}, "pooling_mode_median_tokens", "an unknown key"),
    ("pooling mean", "1_Pooling/config.json", {"pooling_mode": "mean"}, "embedding_dimension", "the class needs it"),
    ("pooling mean", "1_Pooling/config.json", {"embedding_dimension": 48, "include_prompt": "no"}, "include_prompt", "a word for a truth value"),
    ("pooling mean", "1_Pooling/config.json", None, "1_Pooling/config.json", "a module without its settings"),
    ("pooling mean", "sentence_bert_config.json", {"max_seq_length": "all"}, "max_seq_length", "a word for a number"),
    ("pooling mean", "sentence_bert_config.json", {"max_len": 12}, "max_len", "an unknown key"),
    ("pooling mean", "sentence_bert_config.json", {"config_args": {"num_hidden_layers": 1}}, "num_hidden_layers", "another model than config.json's"),
    ("pooling mean", "sentence_bert_config.json", {"transformer_task": "fill-mask"}, "fill-mask", "another head"),
    ("pooling mean", "sentence_bert_config.json", {"modality_config": {"message": {"method": "forward", "method_output_name": "last_hidden_state"}}, "module_output_name": "token_embeddings"}, "chat template", "texts as chats"),
    ("pooling mean", "sentence_bert_config.json", {"query_expansion": {"strategy": "fixed", "length": 32}}, "query_expansion", "late interaction"),
    ("pooling mean", "config_sentence_transformers.json", {"default_prompt_name": "passage"}, "passage", "a default prompt that is not listed"),
    ("pooling mean", "config_sentence_transformers.json", {"prompts": {"query": 7}}, "query", "a prompt that is a number"),
    ("pooling mean", "config_sentence_transformers.json", {"prompts": ["query: "]}, "prompts", "prompts without names"),
    ("pooling mean", "config_sentence_transformers.json", {"truncate_dim": -4}, "truncate_dim", "a negative width"),
    ("pooling mean", "config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "SparseEncoder", "no dense vectors"),
    ("Dense without bias", "2_Dense/config.json", {"in_features": 48, "out_features": 8}, "linear.bias", "a bias that the file lacks"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 8, "bias": False}, "linear.bias", "a bias that is left over"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 9}, "linear.weight", "weights of another shape"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48}, "out_features", "the class needs it"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 8, "activation_function": "torch.nn.modules.activation.Hardshrink"}, "Hardshrink", "an activation that tern lacks"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 8, "activation_function": "my_code.Tanh"}, "my_code.Tanh", "not torch's, though its last word is"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 8, "activation_function": None}, "null", "null is no activation"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 8, "module_input_name": "x"}, '"x"', "a feature that is not written"),
    ("Dense, activation.Tanh", "2_Dense/config.json", {"in_features": 48, "out_features": 8, "use_residual": True}, "residual.weight", "a residual that the file lacks"),
    ("Dense behind a list of modes", "1_Pooling/config.json", {"embedding_dimension": 48, "pooling_mode": "cls"}, "96", "a width that does not fit"),
    ("Dense on tokens", "1_Dense/config.json", {"in_features": 48, "out_features": 48}, "sentence_embedding", "a sentence before there is one"),
    ("LayerNorm", "2_LayerNorm/config.json", {"dimension": 48, "eps": 1e-12}, "eps", "an unknown key"),
    ("LayerNorm", "2_LayerNorm/config.json", {"dimension": 47}, "norm.weight", "weights of another shape"),
]


def check_refused(row):
    name, file, value, word, why = row
    with folder() as place:
        sentence_cases.write_case(MODELS, next(c for c in sentence_cases.all_cases() if c["name"] == name), place)
        if value is None:
            os.remove(os.path.join(place, file))
        else:
            sentence_cases.write_json(place, file, value)
        run = tern("embed", "-m", place, stdin=b"one\n")
        one_sentence(run, f"{name}: {why}")
        check(word in run.stderr.decode() and not run.stdout, f"{name}: {why}: no {word!r} in {run.stderr.decode()!r}, {run.stdout[:40]!r}")


def row_of(kind, path, i=1):
    return {"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}


def check_lists():
    """Lists of modules that are refused for their order, paths and names, and module files of other kinds."""
    first, pool = row_of("Transformer", "", 0), row_of("Pooling", "1_Pooling")
    rows = [
        ([first, row_of(kind, f"1_{kind}")], kind, "a class that tern lacks")
        for kind in ("Asym", "Router", "CNN", "LSTM", "BoW", "WordWeights", "StaticEmbedding", "CLIPModel", "SpladePooling", "WeightedLayerPooling", "LogitScore")
    ] + [
        ([first, pool, row_of("Transformer", "", 2)], "Transformer", "a second Transformer"),
        ([first], "a vector", "no Pooling: no vector"),
        ([first, {**pool, "name": "0"}], '"0"', "a name that comes twice would take the other's place"),
        ([first, {**pool, "path": "../1_Pooling"}], "leads out", "a path upwards"),
        ([first, {**pool, "path": "/tmp"}], "leads out", "a path from the root"),
        ([first, {**pool, "path": "C:\\Pooling"}], "leads out", "a path of Windows"),
        ([first, {"idx": 1, "name": "1", "type": pool["type"]}], "path", "a module without a path"),
        ([first, row_of("Dense", "1_Dense")], "1_Dense", "a folder that is not there"),
    ]
    with folder() as place:
        sentence_cases.write_case(MODELS, sentence_cases.case("lists", sentence_cases.pooling("mean")), place)
        for modules, word, why in rows:
            sentence_cases.write_json(place, "modules.json", modules)
            run = tern("embed", "-m", place, stdin=b"one\n")
            one_sentence(run, why)
            check(word in run.stderr.decode() and not run.stdout, f"{why}: no {word!r} in {run.stderr.decode()!r}")
        os.remove(os.path.join(place, "modules.json"))
        run = tern("embed", "-m", place, stdin=b"one\n")
        check(run.returncode == 0 and b"1_Pooling/config.json: not read" in run.stderr, f"module files without modules.json: {run.stderr.decode()}")
        check(not tern("embed", "-m", place, "--quiet", stdin=b"one\n").stderr, "--quiet says nothing of them")
        sentence_cases.write_json(place, "modules.json", [first])
        for arguments in (("--pooling", "max"), ("--hidden",)):
            check(tern("embed", "-m", place, *arguments, stdin=b"one\n").returncode == 0, f"a list without Pooling, {arguments}")
        sentence_cases.write_json(place, "modules.json", [first, row_of("Dense", "1_Dense")])
        sentence_cases.write_json(place, "1_Dense/config.json", {"in_features": 48, "out_features": 8, "module_input_name": "token_embeddings"})
        with open(os.path.join(place, "1_Dense", "pytorch_model.bin"), "wb") as f:
            f.write(b"PK")
        run = tern("embed", "-m", place, "--pooling", "mean", stdin=b"one\n")
        one_sentence(run, "weights in a pickle")
        check("pytorch_model.bin" in run.stderr.decode(), f"weights in a pickle: {run.stderr.decode()}")


def check_overrides():
    """Flags over the list: a mode in place of the module's, the same numbers as a module with that mode gives."""
    def run(c, *arguments):
        with folder() as place:
            sentence_cases.write_case(MODELS, c, place)
            return tern("embed", "-m", place, "--compute", "f32", *arguments, stdin=b"hello world\n").stdout
    cases = {c["name"]: c for c in sentence_cases.all_cases()}
    for mode, flag in zip(sentence_cases.MODES, ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "last")):
        want = run(cases[f"pooling {mode}"])
        check(want and run(cases["all older keys"], "--pooling", flag) == want, f"--pooling {flag} in place of a list of modes")
    check(run(cases["prompt left out of cls"], "--pooling", "mean") == run(cases["prompt left out of mean"]), "--pooling with a prompt that is left out")
    for name in ("all older keys", "prompt left out of a list", "Dense on tokens plus its input", "Dense plus a product of its input", "Normalize, then LayerNorm, then Dense", "a decoder, prompt left out"):
        with folder() as place:
            sentence_cases.write_case(MODELS, cases[name], place)
            lines = [text.encode() + b"\n" for text in sentence_cases.TEXTS] * 3
            together = tern("embed", "-m", place, stdin=b"".join(lines)).stdout
            check(together == b"".join(tern("embed", "-m", place, stdin=line).stdout for line in lines[:3]) * 3, f"{name}: the same bits alone and in a batch")
    check(run(cases["pooling mean"], "--truncate-dim", "12", "--normalize").count(b" ") == 11, "--truncate-dim")


def check_info():
    """`tern info` says what the commands do."""
    rows = [
        ("all older keys", {}, "embed", "yes (cls+max+mean+mean_sqrt_len_tokens+weightedmean+last, 288)"),
        ("Transformer in a folder", {}, "embed", "yes (mean, 48)"),
        ("truncate_dim by a flag, not the file's", {}, "embed", "yes (mean, 10, compared by dot)"),
        ("pooling mean", {"modules.json": [row_of("Transformer", "", 0)]}, "embed", "no ("),
        ("pooling mean", {"modules.json": [row_of("Transformer", "", 0), row_of("CNN", "1_CNN")]}, "embed", "no ("),
        ("modules that make 2 scores", {}, "rerank", "yes (2 labels)"),
        ("modules that make 2 scores", {}, "embed", "no ("),
        ("one label", {}, "rerank", "yes (1 label)"),
    ]
    for name, files, command, message in rows:
        with folder() as place:
            pair = next((row for row in sentence_cases.pair_cases() if row[0] == name), None)
            if pair:
                sentence_cases.write_pair_case(MODELS, pair, place)
            else:
                sentence_cases.write_case(MODELS, next(c for c in sentence_cases.all_cases() if c["name"] == name), place)
            for file, value in files.items():
                sentence_cases.write_json(place, file, value)
            told = tern("info", "-m", place).stdout.decode().splitlines()
            check(any(line.startswith(f"{command}: {message}") for line in told), f"info of {name}, {command}: not {message!r} in {told}")


def main():
    with open(os.path.join(GOLDEN, "sentences", "expected.json"), encoding="utf-8") as f:
        expected = json.load(f)
    cases = sentence_cases.all_cases()
    check({c["name"] for c in cases} == set(expected["cases"]) and len(cases) >= 60, "the recorded cases are those that are made")
    for c in cases:
        check_case(c, expected["cases"][c["name"]])
    for row in sentence_cases.pair_cases():
        check_pairs(row, expected["pairs"][row[0]])
    for row in REFUSED:
        check_refused(row)
    check_lists()
    check_overrides()
    check_info()
    finish()


if __name__ == "__main__":
    main()
