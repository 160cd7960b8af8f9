"""sentence-transformers in f32, as its users call it."""
import sentence_transformers
import torch

import runner


class Encoder:
    version = f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__.split('+')[0]}"

    def __init__(self, order):
        torch.set_num_threads(order["threads"])
        self.model = sentence_transformers.SentenceTransformer(order["model"], device="cpu").float().eval()

    def encode(self, texts):
        return self.model.encode(texts, batch_size=len(texts), show_progress_bar=False, normalize_embeddings=True).tolist()


runner.main(Encoder)
