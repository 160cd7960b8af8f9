"""CTranslate2. It decodes inside one call, so decoding is the time of a long call less that of a call for one token."""
import ctranslate2
import numpy as np
import tokenizers

import os
import runner

COMPUTE = {"f32": "float32", "bf16": "bfloat16", "int8": "int8"}


class Decoder:
    version = f"ctranslate2 {ctranslate2.__version__}"

    def __init__(self, order):
        self.model = ctranslate2.Generator(order["model"], device="cpu", compute_type=COMPUTE[order["type"]], inter_threads=1, intra_threads=order["threads"])
        self.vocab = order["vocab"]

    def call(self, ids, n):
        self.model.generate_batch([[f"t{i}" for i in row] for row in ids], min_length=n, max_length=n, include_prompt_in_result=False, end_token=[], max_batch_size=0)

    def begin(self, ids):
        self.call(ids, 1)

    def generate(self, ids, n):
        prompt_s, _ = runner.timed(self.call, ids, 1)
        both_s = runner.timed(self.call, ids, n + 1)[0] if n else prompt_s
        return {"prompt_s": prompt_s, "decode_s": both_s - prompt_s}


class Encoder:
    version = Decoder.version

    def __init__(self, order):
        self.model = ctranslate2.Encoder(order["model"], device="cpu", compute_type=COMPUTE[order["type"]], inter_threads=1, intra_threads=order["threads"])
        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(order["tokenizer"], "tokenizer.json"))
        self.tokenizer.no_padding()

    def encode(self, texts):
        ids = [e.ids for e in self.tokenizer.encode_batch(texts)]
        hidden = np.array(self.model.forward_batch(ids).last_hidden_state)
        pooled = [hidden[i, :len(row)].mean(0) for i, row in enumerate(ids)]
        return [v / np.linalg.norm(v) for v in pooled]


runner.main(lambda order: Encoder(order) if "texts" in order["measure"][0] else Decoder(order))
