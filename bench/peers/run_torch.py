"""transformers on PyTorch: decoders by the model's own forward with its cache and a greedy choice, which spares it what generate() adds around each step."""
import torch
import transformers

import runner

DTYPE = {"bf16": torch.bfloat16, "f32": torch.float32}


class Decoder:
    version = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"

    def __init__(self, order):
        torch.set_num_threads(order["threads"])
        torch.set_grad_enabled(False)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(order["model"], dtype=DTYPE[order["type"]]).eval()
        self.vocab = self.model.config.vocab_size

    def begin(self, ids):
        self.cache = None
        self.ids = torch.tensor(ids)
        self.step()

    def step(self):
        out = self.model(input_ids=self.ids, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        self.cache, self.ids = out.past_key_values, out.logits[:, -1:].argmax(-1)


class Encoder:
    """The model alone with mean pooling and length 1, as the checkpoint's modules.json says."""
    version = Decoder.version

    def __init__(self, order):
        torch.set_num_threads(order["threads"])
        torch.set_grad_enabled(False)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(order["model"])
        self.model = transformers.AutoModel.from_pretrained(order["model"], dtype=DTYPE[order["type"]]).eval()

    def encode(self, texts):
        batch = self.tokenizer(texts, padding=True, return_tensors="pt")
        hidden, mask = self.model(**batch).last_hidden_state.float(), batch["attention_mask"].unsqueeze(-1)
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).tolist()


runner.main(lambda order: Encoder(order) if "texts" in order["measure"][0] else Decoder(order))
