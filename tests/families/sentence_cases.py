"""Directories of sentence-transformers, made from a base checkpoint of tests/golden/models, a list of modules and seeds.

tools/make_sentence_golden.py records what sentence-transformers gives for them, test_sentences.py compares. Weights come from numpy's RandomState by the case's name,
which gives the same numbers in every version, and are rounded to f32: nothing but vectors is stored.
"""
import json
import os
import shutil
import zlib

import numpy as np

TEXTS = ["hello world again", "The cat, the DOG and a bird: they sat on the mat!", "one"]
TORCH = "torch.nn.modules."
OLD, NEW, NEWEST = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules.", "sentence_transformers.base.modules."


def write_json(folder, name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def write_safetensors(path, tensors, dtype="F32"):
    """tensors: name -> float32 array; stored as F32, F16 or BF16."""
    def stored(a):
        if dtype == "F16":
            return a.astype(np.float16).tobytes()
        if dtype == "BF16":
            return (a.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        return a.tobytes()
    header, data = {}, b""
    for name, a in tensors.items():
        raw = stored(np.ascontiguousarray(a, dtype=np.float32))
        header[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


# ---- Modules: (class, folder's settings, what else) -------------------------------------------------------------------------------------

def pooling(mode=None, dim=48, old=(), **more):
    config = {"embedding_dimension": dim, **more}
    if mode is not None:
        config["pooling_mode"] = mode
    if old:
        config = {"word_embedding_dimension": dim, **{"pooling_mode_" + key: True for key in old}, **more}
    return {"class": "Pooling", "config": config}


def dense(n_in, n_out, act="activation.Tanh", dtype="F32", **more):
    config = {"in_features": n_in, "out_features": n_out, **more}
    if act:
        config["activation_function"] = act if act.startswith("torch") else TORCH + act
    return {"class": "Dense", "config": config, "dtype": dtype}


def normalize(**config):
    return {"class": "Normalize", "config": config or None}


def layer_norm(dim):
    return {"class": "LayerNorm", "config": {"dimension": dim}}


def dropout(**config):
    return {"class": "Dropout", "config": config or None}


TOKENS = {"module_input_name": "token_embeddings"}
TEXT_FORWARD = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
OLD_KEYS = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
ASK = {"prompts": {"query": "query: ", "none": None, "long": "a long prompt that says what to do: "}}
DEFAULT = {**ASK, "default_prompt_name": "query"}


def case(name, *modules, **more):
    """more: base, config (config_sentence_transformers.json), transformer (sentence_bert_config.json), file (its name), folder (of the Transformer), package, cased,
    tokenizer (keys of tokenizer_config.json), texts, and how it is encoded: prompt_name, normalize, truncate_dim, truncate."""
    return {"name": name, "modules": list(modules), "base": "bert-model", **more}


def pooling_cases():
    for mode, key in zip(MODES, OLD_KEYS):
        yield case(f"pooling {mode}", pooling(mode))
        yield case(f"pooling by the older key {key}", pooling(old=[key]))
    yield case("older keys cls and mean", pooling(old=["mean_tokens", "cls_token"]))
    yield case("older keys max, sqrt and last", pooling(old=["lasttoken", "mean_sqrt_len_tokens", "max_tokens"]))
    yield case("all older keys", pooling(old=OLD_KEYS))
    yield case("a list of modes", pooling(["lasttoken", "cls"]))
    yield case("a list of three modes", pooling(["weightedmean", "max", "mean"]))
    yield case("a mode twice", pooling(["mean", "mean"]))
    yield case("a list of one mode", pooling(["max"]))
    yield case("the newer key wins", pooling("max", pooling_mode_cls_token=True))
    yield case("no mode is the mean", pooling())
    yield case("all older keys false is the mean", pooling(pooling_mode_cls_token=False, pooling_mode_mean_tokens=False))
    yield case("a width that nobody looks at", pooling("mean", dim=32))
    yield case("two poolings, the last counts", pooling("mean"), pooling("cls"))


def prompt_cases():
    for mode in MODES:
        yield case(f"prompt left out of {mode}", pooling(mode, include_prompt=False), config=DEFAULT)
    yield case("prompt left out of a list", pooling(["cls", "weightedmean", "lasttoken"], include_prompt=False), config=DEFAULT)
    yield case("no prompt to leave out", pooling("mean", include_prompt=False))
    yield case("a long prompt left out", pooling("weightedmean", include_prompt=False), config=ASK, prompt_name="long")
    yield case("a default prompt", pooling("mean"), config=DEFAULT)
    yield case("a prompt by name", pooling("cls"), config=ASK, prompt_name="query")
    yield case("a prompt instead of the default", pooling("mean"), config=DEFAULT, prompt_name="long")
    yield case("a prompt that is null", pooling("mean", include_prompt=False), config=DEFAULT, prompt_name="none")
    yield case("document is always there", pooling("mean"), config=DEFAULT, prompt_name="document")
    yield case("query by default, though not listed", pooling("mean"), config={"default_prompt_name": "query"})


def dense_cases():
    mean = pooling("mean")
    yield case("Dense, Tanh by default", mean, dense(48, 8, act=None))
    for act in ("activation.Tanh", "linear.Identity", "activation.Sigmoid", "activation.ReLU", "activation.GELU", "activation.SiLU"):
        yield case(f"Dense, {act}", mean, dense(48, 8, act))
    yield case("Dense, a short name", mean, dense(48, 8, "torch.nn.ReLU"))
    yield case("Dense without bias", mean, dense(48, 8, bias=False))
    yield case("Dense plus its input", mean, dense(48, 48, use_residual=True))
    yield case("Dense plus a product of its input", mean, dense(48, 8, "activation.ReLU", use_residual=True))
    yield case("Dense plus a product, without bias", mean, dense(48, 12, "linear.Identity", use_residual=True, bias=False))
    yield case("two Dense", mean, dense(48, 16, "activation.GELU"), dense(16, 8, "linear.Identity"))
    yield case("Dense on tokens", dense(48, 48, **TOKENS), pooling("max"))
    yield case("Dense on tokens, narrower", dense(48, 8, "activation.ReLU", module_output_name="token_embeddings", **TOKENS), pooling(["mean", "cls"]))
    yield case("Dense on tokens plus its input", dense(48, 48, use_residual=True, **TOKENS), pooling("mean"))
    yield case("Dense through a feature of its own", dense(48, 12, module_output_name="x", **TOKENS), dense(12, 10, module_input_name="x", module_output_name="token_embeddings"), pooling("mean"))
    yield case("Dense into a feature that nobody reads", mean, dense(48, 8, module_output_name="y"))
    yield case("Dense stored as f16", mean, dense(48, 8, "linear.Identity", dtype="F16"))
    yield case("Dense stored as bf16", mean, dense(48, 8, "linear.Identity", dtype="BF16"))
    yield case("Dense behind a list of modes", pooling(["cls", "max"]), dense(96, 8))


def norm_cases():
    mean = pooling("mean")
    yield case("Normalize", mean, normalize())
    yield case("Normalize before Dense", mean, normalize(), dense(48, 8, act=None))
    yield case("Normalize before and behind Dense", mean, normalize(), dense(48, 8, "linear.Identity"), normalize())
    yield case("Normalize of tokens", normalize(**TOKENS), mean)
    yield case("Normalize of tokens and of the sentence", normalize(**TOKENS), mean, normalize(module_input_name="sentence_embedding"))
    yield case("Normalize where there is no sentence yet", normalize(), pooling("mean"))
    yield case("Normalize into a feature that nobody reads", mean, normalize(module_output_name="z"))
    yield case("Normalize of a list of modes", pooling(["cls", "mean"]), normalize())
    yield case("LayerNorm", mean, layer_norm(48))
    yield case("LayerNorm behind Dense", mean, dense(48, 12, "linear.Identity"), layer_norm(12))
    yield case("LayerNorm, then Normalize", pooling("cls"), layer_norm(48), normalize())
    yield case("Normalize, then LayerNorm, then Dense", mean, normalize(), layer_norm(48), dense(48, 8, "activation.Sigmoid"))
    yield case("Dropout", mean, dropout(dropout=0.5), dense(48, 8))
    yield case("Dropout without settings", mean, dropout(), normalize())


def transformer_cases():
    long = ["a b c d e f g h i j k l m n o p q r s t u v w x y z", "short"]
    mean = pooling("mean")
    yield case("Transformer in a folder", mean, normalize(), folder="0_Transformer")
    yield case("Transformer in a folder, with settings", mean, folder="0_Transformer", transformer={"max_seq_length": 9, "do_lower_case": False}, texts=long, truncate=True)
    yield case("max_seq_length", mean, transformer={"max_seq_length": 12, "do_lower_case": False}, texts=long, truncate=True)
    yield case("max_seq_length by an older file", mean, transformer={"max_seq_length": 10}, file="sentence_roberta_config.json", texts=long, truncate=True)
    yield case("max_seq_length and a prompt", pooling("mean", include_prompt=False), transformer={"max_seq_length": 12}, config=DEFAULT, texts=long, truncate=True)
    yield case("the tokenizer's own limit", mean, tokenizer={"model_max_length": 13}, texts=long, truncate=True)
    yield case("cut on the left", pooling("weightedmean"), transformer={"max_seq_length": 14}, tokenizer={"truncation_side": "left"}, texts=long, truncate=True)
    yield case("the tokenizer's arguments", mean, transformer={"max_seq_length": 20, "tokenizer_args": {"model_max_length": 11}}, texts=long, truncate=True)
    yield case("model arguments of no effect", mean, transformer={"max_seq_length": 40, "model_args": {"attn_implementation": "eager"}, "unpad_inputs": None})
    yield case("the newer settings", mean, transformer={"transformer_task": "feature-extraction", "modality_config": TEXT_FORWARD, "module_output_name": "token_embeddings"})
    yield case("BERT's pooler as the sentence", dense(48, 8),
               transformer={"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}, "module_output_name": "sentence_embedding"})
    yield case("do_lower_case", mean, transformer={"do_lower_case": True}, cased=True)
    yield case("do_lower_case false", mean, transformer={"do_lower_case": False}, cased=True)
    yield case("do_lower_case of a tokenizer that has no normaliser", mean, transformer={"do_lower_case": True}, cased="none")
    yield case("module paths of version 5.4", mean, dense(48, 8), normalize(), package=NEW)
    yield case("module paths of version 6", dense(48, 48, **TOKENS), mean, normalize(), package=NEWEST)


def end_cases():
    mean = pooling("mean")
    yield case("truncate_dim", mean, config={"truncate_dim": 16})
    yield case("truncate_dim behind Normalize", mean, normalize(), config={"truncate_dim": 16})
    yield case("truncate_dim beyond the width", mean, dense(48, 8), config={"truncate_dim": 100})
    yield case("truncate_dim by a flag", mean, normalize(), truncate_dim=10)
    yield case("truncate_dim by a flag, not the file's", mean, config={"truncate_dim": 10, "similarity_fn_name": "dot"}, truncate_dim=20)
    yield case("normalised at the end", mean, dense(48, 8), normalize_end=True)
    yield case("truncated, then normalised", pooling(["cls", "max"]), config={"truncate_dim": 60}, normalize_end=True)
    for mode in ("lasttoken", "mean", "weightedmean"):
        yield case(f"a decoder, {mode}", pooling(mode, dim=56), normalize(), base="qwen2-tied")
    yield case("a decoder, prompt left out", pooling("weightedmean", dim=56, include_prompt=False), dense(56, 8, "linear.Identity"), base="qwen2-tied", config=DEFAULT)


def all_cases():
    return [*pooling_cases(), *prompt_cases(), *dense_cases(), *norm_cases(), *transformer_cases(), *end_cases()]


# ---- Writing a directory ------------------------------------------------------------------------------------------------------------------

def module_type(kind, package):
    file = {"LayerNorm": "layer_norm"}.get(kind, kind.lower())
    if package == OLD:
        return OLD + kind
    here = NEWEST if kind in ("Transformer", "Dense", "Normalize") and package == NEWEST else NEW
    return f"{here}{file}.{kind}" if package == NEWEST else here + kind


def module_weights(kind, config, seed):
    random = np.random.RandomState(seed)
    if kind == "LayerNorm":
        n = config["dimension"]
        return {"norm.weight": 1 + 0.5 * random.randn(n), "norm.bias": 0.5 * random.randn(n)}
    if kind != "Dense":
        return {}
    n_in, n_out = config["in_features"], config["out_features"]
    weights = {"linear.weight": 0.2 * random.randn(n_out, n_in)}
    if config.get("bias", True):
        weights["linear.bias"] = 0.5 * random.randn(n_out)
    if config.get("use_residual") and n_in != n_out:
        weights["residual.weight"] = 0.2 * random.randn(n_out, n_in)
    return weights


def write_module(folder, path, module, seed):
    os.makedirs(os.path.join(folder, path), exist_ok=True)
    if module["config"] is not None:
        write_json(folder, os.path.join(path, "config.json"), module["config"])
    weights = module_weights(module["class"], module["config"], seed)
    if weights:
        write_safetensors(os.path.join(folder, path, "model.safetensors"), {name: a.astype(np.float32) for name, a in weights.items()}, module.get("dtype", "F32"))


def write_base(models, base, folder, cased, more=None):
    os.makedirs(folder, exist_ok=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        source = os.path.join(models, base, name)
        if os.path.exists(source):
            shutil.copyfile(source, os.path.join(folder, name))
    if more:
        with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as f:
            write_json(folder, "tokenizer_config.json", {**json.load(f), **more})
    if cased:
        with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
            tokenizer = json.load(f)
        if cased == "none":
            tokenizer["normalizer"] = None
        else:
            tokenizer["normalizer"]["lowercase"] = False
        write_json(folder, "tokenizer.json", tokenizer)


def write_case(models, c, folder):
    """models: tests/golden/models."""
    package, own = c.get("package", OLD), c.get("folder", "")
    write_base(models, c["base"], os.path.join(folder, own), c.get("cased"), c.get("tokenizer"))
    rows = [{"idx": 0, "name": "0", "path": own, "type": module_type("Transformer", package)}]
    for i, module in enumerate(c["modules"], 1):
        path = f"{i}_{module['class']}"
        write_module(folder, path, module, zlib.crc32(f"{c['name']} {i}".encode()))
        rows.append({"idx": i, "name": str(i), "path": path, "type": module_type(module["class"], package)})
    write_json(folder, "modules.json", rows)
    if c.get("config"):
        write_json(folder, "config_sentence_transformers.json", c["config"])
    if c.get("transformer"):
        write_json(folder, os.path.join(own, c.get("file", "sentence_bert_config.json")), c["transformer"])


# ---- CrossEncoders ------------------------------------------------------------------------------------------------------------------------

WORDS = ["<s>", "<pad>", "</s>", "<unk>"] + [f"w{i}" for i in range(4, 96)]
QUERIES = ["w4 w5 w6", "w40 w41 w42 w43 w44 w45", "w90"]
LINES = [" ".join(f"w{4 + (7 * i + 13 * k * k) % 92}" for k in range(1 + 2 * i)) for i in range(9)] + [""]
ENTAIL = {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "4.1.0"}}


def pair_cases():
    """(name, base, keys of config.json, config_sentence_transformers.json, modules behind a Transformer without a head)"""
    one, three = "made-roberta-score", "made-bert-classes"
    identity = "torch.nn.modules.linear.Identity"
    yield "one label", one, {}, None
    yield "one label, Identity", one, {"sbert_ce_default_activation_function": identity}, None
    yield "one label, Tanh", one, {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Tanh"}, None
    yield "one label, the older key null", one, {"sbert_ce_default_activation_function": None}, None
    yield "one label, the newer key", one, {"sentence_transformers": {"activation_fn": identity, "version": "4.0.1"}}, None
    yield "one label, the newer key wins", one, {"sbert_ce_default_activation_function": identity, **ENTAIL}, None
    yield "one label, the newer key without an activation", one, {"sbert_ce_default_activation_function": identity, "sentence_transformers": {"version": "4.0.1"}}, None
    yield "one label, the newer key null", one, {"sbert_ce_default_activation_function": identity, "sentence_transformers": {"activation_fn": None}}, None
    yield "one label, modules", one, ENTAIL, {"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.activation.ReLU"}
    yield "one label, modules and a prompt", one, {}, {"model_type": "CrossEncoder", "activation_fn": identity, "prompts": {"query": "w7 w8 "}, "default_prompt_name": "query"}
    for n in (1, 2):
        scores = dense(48, n, "linear.Identity", module_output_name="scores")
        yield f"modules that make {n} scores", "bert-model", {}, {"model_type": "CrossEncoder"}, [pooling("cls"), dense(48, 48, "activation.GELU"), layer_norm(48), scores]
    yield "three labels", three, {}, None
    yield "three labels, Softmax", three, {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Softmax"}}, None
    yield "three labels, Sigmoid", three, ENTAIL, None


def pair_tokenizer(typed):
    """Words at blanks; a pair is <s> A </s> </s> B </s>, as RoBERTa's, or with type ids [0 A 0 | 1 B 1], as BERT's."""
    def special(name, kind=0):
        return {"SpecialToken": {"id": name, "type_id": kind}}
    ids = {name: {"id": name, "ids": [WORDS.index(name)], "tokens": [name]} for name in ("<s>", "</s>")}
    single = [special("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, special("</s>")]
    pair = single + ([] if typed else [special("</s>")]) + [{"Sequence": {"id": "B", "type_id": int(typed)}}, special("</s>", int(typed))]
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
            "added_tokens": [{"id": i, "content": WORDS[i], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i in range(4)],
            "model": {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(WORDS)}, "unk_token": "<unk>"},
            "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": ids}}


def write_pair_case(models, row, folder):
    name, base, keys, config, *modules = row
    if modules:
        write_case(models, case(name, *modules[0], config=config, package=NEWEST), folder)
        return
    write_base(models, base, folder, None)
    with open(os.path.join(models, base, "config.json"), encoding="utf-8") as f:
        write_json(folder, "config.json", {**json.load(f), **keys})
    write_json(folder, "tokenizer.json", pair_tokenizer("bert" in base))
    write_json(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 60, "pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>",
                                                 "model_input_names": ["input_ids", "token_type_ids", "attention_mask"] if "bert-" in base else ["input_ids", "attention_mask"]})
    if config:
        write_json(folder, "config_sentence_transformers.json", config)
        write_json(folder, "modules.json", [{"idx": 0, "name": "0", "path": "", "type": module_type("Transformer", NEWEST)}])
        write_json(folder, "sentence_bert_config.json", {"transformer_task": "sequence-classification", "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
                                                         "module_output_name": "scores"})
