"""tern, by its own program: the same order as the other runners get, answered through `tern bench --json` and `tern embed`. Needs nothing but Python.

    run_tern.py '{"tern": build/tern, "model": DIR, "type": "bf16", "threads": 1, "measure": [...]}'

An entry's answer carries what `tern bench` says of the limits around it, too, and the shares of them; that of a first token "memory_share", of weights and cache. With "config" instead of "model" the weights are
random ones of that shape. "type": "fastest" is that of f32, bf16 and f16 whose multiply-adds `tern bench` finds the fastest here; the answer says which. "beside": true in an entry measures it while another process computes on one core without end.
"""
import json
import subprocess
import sys
import time


LONG_S = 4    # about what the texts of a measurement take
OF_A_ROW = ("peak_share", "bandwidth_share", "peak_gflop_per_s", "bandwidth_gb_per_s", "peak_moved", "bandwidth_moved", "disturbed")


def tern(order, *arguments, **more):
    run = subprocess.run([order["tern"], *map(str, arguments), "--threads", str(order["threads"]), "--compute", order["type"]], capture_output=True, text=True, **more)
    if run.returncode:
        raise SystemExit(f"tern {arguments[0]}: {run.stderr.strip()}")
    return run.stdout


def bench(order, prompt, decode, batches):
    """The rows of one `tern bench`, a batch each, and its document. Of several sequences each has a share of the prompt's tokens."""
    model = ["--config", order["config"], "--context", prompt + decode + 64] if "config" in order else ["-m", order["model"]]
    document = json.loads(tern(order, "bench", *model, "-p", prompt, "-n", decode, "-b", ",".join(map(str, batches)), "--json"))
    return document["results"], document


def generated(order, entries):
    """All entries from one run, whose prompt is that of the longest."""
    rows, document = bench(order, max(e["prompt"] for e in entries), max(e["decode"] for e in entries) or 1, sorted({e["batch"] for e in entries}))
    for entry in entries:
        row, = [r for r in rows if r["batch"] == entry["batch"]]
        answer = {"prompt_s": entry["batch"] * entry["prompt"] / row["prompt_tokens_per_s"], "decode_s": entry["batch"] * entry["decode"] / row["decode_tokens_per_s"],
                  "machine": document["machine"]}
        yield answer | {key: row[key] for key in OF_A_ROW}


def first_token(order):
    """Nothing where the weights are random ones: no process starts with them."""
    for first in bench(order, 16, 1, [1])[1]["first_token"]:
        yield {"first_s": first["ms"]["median"] / 1e3, "memory_share": first["memory_bytes"] / (first["weight_bytes"] + first["kv_bytes"]), "peak_mb": first["memory_bytes"] / 2**20,
               "disturbed": first["disturbed"]}


def fastest(order):
    """The type of the highest peak on this machine."""
    peaks = bench(order | {"type": "f32"}, 16, 1, [1])[1]["machine"]["peaks"]
    return max(peaks, key=lambda p: p["gflop_per_s"]["median"])["type"]


def lines(order, texts):
    """Seconds and vectors of a whole process that reads texts and writes vectors."""
    begin = time.perf_counter()
    out = tern(order, "embed", "-m", order["model"], "--normalize", "--json", input="\n".join(texts) + "\n")
    return time.perf_counter() - begin, [json.loads(line)["embedding"] for line in out.splitlines()]


def embedded(order, entry):
    """At once: what more texts cost a process, tokenizing, reading and writing included. One after another: a call's time as `tern bench` has it, from ids."""
    texts, batch = entry["texts"], entry["batch"]
    few_s, vectors = lines(order, texts[:batch])
    if batch == 1:
        row, = bench(order, entry["tokens"], 1, [1])[0]
        return {"texts_s": [row["call_ms"] / 1e3], "vectors": vectors, "disturbed": row["disturbed"]}
    n = max(2, min(40, round(LONG_S / few_s)))
    many_s, vectors = lines(order, (texts * (n + 1))[:batch * (n + 1)])
    return {"texts_s": [(many_s - few_s) / n], "vectors": vectors[:4]}


def measure(order, entries):
    """Entries that `tern bench` can answer together are."""
    if "texts" in entries[0]:
        return [embedded(order, entry) for entry in entries]
    if "first" in entries[0]:
        return first_token(order)
    if len({e["prompt"] for e in entries}) > 1 and len({e["batch"] for e in entries}) == 1 or any(e.get("beside") for e in entries):
        return [answer for entry in entries for answer in alone_or_beside(order, entry)]
    return generated(order, entries)


def alone_or_beside(order, entry):
    if not entry.get("beside"):
        return list(generated(order, [entry]))
    busy = subprocess.Popen([sys.executable, "-c", "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"])
    try:
        return list(generated(order, [entry]))
    finally:
        busy.kill()
        busy.wait()


def version(order):
    run = subprocess.run([order["tern"], "--version"], capture_output=True, text=True)
    return run.stdout.strip()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["type"] == "fastest":
        given["type"] = fastest(given)
    for found in measure(given, given["measure"]):
        print(json.dumps(found | {"version": version(given), "type": given["type"]}), flush=True)
