"""Writes tests/golden/tokenizers/settings.json: what transformers.AutoTokenizer makes of the settings beside a tokenizer.json, each alone and in pairs.

Four small tokenizers are trained here (byte-level BPE, SentencePiece BPE, Unigram, WordPiece). A setting changes one of their files or adds one: tokenizer_config.json,
special_tokens_map.json, added_tokens.json, config.json, tokenizer.json itself, or takes the vocabulary's own files for it. Each setting and each pair of settings is written into a folder, opened with
AutoTokenizer, and the ids and texts of some difficult inputs are recorded. tests/text/test_tokenizer_settings.c writes the same folders.

    build-venv/bin/python tools/make_tokenizer_settings.py tests/golden/tokenizers/settings.json        (transformers 5.24.0, tokenizers 0.23.3, sentencepiece 0.2.3)
"""
import base64
import copy
import io
import itertools
import json
import os
import random
import sys
import tempfile
import warnings

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.simplefilter("ignore")

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

SEED = 14
ROLES = ["bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token"]
WORDS = ("the quick brown fox jumps over lazy dog user says hello world how are you today we don't know what it's for Paris and Lyon are cities in France "
         "caf\u00e9 na\u00efve \u00c9cole stra\u00dfe \u4f60\u597d \u4e16\u754c 2024 12 7 ( ) . , ! ? ' \" - image tool start end").split(" ")

TEXTS = [
    "Hello world, how are you?", "  two leading blanks", "trailing blank ", "", " ", "caf\u00e9 \u00c9COLE na\u00efve", "\u4f60\u597d\u4e16\u754c and \u4e16",
    "<|im_start|>user\nhello<|im_end|>", "x <|new|> y<|new|>z  <|new|>", "the[PAD]user <image> tool", "a <s> b</s> c<unk>d", "[CLS] x [SEP] y [MASK] z [UNK]",
    "we don't know , it 's fine .", "x NEWword y newword newwords", "line\n\n\nline\ttab  <tool><tool> end", "<|endoftext|> <|endoftext|>x",
    "caf\u00e9<extra_id_0> <extra_id_1>", "\u00a0\u2003odd blanks\u3000here", "na\u0308ive A\u030angstr\u00f6m \ufb01ne",
]


def corpus():
    rng = random.Random(SEED)
    return [" ".join(rng.choice(WORDS) for _ in range(12)) for _ in range(400)]


def special(text, **flags):
    return AddedToken(text, special=True, normalized=False, **flags)


def byte_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=380, special_tokens=["<|endoftext|>"], show_progress=False,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens([special("<|im_start|>"), special("<|im_end|>")])
    return t


def sentencepiece_bpe():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=460, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)],
                                                        show_progress=False))
    made = json.loads(t.to_str())
    made["added_tokens"] = [a for a in made["added_tokens"] if a["id"] < 3]
    t = Tokenizer.from_str(json.dumps(made))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.pre_tokenizer = None
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return t


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    t.decoder = decoders.Metaspace(prepend_scheme="always", split=True)
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>", "<s>", "<mask>"], unk_token="<unk>",
                                                            show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B:1 </s>:1", special_tokens=[("</s>", 1)])
    return t


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##")
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t


def sentencepiece_file(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=out, minloglevel=2, hard_vocab_limit=False, **options)
    return {"tokenizer.json": None, "tokenizer.model": {"base64": base64.b64encode(out.getvalue()).decode()}}


def kind(made, config, classes, model_types):
    return {"base": {"tokenizer.json": json.loads(made.to_str()), "tokenizer_config.json": dict({"tokenizer_class": "PreTrainedTokenizerFast"}, **config)},
            "classes": classes, "model_types": model_types}


def flags(content, **changed):
    return dict({"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}, **changed)


def typed(content, **changed):
    return dict({"__type": "AddedToken"}, **flags(content, **changed))


def config(**keys):
    return {"tokenizer_config.json": keys}


def settings(k):
    """The settings of one kind: name to the changes of the files, which are merged key by key."""
    json_base = k["base"]["tokenizer.json"]
    added = json_base["added_tokens"]
    top = max([a["id"] for a in added] + [len(json_base["model"]["vocab"]) - 1]) + 1
    own = {str(a["id"]): {key: a[key] for key in a if key != "id"} for a in added}
    changed = {i: dict(a, lstrip=n % 2 == 0, rstrip=n % 3 == 1, single_word=n % 3 == 2) for n, (i, a) in enumerate(own.items())}
    names = [a["content"] for a in added]
    stray = {"post_processor": dict(json_base["post_processor"], use_regex=True, note="x"), "decoder": dict(json_base["decoder"], note=1)}
    out = {
        "decoder_new": config(added_tokens_decoder=dict(own, **{str(top + 7): flags("<|new|>"), str(top + 2): flags("newword", special=False, normalized=True)})),
        "decoder_flags": config(added_tokens_decoder=changed),
        "decoder_word": config(added_tokens_decoder=dict(own, **{str(top): flags("newword", special=False, normalized=True, single_word=True),
                                                                str(top + 1): flags("NEWword", special=False, normalized=False, lstrip=True)})),
        "additional": config(additional_special_tokens=["<|new|>", "<tool>"]),
        "extra_list": config(extra_special_tokens=["<image>", typed("<|new|>", rstrip=True)]),
        "extra_dict": config(extra_special_tokens={"image_token": "<image>", "tool_token": "<tool>"}),
        "named": config(image_token="<image>", tool_token=typed("<tool>", lstrip=True)),
        "pad_new": config(pad_token="[PAD]"),
        "pad_null": config(pad_token=None),
        "mask_object": config(mask_token=typed("<image>", lstrip=True, special=False)),
        "no_mask": {"tokenizer.json": {"added_tokens": [a for a in added if a["content"] not in ("[MASK]", "<mask>")]}},
        "eos_object": config(eos_token=typed(names[0], lstrip=True, rstrip=True)),
        "lower": config(do_lower_case=True),
        "no_lower": config(do_lower_case=False),
        "accents": config(strip_accents=True),
        "no_chinese": config(tokenize_chinese_chars=False),
        "prefix": config(add_prefix_space=True),
        "no_prefix": config(add_prefix_space=False),
        "bos": config(add_bos_token=True, bos_token=names[0]),
        "eos": config(add_eos_token=True, add_bos_token=False, eos_token=names[0]),
        "legacy": config(legacy=True),
        "no_legacy": config(legacy=False),
        "clean_up": config(clean_up_tokenization_spaces=True),
        "split_special": config(split_special_tokens=True),
        "length": config(model_max_length=4),
        "truncation": {"tokenizer.json": {"truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
                                          "padding": {"strategy": {"Fixed": 12}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
                                                      "pad_token": names[0]}}},
        "stray_keys": {"tokenizer.json": stray},
        "special_map": {"special_tokens_map.json": {"bos_token": names[0], "eos_token": {k: v for k, v in flags(names[-1], rstrip=True).items() if k != "special"},
                                                    "pad_token": "<tool>", "additional_special_tokens": ["<|new|>"]}},
        "added_known": {"added_tokens.json": {name: n for n, name in enumerate(names)}},
        "null_roles": config(bos_token=None, eos_token=None),
        "added_file": {"added_tokens.json": {"newword": top + 1, "<|new|>": top}},
    }
    if json_base["model"]["type"] == "Unigram":
        out["albert"] = config(tokenizer_class="AlbertTokenizer", cls_token="<s>", sep_token="</s>")
        out["albert_kept"] = config(tokenizer_class="AlbertTokenizer", cls_token="<s>", sep_token="</s>", do_lower_case=False, keep_accents=True)
    for name in k["classes"]:
        out["class_" + name] = config(tokenizer_class=name)
    for name in k["model_types"]:
        out["type_" + name] = {"config.json": {"model_type": name}, "tokenizer_config.json": {"tokenizer_class": None}}
    if "vocabulary" in k:
        out["vocabulary"] = k["vocabulary"]
    return out


def merge(base, change):
    """Keys of change replace those of base; a null removes the file or the key tokenizer_class."""
    out = copy.deepcopy(base)
    for name, value in change.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict):
            out.setdefault(name, {}).update(copy.deepcopy(value))
        else:
            out[name] = value
    if out.get("tokenizer_config.json", {}).get("tokenizer_class", "") is None:
        del out["tokenizer_config.json"]["tokenizer_class"]
    return out


def write(folder, files):
    for name, value in files.items():
        if isinstance(value, dict) and "base64" in value:
            data = base64.b64decode(value["base64"])
        else:
            data = (value if isinstance(value, str) else json.dumps(value)).encode()
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


class Table:
    """Equal values stored once."""

    def __init__(self):
        self.rows, self.index = [], {}

    def add(self, row):
        key = json.dumps(row)
        if key not in self.index:
            self.index[key] = len(self.rows)
            self.rows.append(row)
        return self.index[key]


def observe(files, table):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, files)
        try:
            t = AutoTokenizer.from_pretrained(folder)
            rows = []
            for text in TEXTS:
                ids = t(text).input_ids
                rows.append(table.add([ids, t(text, add_special_tokens=False).input_ids, t.decode(ids), t.decode(ids, skip_special_tokens=True)]))
            return rows, [getattr(t, role) for role in ROLES], len(t)
        except Exception as error:
            return repr(error)


def make():
    byte, llama, uni, word = byte_bpe(), sentencepiece_bpe(), unigram(), wordpiece()
    kinds = {
        "byte_bpe": kind(byte, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}, ["GPT2Tokenizer", "RobertaTokenizerFast", "Qwen2Tokenizer", "GPTNeoXTokenizerFast",
                         "CohereTokenizerFast", "LlamaTokenizerFast", "Qwen3_5Tokenizer", "DebertaTokenizer"], ["qwen2", "gpt_neox", "stablelm"]),
        "sentencepiece_bpe": kind(llama, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, ["LlamaTokenizer", "GemmaTokenizerFast", "CodeLlamaTokenizer"], ["gemma", "mistral"]),
        "unigram": kind(uni, {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}, ["T5TokenizerFast", "XLMRobertaTokenizer", "CamembertTokenizerFast", "DebertaV2TokenizerFast"], ["t5", "xlm-roberta"]),
        "wordpiece": kind(word, {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"},
                          ["BertTokenizer", "DistilBertTokenizerFast", "MPNetTokenizer"], ["bert"]),
    }
    model = kinds["byte_bpe"]["base"]["tokenizer.json"]["model"]
    kinds["byte_bpe"]["vocabulary"] = {"tokenizer.json": None, "vocab.json": json.dumps(model["vocab"]), "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"},
                                       "merges.txt": "#version: 0.2\n" + "\n".join(" ".join(m) for m in model["merges"]) + "\n"}
    vocab = sorted(kinds["wordpiece"]["base"]["tokenizer.json"]["model"]["vocab"].items(), key=lambda item: item[1])
    kinds["wordpiece"]["vocabulary"] = {"tokenizer.json": None, "vocab.txt": "".join(text + "\n" for text, _ in vocab),
                                        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}}
    kinds["sentencepiece_bpe"]["vocabulary"] = sentencepiece_file(vocab_size=420, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                                                                  remove_extra_whitespaces=False, user_defined_symbols=["<tool>"])
    kinds["unigram"]["vocabulary"] = sentencepiece_file(vocab_size=150, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="identity")
    out = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "texts": TEXTS, "roles": ROLES, "kinds": {}}
    failed = 0
    for name, k in kinds.items():
        table, role_table, changes, cases = Table(), Table(), settings(k), []
        combinations = [()] + [(a,) for a in changes] + list(itertools.combinations(changes, 2))
        rng = random.Random(SEED)
        pairs = [c for c in combinations if len(c) == 2]
        kept = set(rng.sample(range(len(pairs)), min(len(pairs), PAIRS)))
        combinations = [c for c in combinations if len(c) < 2] + [c for i, c in enumerate(pairs) if i in kept]
        for c in combinations:
            files = k["base"]
            for one in c:
                files = merge(files, changes[one])
            seen = observe(files, table)
            if isinstance(seen, str):
                failed += 1
                print(name, c, seen[:160], file=sys.stderr)
                continue
            rows, roles, n = seen
            cases.append([list(c), rows, role_table.add(roles), n])
        out["kinds"][name] = {"base": k["base"], "settings": changes, "outcomes": table.rows, "roles": role_table.rows, "cases": cases}
        print(name, len(cases), "cases", len(table.rows), "outcomes", file=sys.stderr)
    print(failed, "combinations that AutoTokenizer refuses", file=sys.stderr)
    return out


PAIRS = 1000

if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        json.dump(make(), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
