"""llama.cpp by llama-cpp-python's plain bindings of its C interface: no Python between the batches but the choice of the next token."""
import ctypes

import llama_cpp as ll
import numpy as np

import runner


class Decoder:
    version = f"llama-cpp-python {ll.__version__}"

    def __init__(self, order):
        self.silent = ll.llama_log_callback(lambda level, text, user: None)
        ll.llama_log_set(self.silent, ctypes.c_void_p(0))
        ll.llama_backend_init()
        options = ll.llama_model_default_params()
        options.n_gpu_layers = 0
        self.model = ll.llama_model_load_from_file(order["model"].encode(), options)
        self.vocab = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model))
        self.threads, self.ctx, self.batch = order["threads"], None, ll.llama_batch_init(2048, 0, 1)
        self.prepare({"prompt": 248, "decode": 0, "batch": 1})

    def prepare(self, entry):
        """A context as large as the entry needs."""
        if self.ctx:
            ll.llama_free(self.ctx)
        options = ll.llama_context_default_params()
        options.n_seq_max, options.n_ctx = entry["batch"], entry["batch"] * (entry["prompt"] + entry["decode"] + 8)
        options.n_threads = options.n_threads_batch = self.threads
        self.ctx = ll.llama_init_from_model(self.model, options)

    def put(self, token, at, sequence, wanted):
        b, i = self.batch, self.batch.n_tokens
        b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = token, at, 1, sequence, wanted
        b.n_tokens = i + 1

    def run(self):
        """Runs the batch; the next token of each row that asked for logits, in order."""
        b = self.batch
        status = ll.llama_decode(self.ctx, b)
        assert status == 0, f"llama_decode: {status}"
        chosen = [int(np.ctypeslib.as_array(ll.llama_get_logits_ith(self.ctx, i), (self.vocab,)).argmax()) for i in range(b.n_tokens) if b.logits[i]]
        b.n_tokens = 0
        return chosen

    def begin(self, ids):
        ll.llama_memory_clear(ll.llama_get_memory(self.ctx), True)
        self.next, self.at = [], len(ids[0])
        for sequence, row in enumerate(ids):
            if self.batch.n_tokens + len(row) > 2048:
                self.next += self.run()
            for at, token in enumerate(row):
                self.put(token, at, sequence, at == len(row) - 1)
        self.next += self.run()

    def step(self):
        for sequence, token in enumerate(self.next):
            self.put(token, self.at, sequence, True)
        self.next, self.at = self.run(), self.at + 1


runner.main(Decoder)
