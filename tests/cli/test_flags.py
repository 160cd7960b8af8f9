"""Every flag of every command does something, is refused, or is told of: a table with a row for each, made complete by what --help lists.

A row says how the flag is tried beside the command's usual line, and what comes of it:
    changes   stdout is another than without it
    refused   exit status 1 or 2, with this message on stderr
    told      stderr has this message
    same      stdout is the same by promise; what the flag does is tried where it can be seen
"""
import os
import re
import resource
import shutil

from copies import MODELS, copy, edit
from rig import DEMO, check, finish, folder, isas, sanitized, tern

LLAMA, QWEN, BERT, MLM, CLASSES, GPT2 = (os.path.join(MODELS, name) for name in ("llama-mha", "qwen2-tied", "bert-model", "bert-mlm", "made-bert-classes", "gpt2"))
SAMPLED = ("--temperature", "1.5", "--seed", "1")
MESSAGES = b'[{"role": "user", "content": "Hi"}]'
TEXT = b"Long ago, near the river, there lived a fox.\nIt was small.\n"
TEMPLATE = "{% for m in messages %}<{{ m.content }}>{% endfor %}{% if add_generation_prompt %}>>{% endif %}{{ strftime_now('%Y') if strftime_now is defined }}"

# the usual line of a command, its stdin, and another model for -m
USUAL = {
    "generate": (("-m", LLAMA, "--ids", "5,6,7", "-n", "60", "--ignore-eos", "--compute", "f32", *SAMPLED), b"", QWEN),
    "chat": (("-m", DEMO, "-n", "30", *SAMPLED), b"Tell me of a fox.\n", None),
    "logits": (("-m", LLAMA, "--ids", "5,6,7"), b"", QWEN),
    "tokenize": (("-m", LLAMA), b"<s>a b", QWEN),
    "detokenize": (("-m", LLAMA), b"1 40 41", QWEN),
    "render": (("-m", DEMO), MESSAGES, QWEN),
    "embed": (("-m", BERT), b"a b\nc\n", QWEN),
    "classify": (("-m", CLASSES, "--ids", "5,6,7"), b"", os.path.join(MODELS, "made-roberta-score")),
    "rerank": (("a question",), b"a b\nc\n", None),    # -m: made below
    "perplexity": (("-m", LLAMA, "--ids", ",".join(map(str, range(5, 60)))), b"", QWEN),
    "verify": (("-m", LLAMA, "--ids", "5,6,7"), b"", QWEN),
    "info": (("-m", LLAMA), b"", QWEN),
    "ops": ((), b"", None),
}

ROWS = [
    ("generate", "--prompt", ("-m", LLAMA, "-p", "one", "-n", "20", *SAMPLED), "changes", ("-m", LLAMA, "-p", "two", "-n", "20", *SAMPLED)),
    ("generate", "--file", ("-m", LLAMA, "-f", "{text}", "-n", "20", *SAMPLED), "changes", ("-m", LLAMA, "-p", "two", "-n", "20", *SAMPLED)),
    ("generate", "--ids", ("--ids", "9"), "changes", ()),
    ("generate", "--chat", ("-m", DEMO, "--chat", "-n", "20", *SAMPLED), "changes", ("-m", DEMO, "-n", "20", *SAMPLED)),
    ("generate", "--chat", ("--chat",), "refused", "--chat does nothing beside --ids"),
    ("generate", "--template", ("--template", "{template}"), "refused", "--template does nothing without --chat"),
    ("generate", "--template", ("-m", DEMO, "--chat", "--template", "{template}", "-n", "20", *SAMPLED), "changes", ("-m", DEMO, "--chat", "-n", "20", *SAMPLED)),
    ("generate", "--tokens", ("-n", "3"), "changes", ()),
    ("generate", "--temperature", ("--temperature", "0"), "changes", ()),
    ("generate", "--top-k", ("--top-k", "2"), "changes", ()),
    ("generate", "--top-p", ("--top-p", "0.2"), "changes", ()),
    ("generate", "--min-p", ("--min-p", "0.9"), "changes", ()),
    ("generate", "--repetition-penalty", ("--repetition-penalty", "3"), "changes", ()),
    ("generate", "--seed", ("--seed", "2"), "changes", ()),
    ("generate", "--top-k", ("-m", LLAMA, "--ids", "5", "-n", "2", "--top-k", "40", "--seed", "3"), "told", "no effect: --top-k, --seed"),
    ("generate", "--top-p", ("-m", LLAMA, "--ids", "5", "-n", "2", "--top-p", "0.4", "--min-p", "0.1"), "told", "no effect: --top-p, --min-p"),
    ("generate", "--stop", ("--stop", "a"), "changes", ()),
    ("generate", "--ignore-eos", ("-m", "{always_eos}", "--ids", "5", "-n", "60", "--ignore-eos", *SAMPLED), "changes", ("-m", "{always_eos}", "--ids", "5", "-n", "60", *SAMPLED)),
    ("generate", "--json", ("--json",), "changes", ()),
    ("chat", "--system", ("--system", "Be short."), "changes", ()),
    ("chat", "--template", ("--template", "{template}"), "changes", ()),
    ("chat", "--tokens", ("-n", "3"), "changes", ()),
    ("chat", "--temperature", ("--temperature", "9"), "changes", ()),
    ("chat", "--top-k", ("--top-k", "1"), "changes", ()),
    ("chat", "--top-p", ("--top-p", "0.01"), "changes", ()),
    ("chat", "--min-p", ("--min-p", "1"), "changes", ()),
    ("chat", "--repetition-penalty", ("--repetition-penalty", "9"), "changes", ()),
    ("chat", "--seed", ("--seed", "7"), "changes", ()),
    ("chat", "--top-k", ("-m", "{greedy_demo}", "-n", "2", "--top-k", "3"), "told", "no effect: --top-k"),
    ("chat", "--stop", ("--stop", "e"), "changes", ()),
    ("logits", "--ids", ("--ids", "9"), "changes", ()),
    ("logits", "--type-ids", ("-m", MLM, "--ids", "5,6,7", "--type-ids", "0,1,1"), "changes", ("-m", MLM, "--ids", "5,6,7")),
    ("logits", "--type-ids", ("--type-ids", "0,0,0"), "refused", "has no token types"),
    ("logits", "--type-ids", ("-m", LLAMA, "-p", "a", "--type-ids", "0"), "refused", "--type-ids does nothing without --ids"),
    ("logits", "--prompt", ("-m", LLAMA, "-p", "one"), "changes", ("-m", LLAMA, "-p", "two")),
    ("logits", "--prompt", ("-m", MLM, "-p", "one"), "refused", "--ids"),
    ("logits", "--file", ("-m", LLAMA, "-f", "{text}"), "changes", ("-m", LLAMA, "-p", "two")),
    ("logits", "--all", ("--all",), "changes", ()),
    ("logits", "--json", ("--json",), "changes", ()),
    ("tokenize", "--no-special", ("--no-special",), "changes", ()),
    ("tokenize", "--parse-special", ("--parse-special",), "changes", ()),
    ("tokenize", "--truncate", ("-m", "{cut}", "--truncate"), "changes", ("-m", "{cut}")),
    ("tokenize", "--pad", ("-m", "{cut}", "--pad"), "changes", ("-m", "{cut}")),
    ("tokenize", "--json", ("--json",), "changes", ()),
    ("detokenize", "--skip-special", ("--skip-special",), "changes", ()),
    ("detokenize", "--json", ("--json",), "changes", ()),
    ("render", "--template", ("--template", "{template}"), "changes", ()),
    ("render", "--now", ("--template", "{template}", "--now", "1999-03-09T07:05:03"), "changes", ("--template", "{template}")),
    ("render", "--generation-prompt", ("--generation-prompt",), "changes", ()),
    ("embed", "--pooling", ("--pooling", "max"), "changes", ()),
    ("embed", "--normalize", ("--normalize",), "changes", ()),
    ("embed", "--truncate-dim", ("--truncate-dim", "3"), "changes", ()),
    ("embed", "--prompt-name", ("--prompt-name", "missing"), "refused", "no prompt \"missing\""),
    ("embed", "--truncate", ("--truncate",), "long", "more than the"),
    ("embed", "--ids", ("--ids", "5,6"), "changes", ()),
    ("embed", "--type-ids", ("--ids", "5,6", "--type-ids", "0,1"), "changes", ("--ids", "5,6")),
    ("embed", "--hidden", ("--hidden",), "changes", ()),
    ("embed", "--npy", ("--npy",), "changes", ()),
    ("embed", "--json", ("--json",), "changes", ()),
    *[("embed", flag, ("--hidden", flag, *value), "refused", f"{flag} does nothing beside --hidden") for flag, value in
      (("--pooling", ("cls",)), ("--normalize", ()), ("--truncate-dim", ("2",)), ("--npy", ()))],
    ("embed", "--npy", ("--npy", "--json"), "refused", "--npy does nothing beside --json"),
    ("embed", "--type-ids", ("--type-ids", "0"), "refused", "--type-ids does nothing without --ids"),
    ("embed", "--truncate", ("--ids", "5", "--truncate"), "refused", "--truncate does nothing beside --ids"),
    ("embed", "--prompt-name", ("--ids", "5", "--prompt-name", "query"), "refused", "--prompt-name does nothing beside --ids"),
    ("classify", "--ids", ("--ids", "9,10"), "changes", ()),
    ("classify", "--type-ids", ("--type-ids", "0,1,1"), "changes", ()),
    ("classify", "--json", ("--json",), "changes", ()),
    ("rerank", "--raw", ("--raw",), "changes", ()),
    ("rerank", "--truncate", ("--truncate",), "long", "more than the"),
    ("rerank", "--prompt-name", ("--prompt-name", "missing"), "refused", "no prompt \"missing\""),
    ("rerank", "--json", ("--json",), "changes", ()),
    ("perplexity", "--file", ("-m", LLAMA, "-f", "{text}"), "changes", ("-m", LLAMA, "-p", "two and two")),
    ("perplexity", "--prompt", ("-m", LLAMA, "-p", "one and one"), "changes", ("-m", LLAMA, "-p", "two and two")),
    ("perplexity", "--ids", ("--ids", "9,8,7,6"), "changes", ()),
    ("perplexity", "--json", ("--json",), "changes", ()),
    ("verify", "--prompt", ("-m", LLAMA, "-p", "one and one and one"), "changes", ("-m", LLAMA, "--ids", "5,6,7")),
    ("verify", "--file", ("-m", LLAMA, "-f", "{text}"), "changes", ("-m", LLAMA, "--ids", "5,6,7")),
    ("verify", "--ids", ("--ids", "5,6"), "changes", ()),
    ("verify", "--json", ("--json",), "changes", ()),
    ("verify", "--context", ("--context", "2"), "refused", "more than the 2"),
    ("info", "--check", ("-m", "{nan}", "--check"), "refused", "is NaN"),
    ("info", "--json", ("--json",), "changes", ()),
    ("ops", "--json", ("--json",), "changes", ()),
]
# commands whose flags have a test script of their own, which names each of them
ELSEWHERE = {"bench": ("test_bench.py", "test_profiling.py", "test_cli.py"), "op": ("../ops/test_fixtures.py", "test_cli.py")}
IN_SHORT = ("--help", "--model", "--prompt-tokens", "--kv", "--strict", "--quiet", "--attention")    # which those scripts write as -h, -m and -p; the rest are tried by check_bench, or by the other commands, which open a model as bench does


def listed():
    """{command: its flags} by what --help says."""
    names = re.findall(r"^  (\w+)  +\S", tern("--help").stdout.decode(), re.M)
    return {name: re.findall(r"^ {2}(?:-\w, | {4})(--[\w-]+)", tern(name, "--help").stdout.decode(), re.M) for name in names if name != "tern"}


def make_files(place):
    """What rows name in braces."""
    files = {name: os.path.join(place, name) for name in ("text", "template", "always_eos", "greedy_demo", "nan", "reranker", "cut")}
    with open(files["text"], "wb") as f:
        f.write(TEXT)
    with open(files["template"], "w", encoding="utf-8") as f:
        f.write(TEMPLATE)
    for name in ("always_eos", "nan", "reranker", "greedy_demo", "cut"):
        os.mkdir(files[name])
    copy("llama-mha", files["always_eos"], generation={"eos_token_id": list(range(3, 60))})

    def spoil(tensors):
        tensors["model.norm.weight"][1][0] = float("nan")

    copy("llama-mha", files["nan"], tensors=spoil)
    copy("made-roberta-score", files["reranker"])
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None, "pre_tokenizer": {"type": "WhitespaceSplit"}, "added_tokens": [],
                 "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(["?", "a", "b", "c", "question"])}, "unk_token": "?"}, "post_processor": None}
    edit(os.path.join(files["reranker"], "tokenizer.json"), tokenizer)
    copy("llama-mha", files["cut"])
    edit(os.path.join(files["cut"], "tokenizer.json"), {"truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
                                                        "padding": {"strategy": {"Fixed": 30}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"}})
    for file in os.listdir(DEMO):
        os.symlink(os.path.join(DEMO, file), os.path.join(files["greedy_demo"], file))
    generation = os.path.join(files["greedy_demo"], "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)
    return files


def run(command, flags, files, whole=False):
    usual, stdin, _ = USUAL[command]
    if command == "rerank":
        usual = ("-m", files["reranker"], *usual)
    args = flags if whole or "-m" in flags else (*usual, *flags)
    if command == "embed" and "--ids" in args:
        stdin = b""
    if command == "generate" and "--chat" in args:
        stdin = MESSAGES
    return tern(command, *(arg.format(**files) if arg.startswith("{") else arg for arg in args), stdin=stdin)


def check_row(row, files):
    command, flag, flags, kind, what = row
    message = f"tern {command} {' '.join(flags)}"
    if kind == "long":    # a text that is too long without the flag
        usual = USUAL[command][0] if command != "rerank" else ("-m", files["reranker"], *USUAL[command][0])
        given = b"a b " * 2000 + b"\n"
        without = tern(command, *usual, stdin=given)
        check(without.returncode == 1 and what in without.stderr.decode(), f"{message}: without it: {without.stderr}")
        check(tern(command, *usual, *flags, stdin=given).returncode == 0, message)
        return
    made = run(command, flags, files)
    told = made.stderr.decode()
    if kind == "refused":
        check(made.returncode in (1, 2) and what in told, f"{message}: {made.returncode}, {told}")
    elif kind == "told":
        check(made.returncode == 0 and what in told, f"{message}: {made.returncode}, {told}")
    else:
        without = run(command, what, files)
        check(made.returncode == 0 and without.returncode == 0, f"{message}: {told} {without.stderr.decode()}")
        check(made.stdout != without.stdout, f"{message}: nothing changes: {made.stdout[:80]}")


def check_common(command, flag, files):
    """The flags that many commands share, each by the one thing that shows it."""
    usual, _, other = USUAL[command]
    message = f"tern {command} {flag}"
    if flag == "--help":
        check(tern(command, "--help").stdout.startswith(b"tern " + command.encode()), message)
    elif flag == "--model":
        nowhere = ("-m", "/nonexistent", *usual) if command == "rerank" else tuple("/nonexistent" if arg == usual[1] else arg for arg in usual)
        check(run(command, nowhere, files).returncode == 1, message)
        if other:
            swapped = tuple(other if arg == usual[1] else arg for arg in usual)
            check(run(command, swapped, files).stdout != run(command, (), files).stdout, f"{message}: another model gives the same")
    elif flag == "--isa":
        lacking = isas()[1]
        if lacking:
            made = run(command, ("--isa", lacking[0]), files)
            check(made.returncode == 1 and lacking[0] in made.stderr.decode(), f"{message}: {made.stderr}")
    elif flag == "--threads":
        check(run(command, ("--threads", "1"), files).returncode == 0, message)
        if not sanitized():    # there is no memory for so many stacks: the flag is obeyed
            line = [arg.format(**files) if arg.startswith("{") else arg for arg in (("-m", files["reranker"], *usual) if command == "rerank" else usual)]
            made = tern(command, *line, "--threads", "1000", stdin=USUAL[command][1], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)))
            check(made.returncode == 1 and "thread" in made.stderr.decode(), f"{message} 1000: {made.returncode}, {made.stderr}")
    elif flag == "--compute":
        numbers = (("--compute", "bf16"), ("--compute", "f32"))
        outputs = {run(command, given + (("--json",) if command in ("verify", "info") else ()), files).stdout for given in numbers}
        check(len(outputs) == 2 or command in ("generate", "chat"), f"{message}: nothing changes")
        check(len(outputs) == 2 or sampled_changes(command, numbers, files), f"{message}: no token changes")
    elif flag == "--kv":
        numbers = (("--compute", "f32", "--kv", "f32"), ("--compute", "f32", "--kv", "bf16"))
        outputs = {run(command, given, files).stdout for given in numbers}
        check(len(outputs) == 2 or sampled_changes(command, numbers, files), f"{message}: nothing changes")
    elif flag == "--context":
        check_context(command, files)
    elif flag in ("--strict", "--quiet"):
        check_odd_key(command, flag, files)
    elif flag == "--attention":
        other = "causal" if command in ("embed", "classify", "rerank") else "bidirectional"    # of an encoder, of a decoder
        made, without = run(command, ("--attention", other), files), run(command, (), files)
        check(made.returncode == 1 or made.stdout != without.stdout, f"{message} {other}: nothing changes")
    else:
        return False
    return True


def check_odd_key(command, flag, files):
    """A key of config.json that is not read: ignored with a message, which --quiet leaves out, or refused by --strict."""
    usual, stdin, _ = USUAL[command]
    line = ("-m", files["reranker"], *usual) if command == "rerank" else usual
    if command in ("tokenize", "detokenize", "render"):    # which read no config.json: there is nothing to be quiet of
        check(not run(command, (flag,), files).stderr, f"{command} {flag}")
        return
    with folder() as where:
        for file in os.listdir(line[1]):
            shutil.copyfile(os.path.join(line[1], file), os.path.join(where, file))
        edit(os.path.join(where, "config.json"), {"my_own_key": 3})
        line = [where if arg == line[1] else arg for arg in line]
        plain, made = tern(command, *line, stdin=stdin), tern(command, *line, flag, stdin=stdin)
        check(plain.returncode == 0 and b"my_own_key" in plain.stderr + plain.stdout, f"{command} of an odd key: {plain.returncode}, {plain.stderr}")
        if flag == "--strict":
            check(made.returncode == 1 and b"my_own_key" in made.stderr, f"{command} --strict: {made.returncode}, {made.stderr}")
        else:
            check(made.returncode == 0 and b"my_own_key" not in made.stderr, f"{command} --quiet: {made.returncode}, {made.stderr}")


def sampled_changes(command, numbers, files):
    """Whether some seed draws another text: one text of some tokens may well be the same in both types."""
    return any(run(command, (*numbers[0], "--seed", str(seed)), files).stdout != run(command, (*numbers[1], "--seed", str(seed)), files).stdout for seed in range(20))


def check_context(command, files):
    far = run(command, ("--context", "100000"), files)
    check(far.returncode == 1 and "100000" in far.stderr.decode(), f"{command} --context 100000: {far.returncode}, {far.stderr}")
    near = run(command, ("--context", "2"), files)
    if command == "info":
        check(near.stdout != run(command, (), files).stdout, "info --context 2")
    elif command == "perplexity":
        check(near.stdout != run(command, (), files).stdout, "perplexity by windows of 2")
    elif command == "chat":
        check(" 2" in near.stderr.decode(), f"chat --context 2: {near.stderr}")
    else:
        check(near.returncode == 1 and " 2" in near.stderr.decode(), f"{command} --context 2: {near.returncode}, {near.stderr}")
    if command == "info":
        encoder = tern("info", "-m", BERT, "--context", "100000")
        check(encoder.returncode == 1 and b"100000" in encoder.stderr, f"info of an encoder: {encoder.stderr}")


def check_bench():
    made = tern("bench", "-m", LLAMA, "-p", "4", "-n", "2", "-b", "1", "--repeat", "1", "--threads", "1", "--kv", "bf16", "--json")
    check(made.returncode == 0 and b'"kv": "bf16"' in made.stdout, f"bench --kv: {made.stdout[:200]} {made.stderr}")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with folder() as place:
        files = make_files(place)
        check_bench()
        for row in ROWS:
            check_row(row, files)
        for command, flags in listed().items():
            check(bool(flags), f"{command}: --help lists no flags")
            text = "".join(open(os.path.join(here, script), encoding="utf-8").read() for script in ELSEWHERE.get(command, ()))
            for flag in flags:
                if any(row[:2] == (command, flag) for row in ROWS) and flag != "--context":
                    continue
                if command in ELSEWHERE:
                    check(flag in text or flag in IN_SHORT, f"{command} {flag}: no test names it")
                else:
                    check(check_common(command, flag, files), f"{command} {flag}: no row tries it")
    finish()


if __name__ == "__main__":
    main()
