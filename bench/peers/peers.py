#!/usr/bin/python3
"""tern and its peers in turn, and a table of ratios.

    bench/peers/peers.py [--sections a,b] [--threads 1,2] [--rounds N] [--tern build/tern] [--home build-peers] [--log FOLDER]

Engines whose packages are missing from HOME/venv are left out and named; bench/README.md says how to install them. In each round every engine has its turn, as a process of its own. The
table goes to stdout, what is going on to stderr. $BENCH_PREFIX is put before the command of each slice of the run, about a minute, for a machine that is shared by a lock.
"""
import argparse
import datetime
import json
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import report    # noqa: E402
from marks import MARKS, SECTIONS, TERN    # noqa: E402

MOST_OTHERS = 0.05    # of all cores: what other processes may take before a measurement counts as disturbed
TRIES = 3

RUN = ("date", "command", "commit", "machine", "minutes", "versions", "missing", "samples")

PACKAGES = {"run_torch.py": "torch, transformers", "run_sentence.py": "torch, sentence_transformers", "run_ct2.py": "ctranslate2, tokenizers", "run_ort.py": "onnxruntime, tokenizers",
            "run_llama.py": "llama_cpp, gguf"}


def say(*message):
    print(*message, file=sys.stderr, flush=True)


# ---- One measurement, watched ----

def busy_seconds():
    """What all processes and the hypervisor's other guests have taken of the CPUs so far."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, idle, wait, irq, soft, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def watched(command):
    """Runs a runner to its end: its answers, and the share of the machine that others took meanwhile."""
    begin, busy, before = time.perf_counter(), busy_seconds(), resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    wall, busy, own = time.perf_counter() - begin, busy_seconds() - busy, resource.getrusage(resource.RUSAGE_CHILDREN)
    others = max(0.0, busy - own.ru_utime - own.ru_stime + before.ru_utime + before.ru_stime) / wall / os.cpu_count()
    answers = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return {"answers": answers, "others": others, "wall_s": wall, "error": None if run.returncode == 0 else run.stderr.strip()[-400:] or f"exit status {run.returncode}"}


def slice_of(commands):
    """The commands one after another, in one process below $BENCH_PREFIX; None for those that it did not come to."""
    whole = shlex.split(os.environ.get("BENCH_PREFIX", "")) + [sys.executable, os.path.abspath(__file__), "--slice"]
    run = subprocess.run(whole, input=json.dumps(commands), capture_output=True, text=True)
    results = [json.loads(line) for line in run.stdout.splitlines() if line.endswith("}")]
    if run.stderr:
        say(f"    {run.stderr.strip()[-300:]}")
    return results + [None] * (len(commands) - len(results))


def measured(commands):
    """A result for each command: all in one slice, and those again that were disturbed, or that the slice was ended before."""
    results = slice_of(commands)
    for _ in range(TRIES - 1):
        for i, (command, result) in enumerate(zip(commands, results)):
            if result and (result["error"] or result["others"] <= MOST_OTHERS):
                continue
            say(f"    others took {result['others']:.0%} of the machine: once more" if result else "    cut short: by itself")
            again, = slice_of([command])
            if again and (not result or again["others"] < result["others"]):
                results[i] = again
    return [r or {"answers": [], "others": 0.0, "wall_s": 0.0, "error": "it was ended from outside"} for r in results]


# ---- The run ----

class Bench:
    def __init__(self, options):
        self.options, self.samples, self.versions, self.missing, self.found = options, [], {}, {}, {}
        self.python = os.path.join(options.home, "venv", "bin", "python")

    def installed(self, runner):
        if runner == "run_tern.py" or not os.path.exists(self.python):
            return runner == "run_tern.py"
        if runner not in self.found:
            self.found[runner] = subprocess.run([self.python, "-c", f"import {PACKAGES[runner]}"], capture_output=True).returncode == 0
        return self.found[runner]

    def made(self, shape, form):
        """A model's path, made first where it is not there. Without the venv nothing can be made, and tern alone measures the shape with random weights of its own."""
        path = os.path.join(self.options.home, "models", shape, form)
        if not os.path.exists(path) and os.path.exists(self.python):
            run = subprocess.run(shlex.split(os.environ.get("BENCH_MAKE_PREFIX", "")) + [self.python, os.path.join(HERE, "models.py"), os.path.join(ROOT, "bench", "shapes", shape + ".json"),
                                 os.path.join(self.options.home, "models"), form], capture_output=True, text=True)
            if run.returncode:
                say(f"{path}: {run.stderr.strip()[-300:]}")
        return path if os.path.exists(path) else None

    def order(self, name, section, engine, threads, seed):
        """What a runner gets; None where its model cannot be made."""
        shape = section["shape"]
        config = os.path.join(ROOT, "bench", "shapes", shape + ".json")
        with open(config, encoding="utf-8") as f:
            keys = json.load(f)
        encoder = keys["model_type"] == "bert"
        order = {"type": engine["type"], "threads": threads, "seed": seed, "vocab": keys["vocab_size"], "tern": self.options.tern}
        path = None if section.get("random") else self.made(shape, engine["form"])
        if path:
            order["model"] = path
        elif engine["runner"] == "run_tern.py" and not encoder and "first" not in section["measure"]:    # a first token needs weights in a file
            order["config"] = config
        else:
            self.missing[f"{name} for {shape}"] = "its model could not be made"
            return None
        if encoder:
            order["tokenizer"] = self.made(shape, "hf")
            with open(os.path.join(order["tokenizer"], "vocab.txt"), encoding="utf-8") as f:
                return order | {"entries": section["measure"]([line.strip() for line in f])}
        return order | {"entries": section["measure"]}

    def section(self, name, turn):
        """One round of a section: every thread count, every engine that is installed."""
        section = SECTIONS[name]
        if turn >= section.get("rounds", self.options.rounds):
            return
        engines = {}
        for engine, how in section["engines"].items():
            if self.installed(how["runner"]):
                engines[engine] = how
            else:
                self.missing[engine] = PACKAGES[how["runner"]]
        for threads in section.get("threads", self.options.threads):
            orders = {engine: self.order(engine, section, how, threads, turn) for engine, how in engines.items()}
            orders = {engine: order for engine, order in orders.items() if order}
            for part in [[engine] for engine in orders] if threads in section.get("apart", ()) else [list(orders)]:
                self.turn(name, turn, {engine: orders[engine] for engine in part}, engines)

    def turn(self, name, turn, orders, engines):
        """One slice: the engines of orders one after another."""
        for engine, order in orders.items():
            order["measure"] = list(order["entries"].values())
        results = measured([self.command(order, engines[engine]["runner"]) for engine, order in orders.items()])
        for (engine, order), result in zip(orders.items(), results):
            failed = f"  FAILED {result['error']}" if result["error"] else ""
            say(f"  {name}, round {turn + 1}, threads {order['threads']}, {engine}: {result['wall_s']:.0f} s{failed}")
            for (entry, asked), answer in zip(order["entries"].items(), result["answers"]):
                self.add(name, engine, entry, order["threads"], asked, answer, result["others"])

    def command(self, order, runner):
        python = sys.executable if runner == "run_tern.py" else self.python
        return [python, os.path.join(HERE, runner), json.dumps({key: value for key, value in order.items() if key != "entries"})]

    def add(self, section, engine, entry, threads, asked, answer, others):
        self.versions[engine] = answer.pop("version")
        asked = {key: value if key != "texts" else len(value) for key, value in asked.items()}
        disturbed = (others > MOST_OTHERS or answer.get("disturbed", False)) and not asked.get("beside")
        self.samples.append({"section": section, "engine": engine, "entry": entry, "threads": threads, "others": round(others, 4), "disturbed": disturbed, "asked": asked, "answer": answer})


# ---- The machine ----

def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        info = f.read()
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1])
    found = {key: re.search(rf"^{key}\s*:\s*(.*)$", info, re.M) for key in ("model name", "cpu family", "model", "flags")}
    flags = found["flags"][1].split() if found["flags"] else []
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
    return {"cpu": found["model name"][1] if found["model name"] else platform.machine(), "family": found["cpu family"] and int(found["cpu family"][1]), "model": found["model"] and int(found["model"][1]),
            "isa": [flag for flag in wanted if flag in flags], "cores": os.cpu_count(), "memory_gib": round(memory / 2**20, 1), "kernel": platform.release()}


def commit():
    run = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%h"], capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def read_run(path):
    try:
        with open(path, encoding="utf-8") as f:
            run = json.load(f)
    except OSError as error:
        raise SystemExit(f"peers.py: {path}: {error.strerror}") from None
    except ValueError as error:
        raise SystemExit(f"peers.py: {path}: {error}") from None
    missing = [key for key in RUN if not isinstance(run, dict) or key not in run]
    if missing:
        raise SystemExit(f"peers.py: {path} is no run of peers.py: it lacks {', '.join(missing)}")
    return run


def joined(paths):
    """Runs of one machine and one commit as one; the head is that of the first."""
    runs = [read_run(path) for path in paths]
    whole = runs[0]
    for run in runs[1:]:
        if (run["commit"], run["machine"]) != (whole["commit"], whole["machine"]):
            say(f"peers.py: {paths[runs.index(run)]} is of another machine or commit than {paths[0]}")
        whole["samples"] += run["samples"]
        whole["minutes"] = round(whole["minutes"] + run["minutes"], 1)
        for key in ("versions", "missing"):
            whole[key] |= run[key]
    whole["command"] = "; ".join(run["command"] for run in runs)
    return whole


def finish(run, log):
    text = report.text(run, MARKS)
    print(text)
    for sample in run["samples"]:
        if sample["entry"] != report.COSINE_ENTRY:    # no figure asks for other vectors
            sample["answer"].pop("vectors", None)
    if log:
        stem = os.path.join(log, f"{run['date']}-{re.sub('[^a-z0-9]+', '-', run['machine']['cpu'].lower()).strip('-')}")
        with open(stem + ".md", "w", encoding="utf-8") as f:
            f.write(text + "\n")
        with open(stem + ".json", "w", encoding="utf-8") as f:
            json.dump(run, f, separators=(",", ":"))
    return 0


def refuse(message):
    say(f"peers.py: {message}")
    sys.exit(2)


def whole_numbers(text):
    """ "1,2", each at least 1. """
    if not re.fullmatch(r"0*[1-9]\d{0,3}(,0*[1-9]\d{0,3})*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers from 1 to 9999 with commas between")
    return [int(n) for n in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = refuse
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--threads", type=whole_numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tern", default=os.path.join(ROOT, "build", "tern"))
    parser.add_argument("--home", default=os.environ.get("TERN_PEERS_DIR", os.path.join(ROOT, "build-peers")))
    parser.add_argument("--log", help="folder that gets DATE-CPU.md and .json")
    parser.add_argument("--from", dest="sources", metavar="FILE", nargs="+", help="measure nothing: the table of earlier runs' JSON, together")
    parser.add_argument("--slice", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.slice:
        for command in json.load(sys.stdin):
            print(json.dumps(watched(command)), flush=True)
        return 0
    if options.log:
        try:
            os.makedirs(options.log, exist_ok=True)    # before hours of measuring, not behind them
        except OSError as error:
            refuse(f"--log {options.log}: {error.strerror}")
    if options.sources:
        return finish(joined(options.sources), options.log)
    options.home, options.tern = os.path.abspath(options.home), os.path.abspath(options.tern)
    unknown = [name for name in options.sections.split(",") if name not in SECTIONS]
    if unknown:
        refuse(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    if options.rounds < 1:
        refuse(f"--rounds {options.rounds}: at least one")
    if not (os.path.isfile(options.tern) and os.access(options.tern, os.X_OK)):
        refuse(f"--tern {options.tern} is no program; make builds it")
    bench, begin = Bench(options), time.time()
    try:
        for turn in range(options.rounds):
            for name in options.sections.split(","):
                bench.section(name, turn)
    except KeyboardInterrupt:
        say("interrupted: the table of what was measured so far")
    return finish({"date": datetime.date.today().isoformat(), "command": " ".join([os.path.relpath(__file__, ROOT), *sys.argv[1:]]), "commit": commit(), "machine": machine(),
                   "minutes": round((time.time() - begin) / 60, 1), "versions": bench.versions, "missing": bench.missing, "samples": bench.samples}, options.log)


if __name__ == "__main__":
    sys.exit(main())
