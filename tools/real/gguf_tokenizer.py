"""tokenizer.json and tokenizer_config.json out of a GGUF file's metadata: byte-level BPE by merges ("gpt2") and SentencePiece BPE by scores ("llama").

gguf_convert.py calls it with the metadata as a dictionary. Source of the keys: llama.cpp's gguf-py/gguf/constants.py and docs/gguf.md of ggml.
"""

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
# The file names its pre-tokenizer and does not hold it. smollm: src/llama-vocab.cpp of llama.cpp has the same two expressions.
PRE_TOKENIZERS = {"smollm": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]}}


def _bpe(vocab, merges, **more):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, **more, "vocab": vocab, "merges": merges}


def _byte_level(meta, vocab):
    pre = meta.get("tokenizer.ggml.pre", "default")
    if pre not in PRE_TOKENIZERS:
        raise ValueError(f"the pre-tokenizer {pre!r} is not known here")
    model = _bpe(vocab, [merge.split(" ") for merge in meta["tokenizer.ggml.merges"]])
    return {"normalizer": None, "pre_tokenizer": PRE_TOKENIZERS[pre], "decoder": BYTE_LEVEL, "model": model}


def merges_of(tokens, scores, normal):
    """The pairs that make a piece, by falling scores of the piece: SentencePiece joins the pair whose piece has the best score."""
    ids = {token: i for i, token in enumerate(tokens) if normal[i]}
    found = []
    for piece, i in ids.items():
        pairs = [(ids[piece[:at]], ids[piece[at:]]) for at in range(1, len(piece)) if piece[:at] in ids and piece[at:] in ids]
        found += [(-scores[i], i, left, right) for left, right in pairs]
    return [[tokens[left], tokens[right]] for _, _, left, right in sorted(found)]


def _sentencepiece(meta, tokens, types, vocab):
    space = [{"type": "Prepend", "prepend": "\u2581"}] if meta.get("tokenizer.ggml.add_space_prefix", True) else []
    steps = [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
    if space:
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    merges = merges_of(tokens, meta["tokenizer.ggml.scores"], [kind == NORMAL for kind in types])
    return {"normalizer": {"type": "Sequence", "normalizers": space + [{"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, "pre_tokenizer": None,
            "decoder": {"type": "Sequence", "decoders": steps},
            "model": _bpe(vocab, merges, unk_token=tokens[meta["tokenizer.ggml.unknown_token_id"]], fuse_unk=True, byte_fallback=True)}


def _frame(meta, tokens):
    """The post-processor: BOS and EOS where the file says so."""
    bos, eos = (tokens[meta[f"tokenizer.ggml.{name}_token_id"]] if meta.get(f"tokenizer.ggml.add_{name}_token") else None for name in ("bos", "eos"))
    if not bos and not eos:
        return None
    one = [*([{"SpecialToken": {"id": bos, "type_id": 0}}] if bos else []), {"Sequence": {"id": "A", "type_id": 0}}, *([{"SpecialToken": {"id": eos, "type_id": 0}}] if eos else [])]
    special = {token: {"id": token, "ids": [tokens.index(token)], "tokens": [token]} for token in (bos, eos) if token}
    return {"type": "TemplateProcessing", "single": one, "pair": [*one, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": special}


def tokenizer_of(meta):
    """(tokenizer.json, tokenizer_config.json) as dictionaries; ValueError where the file has what is not known here."""
    kind, tokens, types = meta["tokenizer.ggml.model"], meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    vocab = {token: i for i, token in enumerate(tokens)}
    if len(vocab) != len(tokens):
        raise ValueError(f"{len(tokens) - len(vocab)} tokens stand twice in the vocabulary")
    if kind not in ("gpt2", "llama"):
        raise ValueError(f"the tokenizer {kind!r} is not known here")
    parts = _byte_level(meta, vocab) if kind == "gpt2" else _sentencepiece(meta, tokens, types, vocab)
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": types[i] == CONTROL}
             for i, token in enumerate(tokens) if types[i] in (CONTROL, USER_DEFINED)]
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        if f"tokenizer.ggml.{key}_token_id" in meta:
            config[name + "_token"] = tokens[meta[f"tokenizer.ggml.{key}_token_id"]]
    if "tokenizer.chat_template" in meta:
        config["chat_template"] = meta["tokenizer.chat_template"]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "post_processor": _frame(meta, tokens), **parts}, config
