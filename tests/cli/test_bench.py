"""tern bench on the demo model and on small shapes: what its documents hold, that its figures fit together, its picture, and what it leaves behind.

labels: bench
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

from rig import ROOT, TERN, check, document, environment, finish, folder, one_sentence, tern

SMALL = ("-p", "48", "-n", "6")
MIXTRAL = {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2,
           "num_hidden_layers": 2, "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 256, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
           "hidden_act": "silu", "tie_word_embeddings": False, "sliding_window": None}
BERT = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 256,
        "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0}


def near(a, b, within=1e-6):
    return abs(a - b) <= within * max(abs(a), abs(b))


def ordered(spread):
    return 0 < spread["min"] <= spread["median"] <= spread["max"]


def check_machine(machine, threads):
    check(machine["cpu"] and machine["isa"], "the machine has a name and an instruction set")
    check([r["threads"] for r in machine["read"]] == threads, f"bandwidth for each thread count: {machine['read']}")
    check(all(ordered(r["gb_per_s"]) for r in machine["read"]), "bandwidths have a spread")
    peaks = machine["peaks"]
    sets = {s["name"] for s in document("ops", "--json")["instruction_sets"] if s["usable"]}
    check({p["isa"] for p in peaks} <= sets, "peaks are of sets that this machine runs")
    for isa in sets & {"scalar", "avx2", "avx512"}:
        check([p["threads"] for p in peaks if p["isa"] == isa and p["type"] == "f32"] == threads, f"{isa}: an f32 peak for each thread count")
    for isa in sets & {"avx512_bf16", "amx"}:
        check([p["threads"] for p in peaks if p["isa"] == isa and p["type"] == "bf16"] == threads, f"{isa}: a bf16 peak for each thread count")
    for isa in sets & {"avx512_fp16"}:
        check([p["threads"] for p in peaks if p["isa"] == isa and p["type"] == "f16"] == threads, f"{isa}: an f16 peak for each thread count")
    check(all(ordered(p["gflop_per_s"]) for p in peaks), "peaks have a spread")


def check_limits(row, machine, message):
    """Those around a row are of the instruction with the highest median, up to the set in use, and no others than the machine's but for noise."""
    best = max((p for p in machine["peaks"] if p["threads"] == row["threads"] and p["type"] in ("f32", row["peak_type"])), key=lambda p: p["gflop_per_s"]["median"])
    check((best["isa"], best["type"]) == (row["peak_isa"], row["peak_type"]), f"{message}: the best instruction: {row['peak_isa']} {row['peak_type']}, not {best}")
    read, = [r for r in machine["read"] if r["threads"] == row["threads"]]
    for around, alone, name in ((row["peak_gflop_per_s"], best["gflop_per_s"], "peak"), (row["bandwidth_gb_per_s"], read["gb_per_s"], "bandwidth")):
        check(ordered(around) and alone["median"] / 5 < around["median"] < alone["median"] * 5, f"{message}: the {name} around it is {around}, and {alone} before")
        apart = around["max"] - around["min"] > 0.1 * around["median"]
        check(row[name + "_moved"] in ((False, True) if apart else (False,)), f"{message}: a {name} that moved: {row[name + '_moved']} of {around}")


def check_row(row, model, machine):
    message = f"row {row['threads']} threads, batch {row['batch']}, prompt {row['prompt_tokens']}"
    check(ordered(row["prompt_spread"]) and ordered(row["decode_spread"]), f"{message}: spreads")
    check(row["prompt_tokens_per_s"] == row["prompt_spread"]["median"] and row["decode_tokens_per_s"] == row["decode_spread"]["median"], f"{message}: the figures are medians")
    check_limits(row, machine, message)
    peak, read = row["peak_gflop_per_s"]["median"], row["bandwidth_gb_per_s"]["median"]
    check(near(row["peak_share"], row["prompt_tokens_per_s"] * row["prompt_flops_per_token"] / peak / 1e9), f"{message}: the share of the peak is rate times work over peak")
    check(near(row["bandwidth_share"], row["decode_tokens_per_s"] * row["decode_bytes_per_token"] / read / 1e9), f"{message}: so is that of the bandwidth")
    check(near(row["decode_peak_share"], row["decode_tokens_per_s"] * row["decode_flops_per_token"] / peak / 1e9), f"{message}: and decoding's of the peak")
    check(isinstance(row["disturbed"], bool), f"{message}: says whether it was disturbed")
    context = row["prompt_tokens"] + (row["decode_tokens"] + 1) // 2
    if model["architecture"] == "LlamaForCausalLM":
        check(near(row["decode_bytes_per_token"], model["read_bytes_per_token"] / row["batch"] + context * model["kv_bytes_per_token"]), f"{message}: weights once a step, keys and values of each")
    check(model["flops_per_token"] < row["decode_flops_per_token"] < 1.5 * model["flops_per_token"], f"{message}: attention counts, too")


def check_demo():
    d = document("bench", *SMALL, "--repeat", "2", "-b", "1,4", "--threads", "1,2", "--json")
    check(set(d) == {"machine", "model", "first_token", "results", "disturbed"}, f"the document's keys: {sorted(d)}")
    check_machine(d["machine"], [1, 2])
    check(d["model"]["architecture"] == "LlamaForCausalLM" and d["model"]["compute"] == "bf16", "the model")
    rows = [(r["threads"], r["batch"], r["prompt_tokens"], r["decode_tokens"]) for r in d["results"]]
    check(rows == [(1, 1, 48, 6), (1, 4, 16, 6), (2, 1, 48, 6), (2, 4, 16, 6)], f"a row for each thread count and batch, of at least 16 tokens each: {rows}")
    for row in d["results"]:
        check_row(row, d["model"], d["machine"])
    check([f["threads"] for f in d["first_token"]] == [1, 2], "a first token for each thread count")
    for f in d["first_token"]:
        check(f["prompt_tokens"] == 22 and ordered(f["ms"]) and ordered(f["process_ms"]), "a first token has a spread")
        check(f["ms"]["median"] <= f["process_ms"]["max"], "a process ends after its first token")
        check(ordered(f["memory_spread"]) and near(f["memory_spread"]["max"], f["memory_bytes"]), "its memory has a spread, and is the most of it")
        check(f["memory_bytes"] > f["weight_bytes"] > 9e6 and f["kv_bytes"] > 0, "all weights were in memory, and more")


def check_lists():
    d = document("bench", "-p", "16,40", "-n", "4", "-b", "2,1", "--repeat", "1", "--threads", "1", "--json")
    rows = [(r["batch"], r["prompt_tokens"]) for r in d["results"]]
    check(rows == [(2, 16), (1, 16), (2, 20), (1, 40)], f"lengths, and in each the batches, in the order given: {rows}")
    check([r["threads"] for r in d["machine"]["read"]] == [1], "one thread is measured once")
    check(tern("bench", "-p", "16", "-n", "2", "-b", "1", "--repeat", "1", "--threads", "3").returncode == 0, "more threads than there may be cores")


def check_shapes(place):
    def shape(config, *flags):
        path = os.path.join(place, "shape.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        return document("bench", "--config", path, "--repeat", "1", "--threads", "1", "--json", *flags, env=environment(TMPDIR=place))
    d = shape(MIXTRAL, "-p", "32", "-n", "4", "-b", "1,8,32")
    check(not d["first_token"], "random weights are in no file, so no process starts with them")
    for row in d["results"]:
        check_row(row, d["model"], d["machine"])
    each = 2 * 3 * 64 * 96 * 2    # bytes of one expert: gate, up and down, in two layers, of bf16
    for row in d["results"]:
        reached = 8 * (1 - (1 - 2 / 8) ** row["batch"])
        wanted = (d["model"]["read_bytes_per_token"] + each * (reached - 2)) / row["batch"] + (row["prompt_tokens"] + 2) * d["model"]["kv_bytes_per_token"]
        check(near(row["decode_bytes_per_token"], wanted, 1e-3), f"batch {row['batch']}: experts that even routing reaches: {row['decode_bytes_per_token']}, not {wanted}")
    d = shape(BERT, "-p", "8,24", "-b", "1,3")
    rows = [(r["batch"], r["prompt_tokens"]) for r in d["results"]]
    check(rows == [(1, 8), (3, 8), (1, 24), (3, 24)], f"an encoder's rows: {rows}")
    for row in d["results"]:
        check_limits(row, d["machine"], f"{row['batch']} sentences of {row['prompt_tokens']}")
        check(ordered(row["sentences_spread"]) and near(row["sentences_per_s"], row["batch"] / row["call_ms"] * 1e3), "sentences a second and the time of a call are one figure")
        n = row["prompt_tokens"]
        linear, attention = 2 * n * 2 * (4 * 64 * 64 + 2 * 64 * 128), 4 * 2 * 64 * n * n
        check(linear + attention <= row["flops_per_sentence"] <= 1.1 * (linear + attention) + 2 * n * 64 * 64, f"work of a sentence of {n}: {row['flops_per_sentence']}")
    check(os.listdir(place) == ["shape.json"], f"nothing is left behind: {os.listdir(place)}")
    with open(os.path.join(place, "shape.json"), "w", encoding="utf-8") as f:
        json.dump(dict(BERT, num_attention_heads=5), f)
    run = tern("bench", "--config", os.path.join(place, "shape.json"), env=environment(TMPDIR=place))
    one_sentence(run, "a shape that cannot be")
    check(b"shape.json" in run.stderr and b"tern-bench-" not in run.stderr, f"the sentence names the file that was given: {run.stderr}")
    check(os.listdir(place) == ["shape.json"], f"nothing is left behind: {os.listdir(place)}")
    os.remove(os.path.join(place, "shape.json"))


def check_failing(place):
    """What can be seen to fail is refused before anything is measured; what was measured before a failure is not lost."""
    run = tern("bench", "-p", "16,2000", "-n", "2", "-b", "1", "--repeat", "1", "--threads", "1")
    one_sentence(run, "a prompt that the model has no positions for, behind one that it has")
    check(b"2000" in run.stderr and b"1024" in run.stderr, f"the sentence has both figures: {run.stderr}")
    path = os.path.join(place, "shape.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(BERT, f)
    run = tern("bench", "--config", path, "-p", "16,100", "-b", "1", "--repeat", "1", "--threads", "1", "--json", env=environment(TMPDIR=place))
    check(run.returncode == 1 and b"100 tokens" in run.stderr and b"64" in run.stderr, f"a sentence that is too long: {run.returncode}, {run.stderr}")
    check([row["prompt_tokens"] for row in json.loads(run.stdout)["results"]] == [16], f"the row before it is there: {run.stdout[-300:]}")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(dict(MIXTRAL, hidden_size=16384, intermediate_size=65536, num_hidden_layers=300), f)
    begin = time.time()
    run = tern("bench", "--config", path, "--threads", "1", env=environment(TMPDIR=place))
    one_sentence(run, "a shape that no memory holds")
    weights = 300 * (8 * 3 * 16384 * 65536 + (16384 + 8192) * 2 * 16384 + 8 * 16384 + 2 * 16384) + (2 * 256 + 1) * 16384
    check(f" {2 * weights} bytes".encode() in run.stderr and b"available" in run.stderr, f"both figures, {2 * weights}: {run.stderr}")
    check(time.time() - begin < 60, "before they are drawn")
    os.remove(path)


def check_picture(place):
    path = os.path.join(place, "a.svg")
    with open(path, "w", encoding="utf-8") as f:
        f.write("x" * 1000000)
    d = document("bench", *SMALL, "--repeat", "1", "-b", "1,4,8", "--threads", "1,2", "--svg", path, "--json")
    root = xml.parse(path).getroot()
    dots = [e for e in root.iter() if e.get("class") == "dot"]
    check(len(dots) == 8, f"a dot for each decoding row, and one for each prompt: {len(dots)}")
    titles = [e.findtext("{http://www.w3.org/2000/svg}title") for e in dots]
    for row in d["results"]:
        name = f"decode x{row['batch']} at 16, " if row["batch"] > 1 else "decode at 48, "
        check(any(t.startswith(name) and f" {row['threads']} thread" in t for t in titles), f"a dot for {name}{row['threads']} threads: {titles}")
    width, height = float(root.get("width")), float(root.get("height"))
    texts = [e for e in root.iter("{http://www.w3.org/2000/svg}text")]
    inside = all(0 <= float(e.get("x")) <= width and 0 <= float(e.get("y")) <= height for e in texts)
    check(inside and len(texts) > 20, "message are inside the picture")
    message = [e.text for e in texts]
    check(any("1 thread: " in w and "GB/s" in w for w in message) and any("2 threads: " in w and "GB/s" in w for w in message), "the slopes have names")
    for p in d["machine"]["peaks"]:
        check(p["isa"] == "scalar" or any(w.startswith(f"{p['isa']} {p['type']}, {p['threads']} thread") for w in message), f"a roof for {p['isa']}, {p['threads']} threads")
    boxes = [(float(e.get("x")) - 3.5 * len(e.text), float(e.get("y")) - 11, float(e.get("x")) + 3.5 * len(e.text), float(e.get("y")) + 4)
             for e in texts if e.get("text-anchor") == "middle" and e.get("fill", "").startswith("#") and e.get("fill") not in ("#fff", "#444", "#000")]
    over = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
    check(len(boxes) >= 10 and not over, f"no name lies on another: {over}")
    os.remove(path)
    one_sentence(tern("bench", "-m", "/nonexistent", "--svg", path), "a picture of nothing")
    check(os.listdir(place) == [], f"a picture that was not drawn is not there: {os.listdir(place)}")


def check_signals(place):
    for number in (signal.SIGINT, signal.SIGTERM):
        path = os.path.join(place, "a.svg")
        child = subprocess.Popen([TERN, "bench", "--config", os.path.join(ROOT, "bench", "shapes", "gpt2-124m.json"), "--svg", path, "-p", "16", "-n", "100000", "--context", "1024"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(TMPDIR=place))
        deadline = time.time() + 60
        while not any(name.startswith("tern-bench-") for name in os.listdir(place)) and time.time() < deadline and child.poll() is None:
            time.sleep(0.001)
        time.sleep(0.05)
        child.send_signal(number)
        child.send_signal(number)    # as the terminal and a parent may do at once
        check(child.wait(timeout=60) == -number, f"{number.name} ends it")
        check(os.listdir(place) == [], f"{number.name} leaves nothing behind: {os.listdir(place)}")


def check_kernels():
    for flags, names in ((("--kernels", "silu_row"), {"silu_row"}), (("--kernels", "gemm_nn", "-b", "1"), {"gemm_nn_f32", "gemm_nn_bf16", "gemm_nn_f16", "gemm_nn_bf16_bf16"})):
        d = document("bench", *flags, "--isa", "scalar", "--json")
        check({k["name"] for k in d["kernels"]} == names and all(k["isa"] == "scalar" for k in d["kernels"]), f"{flags}: the kernels asked for: {d['kernels'][:2]}")
        check(all(ordered(k["us"]) and k["why"] and k["threads"] == 1 for k in d["kernels"]), f"{flags}: each has its times and its reason")
    check(all(re.match(r"1 x \d+ x \d+$", k["shape"]) for k in d["kernels"]) and d["kernels"], "-b chooses the rows")
    check(all(near(k["gflop_per_s"]["median"], 2e-3 * eval(k["shape"].replace("x", "*")) / k["us"]["median"]) for k in d["kernels"]), "work over time is the rate")
    check(tern("bench", "--kernels", "relu_row", "--isa", "scalar").stdout.count(b"relu_row") == 1, "as a table, too")
    absent = [s["name"] for s in document("ops", "--json")["instruction_sets"] if not s["usable"]]
    for isa in absent:
        one_sentence(tern("bench", "--kernels", "relu_row", "--isa", isa), f"{isa}, which this machine lacks")


def check_ops():
    d = document("bench", "--ops", "bias_", "--threads", "2,1", "--isa", "scalar", "--json")
    check({o["name"] for o in d["ops"]} == {"bias_add", "bias_gelu", "bias_relu", "bias_residual"}, f"the ops asked for: {d['ops']}")
    check([o["threads"] for o in d["ops"]] == [2] * 4 + [1] * 4 and all(o["isa"] == "scalar" for o in d["ops"]), "each by each thread count")
    check(all(ordered(o["us"]) and ordered(o["gflop_per_s"]) and o["why"] for o in d["ops"]), "each has its times, its rate and its reason")
    add = d["ops"][0]
    check(add["shape"] == "bf16 512 x 2048" and near(add["gflop_per_s"]["median"], 512 * 2048 * 1e-3 / add["us"]["median"]), "an addition an element")


def check_disturbed():
    """Others that use every CPU are noticed, in one line and in the document; nothing else is said off a terminal."""
    with open("/proc/stat", encoding="ascii") as f:
        if not any(map(int, f.readline().split()[1:4])):
            print("this system does not say what its CPUs do: not tested")
            return
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    run = tern("bench", *SMALL, "--repeat", "1", "-b", "1", "--threads", "1", "--json")
    for process in busy:
        process.kill()
        process.wait()
    text = run.stderr.decode()
    check(run.returncode == 0 and json.loads(run.stdout)["disturbed"] is True, f"busy neighbours are noticed: {run.stdout[-300:]}")
    check(text.count("\n") == 1 and text.startswith("tern: warning: other processes"), f"in one line: {text!r}")


def main():
    check_demo()
    check_lists()
    with folder() as place:
        check_shapes(place)
        check_failing(place)
        check_picture(place)
        check_signals(place)
    check_kernels()
    check_ops()
    check_disturbed()
    finish()


main()
