"""Damaged checkpoints: copies of a small model in which one file is cut, flipped, spliced or has its numbers replaced. The program ends with 0, or
with 1 and one sentence; it never crashes, hangs, or has a sanitizer speak.

labels: mutations slow

    test_mutations.py BUILD [--rounds N] [--seed S] [--keep DIR]      the same seed makes the same damage; --keep leaves what failed in DIR
"""
import argparse
import concurrent.futures
import os
import random
import re
import shutil
import subprocess
import sys

from rig import GOLDEN, SANITIZER, TERN, check, environment, finish, folder, sanitized

SUBJECTS = ("llama-gqa-tied-llama3rope", "llama-sharded", "llama-mha")
NUMBERS = ("0", "-1", "1", "2", "3", "7", "2147483647", "2147483648", "4294967296", "1099511627776", "9223372036854775807", "18446744073709551616", "1e308", "1e999",
           "0.5", "-0.0", "1e-320", "null", "true", '"x"', '""', "[]", "{}", "[1, 2]", '{"a": 1}')
SECONDS = 60
ADDRESS_SPACE = 6 << 30


def number_replaced(rng, data):
    """One value of a JSON text becomes another."""
    values = list(re.finditer(rb'(?<=[:\[,])\s*(-?\d[\d.eE+-]*|true|false|null|"[^"\\]{0,40}")', data[:200000]))
    if not values:
        return None
    v = rng.choice(values)
    return data[:v.start(1)] + rng.choice(NUMBERS).encode() + data[v.end(1):]


def key_changed(rng, data):
    keys = list(re.finditer(rb'"([A-Za-z_.0-9]+)"\s*:', data[:200000]))
    if len(keys) < 2:
        return None
    k, other = rng.sample(keys, 2)
    name = rng.choice((other.group(1), k.group(1) + b"x", k.group(1)[:-1], b""))
    return data[:k.start(1)] + name + data[k.end(1):]


def flipped(rng, data):
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        out[rng.randrange(reach(rng, data))] ^= 1 << rng.randrange(8)
    return bytes(out)


def overwritten(rng, data):
    at = rng.randrange(reach(rng, data))
    return data[:at] + rng.randbytes(rng.choice((1, 2, 8, 64))) + data[at + rng.choice((0, 1, 8, 64)):]


def cut(rng, data):
    return data[:rng.randrange(reach(rng, data) + 1)]


def span_moved(rng, data):
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    at = rng.randrange(len(data) + 1)
    return rng.choice((data[:a] + data[b:], data[:at] + data[a:b][:5000] + data[at:]))


def header_resized(rng, data):
    """The first eight bytes of a safetensors file: how long its header is."""
    length = int.from_bytes(data[:8], "little")
    new = rng.choice((0, 1, length - 1, length + 1, length + 8, len(data), len(data) - 7, 100_000_001, 1 << 31, 1 << 63, (1 << 64) - 1))
    return new.to_bytes(8, "little") + data[8:]


def reach(rng, data):
    """Damage near the beginning, where structure is, as often as anywhere."""
    return max(1, min(len(data), rng.choice((8, 64, 1024, 8192, len(data), len(data)))))


TEXT_DAMAGE = (number_replaced, number_replaced, number_replaced, key_changed, flipped, overwritten, cut, span_moved)
BINARY_DAMAGE = (number_replaced, key_changed, flipped, flipped, overwritten, cut, span_moved, header_resized)


def damage(rng, source, target):
    """Copies the folder source to target with one file damaged, or gone; says how."""
    names = sorted(n for n in os.listdir(source) if n != "expected.json")
    victim = rng.choice(names)
    os.mkdir(target)
    for name in names:
        os.symlink(os.path.join(source, name), os.path.join(target, name))
    path = os.path.join(target, victim)
    os.unlink(path)
    if rng.random() < 0.01:
        return f"{victim} gone"
    with open(os.path.join(source, victim), "rb") as f:
        data = f.read()
    how = rng.choice(BINARY_DAMAGE if victim.endswith(".safetensors") else TEXT_DAMAGE)
    new = how(rng, data)
    if new is None:
        new = flipped(rng, data)
    with open(path, "wb") as f:
        f.write(new)
    return f"{victim} {how.__name__}"


def complaint(run):
    """What is wrong with the way a run ended, or None."""
    text = run.stderr.decode(errors="replace")
    if run.returncode not in (0, 1):
        return f"exit {run.returncode}: {text[-1500:]}"
    if any(word in text for word in SANITIZER):
        return text[-3000:]
    lines = [line for line in text.split("\n") if line and not line.startswith("tern: warning: ")]
    if run.returncode == 1 and (len(lines) != 1 or not lines[0].startswith("tern: ")):
        return f"not one sentence: {text[-1500:]}"
    if run.returncode == 0 and lines:
        return f"text on stderr without a failure: {text[-1500:]}"
    return None


def one(place, seed, keep, asan):
    rng = random.Random(seed)
    subject = rng.choice(SUBJECTS)
    target = os.path.join(place, str(seed))
    how = damage(rng, os.path.join(GOLDEN, "models", subject), target)
    prompt = ["--ids", "1,2,3"] if subject != SUBJECTS[0] or rng.random() < 0.2 else ["-p", "Hello, world 123"]
    limit = [] if asan else ["prlimit", f"--as={ADDRESS_SPACE}", "--core=0"]
    command = [*limit, TERN, "generate", "-m", target, *prompt, "-n", "2", "--temperature", "0", "--threads", "1", "--quiet"]
    env = environment(ASAN_OPTIONS="allocator_may_return_null=1:max_allocation_size_mb=4096:hard_rss_limit_mb=4096")
    try:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=env)
        wrong = complaint(run)
        status = run.returncode
    except subprocess.TimeoutExpired:
        wrong, status = f"still running after {SECONDS} s", None
    if wrong and keep:
        shutil.copytree(target, os.path.join(keep, str(seed)), symlinks=False)
    shutil.rmtree(target)
    return seed, f"seed {seed}: {subject}: {how}", wrong, status


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    args = parser.parse_args()
    asan, ends = sanitized(), {}
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    with folder() as place, concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for n, (_, what, wrong, status) in enumerate(pool.map(lambda s: one(place, s, args.keep, asan), range(args.seed, args.seed + args.rounds)), 1):
            check(wrong is None, f"{what}: {wrong}")
            ends[status] = ends.get(status, 0) + 1
            if sys.stderr.isatty():
                print(f"\r{n} of {args.rounds}", end="", file=sys.stderr)
    print(f"{ends.get(0, 0)} ran all the same, {ends.get(1, 0)} were refused")
    check(args.rounds < 100 or (ends.get(0, 0) and ends.get(1, 0)), "some damage is harmless and some is not")
    finish()


main()
