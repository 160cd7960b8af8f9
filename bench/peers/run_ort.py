"""onnxruntime: the encoder as a graph of f32, fused by its own optimizer."""
import os

import numpy as np
import onnxruntime
import tokenizers

import runner


class Encoder:
    version = f"onnxruntime {onnxruntime.__version__}"

    def __init__(self, order):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = order["threads"], 1
        self.session = onnxruntime.InferenceSession(order["model"], options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(os.path.join(order["tokenizer"], "tokenizer.json"))
        self.tokenizer.enable_padding()

    def encode(self, texts):
        found = self.tokenizer.encode_batch(texts)
        ids, mask = np.array([e.ids for e in found], np.int64), np.array([e.attention_mask for e in found], np.int64)
        hidden, = self.session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
        pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1)[:, None]
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


runner.main(Encoder)
