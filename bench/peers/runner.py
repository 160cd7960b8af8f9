"""What every engine's runner shares: the order it gets, the same random prompts, the clock, and the line it answers for each measurement.

    run_ENGINE.py '{"model": PATH, "type": "bf16", "threads": 1, "measure": [{"prompt": 512, "decode": 0, "batch": 1}, ...]}'

answers a line of JSON for each entry of "measure", in its order. Entries are of three kinds:

    {"prompt": P, "decode": N, "batch": B}      B prompts of P random ids, then N more tokens each    -> {"prompt_s", "decode_s"}
    {"first": P}                                from opening the model to the first token after P ids, the median of five processes -> {"first_s"}
    {"texts": [...], "batch": B}                texts to vectors, B at once; B = 1: one after another -> {"texts_s": [...], "vectors"}

Seconds are of this measurement alone; the model is open and has run a short prompt before. An engine is a class with `version`, `vocab`, and what it can do: `begin(ids)`,
which runs the prompts and picks each one's next token, `step()`, which decodes one token of each (or `generate(ids, n)` for both), where it has one `prepare(entry)`, outside the clock, and `encode(texts)`, which returns a list of vectors.
"""
import json
import random
import resource
import subprocess
import sys
import time


SHORT_S = 5    # what took less is measured once more, and the better one counts
FIRST_RUNS = 5


def prompts(vocab, batch, length, seed):
    draw = random.Random(f"{batch} {length} {seed}")
    return [[draw.randrange(10, vocab) for _ in range(length)] for _ in range(batch)]


def timed(call, *args):
    begin = time.perf_counter()
    result = call(*args)
    return time.perf_counter() - begin, result


def steps(engine, n):
    for _ in range(n):
        engine.step()


def generate(engine, entry, seed):
    ids = prompts(engine.vocab, entry["batch"], entry["prompt"], seed)
    if hasattr(engine, "generate"):
        return engine.generate(ids, entry["decode"])
    prompt_s, _ = timed(engine.begin, ids)
    decode_s, _ = timed(steps, engine, entry["decode"])
    return {"prompt_s": prompt_s, "decode_s": decode_s}


def encode(engine, entry):
    """The texts in batches, each batch timed; the vectors of the first few go along, to be compared."""
    texts, batch = entry["texts"], entry["batch"]
    took, vectors = [], []
    for at in range(0, len(texts), batch):
        seconds, found = timed(engine.encode, texts[at:at + batch])
        took.append(seconds)
        vectors += [[float(f"{x:.8g}") for x in v] for v in found] if len(vectors) < 4 else []
    return {"texts_s": took, "vectors": vectors[:4]}


def measure(engine, entry, seed):
    if "texts" in entry:
        engine.encode(entry["texts"][:2])
        return encode(engine, entry)
    if hasattr(engine, "prepare"):
        engine.prepare(entry)
    found = generate(engine, entry, seed)
    if found["prompt_s"] + found["decode_s"] < SHORT_S:    # the first call of a shape may allocate and compile
        again = generate(engine, entry, seed + 1)
        found = {key: min(found[key], again[key]) for key in found}
    return found


def open_and_begin(open_engine, order, length):
    engine = open_engine(order)
    if hasattr(engine, "begin"):
        engine.begin(prompts(engine.vocab, 1, length, 0))
    return engine


def process(order, entry):
    """This runner again, in a process of its own: its answer. The clock starts there when the model is opened, so the start of Python and its packages is left out."""
    run = subprocess.run([sys.executable, sys.argv[0], json.dumps(order | {"measure": [entry | {"process": True}]})], capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout)


def first(order, entry):
    """The median of processes; one before them brings the weights into the page cache."""
    found = [process(order, entry) for _ in range(1 + FIRST_RUNS)][1:]
    return sorted(found, key=lambda a: a["first_s"])[FIRST_RUNS // 2]


def main(open_engine):
    order = json.loads(sys.argv[1])
    engine = None
    for entry in order["measure"]:
        if "first" in entry and not entry.get("process"):
            print(json.dumps(first(order, entry)), flush=True)
        elif "first" in entry:
            seconds, engine = timed(open_and_begin, open_engine, order, entry["first"])
            answer(engine, {"first_s": seconds})
        else:
            engine = engine or open_and_begin(open_engine, order, 8)
            answer(engine, measure(engine, entry, order.get("seed", 1)))


def answer(engine, result):
    print(json.dumps(result | {"version": engine.version, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
