"""bench/peers without any peer: tern alone on small shapes, the checkpoints it makes, and the table's text from figures that are given."""
import json
import os
import subprocess
import sys

from rig import ROOT, TERN, check, document, environment, finish, folder

PEERS = os.path.join(ROOT, "bench", "peers")
sys.path.insert(0, PEERS)
sys.dont_write_bytecode = True
import models    # noqa: E402
import report    # noqa: E402

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 64,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16"}
SHAPES = (
    ("llama", SMALL | {"architectures": ["LlamaForCausalLM"], "hidden_act": "silu"}, "the plain decoder"),
    ("qwen2", SMALL | {"architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", "tie_word_embeddings": True}, "biases, and no lm_head"),
    ("mixtral", SMALL | {"architectures": ["MixtralForCausalLM"], "hidden_act": "silu", "num_local_experts": 4, "num_experts_per_tok": 2}, "experts"),
    ("gpt2", {"architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "n_ctx": 64, "vocab_size": 300,
              "layer_norm_epsilon": 1e-5}, "transposed products"),
)


def check_checkpoints(home):
    """Every tensor that a family needs is there, and none that it does not know."""
    for kind, config, why in SHAPES:
        path, place = os.path.join(home, kind + ".json"), os.path.join(home, kind)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config | {"model_type": kind}, f)
        os.mkdir(place)
        models.make_hf(path, place)
        answer = document("logits", "-m", place, "--ids", "1,2,3", "--json")
        check(len(answer["logits"]) == 300 and len(set(answer["logits"])) > 100, f"{kind} ({why}): {len(answer['logits'])} logits")
    same = [models.gguf_tensors(json.load(open(os.path.join(home, "llama.json"), encoding="utf-8"))) for _ in range(2)]
    for (name, a), (_, b) in zip(*same):
        check((a == b).all(), f"{name}: other numbers when it is made again")


def check_heads():
    """Rotary pairs (i, i + half) of Hugging Face's order lie side by side in GGUF's."""
    import numpy as np
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)    # two heads of four
    check(models.interleave_heads(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7], f"interleaved heads: {models.interleave_heads(rows, 2).ravel().tolist()}")


def check_run(home):
    """tern alone, as its runner answers; a run without any peer says which are missing."""
    order = {"tern": TERN, "model": os.path.join(home, "llama"), "type": "bf16", "threads": 1}

    def answers_of(*entries):
        run = subprocess.run([sys.executable, os.path.join(PEERS, "run_tern.py"), json.dumps(order | {"measure": entries})], capture_output=True, text=True, timeout=300, env=environment())
        found = [json.loads(line) for line in run.stdout.splitlines()]
        return check(run.returncode == 0 and len(found) == len(entries), f"run_tern.py: {run.returncode}, {len(found)} answers: {run.stderr[-500:]}") and found

    answers = answers_of({"first": 22})
    check(answers and answers[0]["first_s"] > 0 and answers[0]["memory_share"] > 0 and answers[0]["version"], f"run_tern.py: {answers}")
    answers = answers_of({"prompt": 16, "decode": 0, "batch": 1}, {"prompt": 16, "decode": 4, "batch": 2})
    if answers:
        check(all(a["prompt_s"] > 0 and a["peak_share"] > 0 and a["peak_gflop_per_s"]["median"] > 0 and a["bandwidth_moved"] in (False, True) for a in answers), f"run_tern.py: {answers}")
        check(answers[0]["decode_s"] == 0 and answers[1]["decode_s"] > 0, f"run_tern.py: decode {[a['decode_s'] for a in answers]}")
    run = subprocess.run([sys.executable, os.path.join(PEERS, "peers.py"), "--home", os.path.join(home, "none"), "--sections", "first,minilm"], capture_output=True, text=True, timeout=300,
                         env=environment())
    check(run.returncode == 0 and "llama.cpp (llama_cpp, gguf)" in run.stdout and "onnxruntime (onnxruntime, tokenizers)" in run.stdout, f"without peers: {run.returncode}: {run.stdout} {run.stderr[-500:]}")


def check_refusals(home):
    """What cannot be measured or read is one sentence before anything is measured."""
    broken, other = os.path.join(home, "broken.json"), os.path.join(home, "other.json")
    for path, text in ((broken, '{"date"'), (other, '{"date": 1}')):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    rows = (
        # arguments, exit status, part of the message, why
        (("--sections", "none"), 2, "no section 'none'; there are tinyllama", "an unknown section"),
        (("--sections", "gpt2,"), 2, "no section ''", "a comma and nothing behind it"),
        (("--threads", "1,x"), 2, "--threads: '1,x' is not", "a word for a number"),
        (("--threads", "0"), 2, "--threads: '0' is not", "no threads"),
        (("--rounds", "0"), 2, "--rounds 0", "no round"),
        (("--round", "x"), 2, "invalid int value: 'x'", "a word for the rounds"),
        (("--tern", home), 2, f"--tern {home}", "a folder for the program"),
        (("--log", broken), 2, f"--log {broken}: File exists", "a file for the log's folder"),
        (("--from", broken), 1, f"{broken}: Expecting ':' delimiter", "a file that ends early"),
        (("--from", other), 1, f"{other} is no run of peers.py: it lacks command, commit, machine", "JSON of another kind"),
        (("--from", home), 1, f"{home}: Is a directory", "a folder for a run"),
        (("--from", os.path.join(home, "none.json")), 1, "none.json: No such file", "a run that is not there"),
    )
    for arguments, status, message, why in rows:
        run = subprocess.run([sys.executable, os.path.join(PEERS, "peers.py"), "--home", os.path.join(home, "none"), *arguments], capture_output=True, text=True, timeout=60, env=environment())
        sentence = run.stderr.count("\n") == 1 and run.stderr.startswith("peers.py: ") and message in run.stderr
        check(run.returncode == status and sentence and not run.stdout, f"{why}: {run.returncode}: {run.stderr[-500:]}")


def check_runner(home):
    """The line of a runner whose engine takes a known time."""
    path = os.path.join(home, "run_known.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write("import time\nimport runner\n\n\nclass Known:\n    version, vocab = 'known 1', 100\n\n    def begin(self, ids):\n        time.sleep(0.2)\n\n    def step(self):\n        time.sleep(0.05)\n\n"
                "    def encode(self, texts):\n        time.sleep(0.1)\n        return [[1.0, 2.0] for _ in texts]\n\n\nrunner.main(lambda order: Known())\n")
    for entry, key, least, most in (({"prompt": 4, "decode": 4, "batch": 2}, "decode_s", 0.2, 0.6), ({"prompt": 4, "decode": 0, "batch": 1}, "prompt_s", 0.2, 0.6),
                                    ({"texts": ["a", "b", "c"], "batch": 2}, "texts_s", [0.1, 0.1], [0.4, 0.4])):
        run = subprocess.run([sys.executable, path, json.dumps({"measure": [entry]})], capture_output=True, text=True, timeout=60, env=environment(PYTHONPATH=PEERS))
        answer = json.loads(run.stdout) if check(run.returncode == 0, f"{entry}: {run.stderr[-500:]}") else {key: None}
        check(answer[key] is not None and least <= answer[key] <= most, f"{entry}: {answer}")


def check_first(home):
    """A first token is the median of processes, and the slow one before them, which fills the page cache, is not among them."""
    path, log = os.path.join(home, "run_first.py"), os.path.join(home, "log")
    with open(path, "w", encoding="utf-8") as f:
        f.write("import os\nimport time\nimport runner\n\n\nclass Known:\n    version, vocab = 'known 1', 100\n\n    def begin(self, ids):\n"
                f"        with open({log!r}, 'a+') as f:\n            f.write(str(os.getpid()) + chr(10))\n            f.seek(0)\n            n = len(f.readlines())\n"
                "        time.sleep((2, 0.8, 0, 0.4, 0, 1.2)[n - 1])\n\n\nrunner.main(lambda order: Known())\n")
    run = subprocess.run([sys.executable, path, json.dumps({"measure": [{"first": 22}]})], capture_output=True, text=True, timeout=60, env=environment(PYTHONPATH=PEERS))
    answer = json.loads(run.stdout) if check(run.returncode == 0, f"first: {run.stderr[-500:]}") else {"first_s": 0}
    check(0.4 <= answer["first_s"] < 0.8, f"the median of 0, 0, 0.4, 0.8 and 1.2 seconds: {answer}")
    with open(log, encoding="ascii") as f:
        check(len(set(f.read().split())) == 6, "each is a process of its own")


def sample(engine, entry, threads, answer, **asked):
    return {"section": "s", "engine": engine, "entry": entry, "threads": threads, "others": 0, "disturbed": asked.pop("disturbed", False), "asked": {"prompt": 100, "decode": 10, "batch": 2} | asked, "answer": answer}


def check_table():
    peaks = [{"threads": 1, "isa": isa, "type": kind, "gflop_per_s": {"median": rate, "min": 1, "max": 2 * rate}} for isa, kind, rate in (("avx512", "f32", 240), ("avx512_bf16", "bf16", 100), ("avx512_fp16", "f16", 480))]
    ours = {"decode_s": 1, "peak_share": 0.5, "bandwidth_share": 1.25, "peak_moved": True, "bandwidth_moved": False, "memory_share": 1.02, "type": "bf16", "machine": {"read": [], "peaks": peaks}}
    run = {"date": "2026-01-02", "command": "c", "minutes": 1, "commit": "abc", "versions": {"tern": "1"}, "missing": {"p": "q"},
           "machine": {"cpu": "A CPU", "family": 6, "model": 1, "cores": 2, "memory_gib": 1, "isa": ["avx2"], "kernel": "6"},
           "samples": [sample("tern", "e", 1, ours | {"prompt_s": s}) for s in (1, 2, 4)]
           + [sample("x", "e", 1, {"prompt_s": 4, "decode_s": 0.5}), sample("y", "e", 1, {"prompt_s": 3, "decode_s": 5}, disturbed=True)]}
    rows = (
        # figure, must, aim, below, the row's end, why
        ("prompt", 1.5, 1.6, False, "| 100 (50..200) | y 66.67 | 1.5 | 1.5 | 1.6 | yes (disturbed) |", "the median of three by the better of two peers, just reached"),
        ("prompt", 1.2, 1.4, False, "| 1.5 | 1.2 | 1.4 | aim (disturbed) |", "better than the aim"),
        ("decode", 1, None, False, "| 20 (20..20) | x 40 | 0.5 | 1 | – | NO (disturbed) |", "half a peer's speed"),
        ("peak_share", {1: 0.4}, None, False, "| 0.5 | 0.4 | – | yes (disturbed, limit moved) |", "a mark for one thread count, of a peak that moved"),
        ("bandwidth_share", 0.9, None, False, "| 1.25 | 0.9 | – | yes (disturbed, above the limit) |", "a share that cannot be, of a bandwidth that did not move"),
        ("instruction_share", 0.78, 1.5, False, "| 1.2 | 0.78 | 1.5 | yes (disturbed, limit moved) |", "half the peak of f32 is 1.2 of bf16's own"),
        ("memory_share", 1.05, 1.01, True, "| 1.02 | ≤ 1.05 | ≤ 1.01 | yes (disturbed) |", "something to stay below"),
        ("memory_share", 1.01, None, True, "| 1.02 | ≤ 1.01 | – | NO (disturbed) |", "too much of it"),
    )
    for figure, must, aim, below, end, why in rows:
        text = report.text(run, [{"what": "w", "section": "s", "entry": "e", "figure": figure, "must": must, "aim": aim, "peers": ("x", "y"), "below": below}])
        line = next((line for line in text.splitlines() if line.startswith("| w |")), "")
        check(line.endswith(end), f"{why}: {line}")
    text = report.text(run, [])
    check("1 of 5 measurements were disturbed" in text and "Not measured: p (q)" in text, f"the head: {text}")
    check(abs(report.cosine([1, 0], [1, 1]) - 0.5 ** 0.5) < 1e-12, "a cosine of 45 degrees")


def main():
    with folder() as home:
        check_checkpoints(home)
        check_heads()
        check_run(home)
        check_refusals(home)
        check_runner(home)
        check_first(home)
    check_table()
    finish()


main()
