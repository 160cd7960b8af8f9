"""The command line as users meet it: what is refused and with which message, the exit status, streams that cannot be written, JSON that is JSON."""
import json
import os
import re
import subprocess

from rig import DEMO, GOLDEN, TERN, check, document, environment, finish, folder, one_sentence, tern

LLAMA = os.path.join(GOLDEN, "models", "llama-sharded")

# command line, exit status, what stdout must match, what stderr must match, why
ROWS = [
    ("", 2, "^$", r"^tern: which command", "no command is a usage error that says where they are listed"),
    ("--help", 0, r"generate.*\n(.*\n)*.*bench", "^$", "the list of commands"),
    ("-h", 0, "usage: tern", "^$", "the short form"),
    ("--version", 0, r"^tern \d+\.\d+\.\d+\n$", "^$", "name and version in one line"),
    ("--version extra", 2, "^$", "takes no argument", "nothing is ignored"),
    ("--verison", 2, "^$", '"--version"', "the nearest flag is named"),
    ("genrate", 2, "^$", 'unknown command "genrate", the nearest is "generate"', "the nearest command is named"),
    ("gen", 2, "^$", 'the nearest is "generate"', "a beginning is near"),
    ("xyzzy", 2, "^$", "--help", "nothing is near: where to look"),
    ("generate --help", 0, r"usage: tern generate(.*\n)*.*--top-k K(.*\n)*.*--threads N", "^$", "own and common flags"),
    ("generate --top_k 3", 2, "^$", "--top_k.*nearest is --top-k", "an underscore for a dash"),
    ("generate --temprature=1", 2, "^$", "nearest is --temperature", "a letter left out"),
    ("generate --frobnicate", 2, "^$", "unknown flag --frobnicate", "nothing near"),
    ("generate -q", 2, "^$", "unknown flag -q", "an unknown letter"),
    ("generate extra", 2, "^$", '"extra"', "an argument that no command takes"),
    ("generate \u2013p x", 2, "^$", "typography", "a dash that a word processor has made"),
    ("generate -\u00e9", 2, "^$", "unknown flag -\u00e9", "a letter of two bytes"),
    ("generate --" + "x" * 200, 2, "^$", r"unknown flag --x+\.\.\. for", "a long name is cut, and marked"),
    ("generate models/demo", 2, "^$", "does not take the argument", "a word that stands alone"),
    ("embed hello", 2, "^$", r'"hello": tern embed .*< LINES', "the usage says where text comes from"),
    ("generate -- -n", 2, "^$", '"-n"', "behind -- nothing is a flag"),
    ("generate --threads 0x", 2, "^$", '--threads "0x" is not a whole number from 1 to 1024', "a hexadecimal beginning is refused with the value"),
    ("generate --threads 0", 2, "^$", '"0"', "below the range"),
    ("generate --threads 1025", 2, "^$", '"1025"', "above the range"),
    ("generate --threads=-1", 2, "^$", '"-1"', "a sign"),
    ("generate --threads 1.5", 2, "^$", '"1.5"', "a fraction for a whole number"),
    ("generate --threads 99999999999999999999", 2, "^$", "99999999999999999999", "beyond 64 bits"),
    ("generate --threads", 2, "^$", "--threads needs an argument: N", "the argument is missing"),
    ("generate -n", 2, "^$", "--tokens needs an argument", "also of the short form"),
    ("generate -n -5", 2, "^$", '"-5"', "a negative number is an argument, and out of range"),
    ("generate --temperature -0.1", 2, "^$", '"-0.1"', "below the range"),
    ("generate --temperature nan", 2, "^$", '"nan"', "no number"),
    ("generate --temperature inf", 2, "^$", '"inf"', "not finite"),
    ("generate --temperature 1e999", 2, "^$", '"1e999"', "not finite as a double"),
    ("generate --temperature ''", 2, "^$", '""', "empty"),
    ("generate --top-p 0", 2, "^$", "above 0", "an open bound"),
    ("generate --top-p 1.01", 2, "^$", "at most 1", "above the range"),
    ("generate --min-p 2", 2, "^$", "from 0 to 1", "above the range"),
    ("generate --top-k -1", 2, "^$", '"-1"', "below the range"),
    ("generate --repetition-penalty 0", 2, "^$", "above 0", "would divide by nothing"),
    ("generate --seed -1", 2, "^$", "18446744073709551615", "seeds have no sign"),
    ("generate --seed 18446744073709551616", 2, "^$", "18446744073709551615", "beyond 64 bits"),
    ("generate --json=1", 2, "^$", "--json takes no argument", "a switch with a value"),
    ("generate --compute int3", 2, "^$", "none of: f32, bf16, f16", "the choices are listed"),
    ("generate --isa sse9", 2, "^$", "none of: scalar, avx2", "the choices are listed"),
    ("generate --ids 1,2,x", 2, "^$", '"1,2,x"', "ids are whole numbers"),
    ("generate --ids 1,-2", 2, "^$", '"1,-2"', "ids have no sign"),
    ("generate --ids 4294967296", 2, "^$", "token ids", "beyond 31 bits"),
    ("generate --ids ''", 2, "^$", "token ids", "no id at all"),
    ("generate -p a --ids 1", 2, "^$", "only one", "two prompts"),
    ("generate -p a -f b", 2, "^$", "only one", "two prompts"),
    ("generate --stop ''", 2, "^$", "a text to stop at", "an empty text would stop everything"),
    ("generate -m ''", 2, "^$", "a name", "an empty name"),
    ("op rms_norm a", 2, "^$", "needs OUT.safetensors", "an operand is missing"),
    ("op a b c d", 2, "^$", '"d"', "one operand too many"),
    ("bench --config a.json -m b", 2, "^$", "only one", "two models"),
    ("bench -b 0", 2, "^$", r'--batch "0" is not a list, such as 1,8, of whole numbers from 1 to 1024', "below the range"),
    ("bench -b 1,,4", 2, "^$", '--batch "1,,4" is not a list', "a number is missing"),
    ("bench -b 1,", 2, "^$", '--batch "1," is not a list', "a comma and nothing behind it"),
    ("bench -b ''", 2, "^$", '--batch "" is not a list', "an empty list"),
    ("bench -b 1,1025", 2, "^$", '"1,1025"', "above the range, in a list"),
    ("bench -b 1,99999999999999999999999999999999999999", 2, "^$", "is not a list", "longer than any number"),
    ("bench -p 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 2, "^$", "a list of at most 16 numbers", "a list that is too long"),
    ("bench --threads 1,x", 2, "^$", '--threads "1,x"', "a word in a list"),
    ("bench --threads 1,0", 2, "^$", '"1,0"', "no threads"),
    ("bench -n 0", 2, "^$", '--tokens "0"', "decoding nothing"),
    ("bench -n 1,2", 2, "^$", '--tokens "1,2"', "a list for a number"),
    ("bench --repeat 0", 2, "^$", '"0"', "no measurement"),
    ("bench --kernels nothing", 2, "^$", '"nothing": no kernel', "an unknown kernel"),
    ("bench --ops nothing", 2, "^$", '"nothing": no op', "an unknown op"),
    ("bench --ops all --kernels all", 2, "^$", "only one", "two modes"),
    ("bench --kernels all --svg a.svg", 2, "^$", "--svg", "a picture of what has none"),
    ("bench --kernels exp_row --isa amx --svg ''", 2, "^$", "a name", "an empty name"),
    ("bench --kernels ''", 2, "^$", '"": no kernel', "no name, with which every kernel's begins"),
    ("bench --ops ''", 2, "^$", '"": no op', "and every op's"),
    ("bench --kernels silu_row --threads 2", 2, "^$", "no --threads", "kernels have one thread"),
    ("bench --ops rms_norm -b 2", 2, "^$", "no --batch", "ops have rows of their own"),
    ("bench --ops rms_norm -m a", 2, "^$", "no --model", "a model, where none is run"),
    ("bench --stored f32", 2, "^$", "--config", "a type for random weights that are not wanted"),
    ("bench --kernels silu_row --isa avx2 -b 3", 1, "^$", "none of them with so many rows", "rows that no such kernel is timed on"),
    ("bench --svg /nonexistent/a.svg", 1, "^$", "/nonexistent/a.svg", "a picture where nothing can be written"),
    ("bench --svg /", 1, "^$", "tern: /: ", "a directory for a picture"),
    ("bench -m /nonexistent", 1, "^$", "/nonexistent", "a model that is not there"),
    ("bench --config /dev/null", 1, "^$", "/dev/null", "a shape that is empty"),
    ("bench -p 4096 -n 1 -b 1", 1, "^$", "(4096|4100|1024)", "a prompt that the model has no positions for"),
    ("--completion", 2, "^$", "bash, zsh, fish", "which shell"),
    ("--completion ksh", 2, "^$", '"ksh" is none of', "an unknown shell"),
    ("generate -m /nonexistent", 1, "^$", "/nonexistent", "a directory that is not there"),
    ("generate -m /dev/null", 1, "^$", "/dev/null", "a device for a directory"),
    ("generate -f /nonexistent -n 1", 1, "^$", "/nonexistent", "a prompt file that is not there"),
    ("generate -f / -n 1", 1, "^$", "^tern: /: ", "a directory for a prompt file"),
    ("tokenize -m /nonexistent", 1, "^$", "/nonexistent", "tokenizers are asked for by name, too"),
    ("logits --ids 2048", 1, "^$", "2048", "an id just outside the vocabulary"),
    ("logits --ids 2147483647", 1, "^$", "2147483647", "the largest id"),
    ("generate --ids 1,2,3 -n 2000", 1, "^$", r"(1024|2003)", "longer than the context: both figures"),
    ("generate --ids 1,2,3 -n 5 --context 4", 1, "^$", "4", "longer than --context"),
    ("op nothing /dev/null /dev/null", 1, "^$", "tern: ", "an unknown op"),
    ("bench --config /nonexistent.json", 1, "^$", "/nonexistent.json", "a shape that is not there"),
    ("ops", 0, r"rms_norm(.*\n)*.*in use", "^$", "ops and the instruction set in use"),
    ("info", 0, r"LlamaForCausalLM(.*\n)*.*KV cache", "^$", "what the demo model is"),
]


def check_rows():
    import shlex
    for line, status, out, err, why in ROWS:
        run = tern(*shlex.split(line))
        stdout, stderr = run.stdout.decode(), run.stderr.decode()
        message = f"tern {line}  ({why})"
        check(run.returncode == status, f"{message}: exit {run.returncode}, not {status}: {stderr}")
        check(re.search(out, stdout), f"{message}: stdout does not match {out!r}: {stdout[:500]}")
        check(re.search(err, stderr), f"{message}: stderr does not match {err!r}: {stderr[:500]}")
        if status:
            check(stderr.count("\n") == 1 and stderr.startswith("tern: "), f"{message}: not one sentence: {stderr!r}")


def check_environment():
    run = tern("ops", env=environment(TERN_ISA="sse9"))
    one_sentence(run, "TERN_ISA that does not exist")
    check(b"sse9" in run.stderr, "TERN_ISA: the value is named")
    one_sentence(tern("ops", env=environment(TERN_THREADS="two")), "TERN_THREADS that is no number")
    check(document("ops", "--json", env=environment(TERN_ISA="scalar"))["in_use"] == "scalar", "TERN_ISA chooses")
    check(document("ops", "--isa", "scalar", "--json", env=environment(TERN_ISA="sse9"))["in_use"] == "scalar", "the flag wins over the environment")
    one_sentence(tern("info", env=environment(TERN_DEMO_MODEL="/nonexistent")), "TERN_DEMO_MODEL that is not there")
    check(document("info", "--json", env=environment(TERN_DEMO_MODEL=LLAMA))["layers"] == 3, "TERN_DEMO_MODEL chooses")


def check_json():
    info = document("info", "--json")
    check(info["architecture"] == "LlamaForCausalLM" and info["vocab"] == 2048, "info --json says what the demo model is")
    check(info["weight_bytes"] > 9e6 and info["kv_bytes_per_token"] > 0 and info["fits_tokens"] > 0, "info --json has bytes")
    ops = document("ops", "--json")
    check(any(op["name"] == "softmax_context" for op in ops["ops"]), "ops --json lists softmax_context")
    check(sum(s["in_use"] for s in ops["instruction_sets"]) == 1, "one instruction set is in use")
    logits = document("logits", "--ids", "0,634,635", "--json")["logits"]
    check(len(logits) == 2048 and all(isinstance(x, (int, float)) for x in logits), "logits of one position are a list of numbers")
    every = document("logits", "--ids", "0,634,635", "--all", "--json")["logits"]
    check(len(every) == 3 and all(len(row) == 2048 for row in every), "logits --all is a list of rows")
    check(every[-1] == logits, "the last row of --all is what comes without it, bit for bit")
    lines = tern("logits", "--ids", "0,634,635").stdout.split()
    check([float(x) for x in lines] == [float(x) for x in logits], "plain and JSON logits are the same numbers")
    made = document("generate", "--ids", "0,634,635", "-n", "7", "--temperature", "0", "--ignore-eos", "--json")
    check(set(made) == {"ids", "text", "finish_reason", "usage"}, f"generate --json has the keys of the manual: {sorted(made)}")
    check(len(made["ids"]) == 7 and made["finish_reason"] == "length", "seven tokens and the reason")
    check(made["usage"] == {"prompt_tokens": 3, "completion_tokens": 7}, f"usage: {made['usage']}")
    none = document("generate", "--ids", "0,634", "-n", "0", "--json")
    check(none["ids"] == [] and none["usage"]["completion_tokens"] == 0, "-n 0 makes nothing")


def check_text():
    shown = tern("generate", "-p", "Long ago, near the river,", "-n", "20", "--temperature", "0")
    same = document("generate", "-p", "Long ago, near the river,", "-n", "20", "--temperature", "0", "--json")
    check(shown.returncode == 0 and shown.stdout.decode().rstrip("\n") == same["text"].rstrip("\n"), "streamed text is the text of --json")
    check(shown.stdout.endswith(b"\n"), "the last line ends")
    piped = tern("generate", "-f", "-", "-n", "20", "--temperature", "0", stdin=b"Long ago, near the river,")
    check(piped.stdout == shown.stdout, "-f - reads standard input")
    with folder() as d:
        path = os.path.join(d, "prompt")
        with open(path, "w", encoding="utf-8") as f:
            f.write("Long ago, near the river,")
        check(tern("generate", "-f", path, "-n20", "--temperature=0").stdout == shown.stdout, "-f FILE, -n20 and --temperature=0")
    stopped = document("generate", "-p", "Long ago, near the river,", "-n", "60", "--temperature", "0", "--stop", "zzz", "--stop=was", "--json")
    check("was" not in stopped["text"] and stopped["finish_reason"] == "stop", "--stop may be repeated, and what stops is not shown")
    alone = tern("generate", "-n", "3")
    check(alone.returncode == 0 and alone.stdout, f"without a prompt: from the beginning-of-sequence token: {alone.stderr}")


def check_seed():
    first = tern("generate", "-p", "Long ago", "-n", "24", "--temperature", "1")
    seed = re.search(rb"seed (\d+)", first.stderr)
    check(seed, f"a seed that was not given is printed: {first.stderr}")
    again = tern("generate", "-p", "Long ago", "-n", "24", "--temperature", "1", "--seed", seed.group(1).decode())
    check(again.stdout == first.stdout and b"seed" not in again.stderr, "that seed gives the same text, and is not printed")
    texts = {tern("generate", "-p", "Long ago", "-n", "24", "--temperature", "1", "--seed", str(s)).stdout for s in range(4)}
    check(len(texts) > 1, "other seeds give other texts")
    check(b"seed" not in tern("generate", "-p", "Long ago", "-n", "4", "--temperature", "0").stderr, "greedy needs no seed")


def check_tokens():
    text = "Once, 12 + 30 = 42. Ünïcödé 🐢\n\t<|im_end|> \r\n"
    plain = document("tokenize", "--json", stdin=text.encode())
    check(plain["ids"][0] == 0 and len(plain["ids"]) == len(plain["tokens"]), "ids begin with BOS, one token each")
    check(2 not in plain["ids"], "a special token in the text is text")
    special = document("tokenize", "--json", "--parse-special", "--no-special", stdin=text.encode())
    check(2 in special["ids"] and special["ids"][0] != 0, "--parse-special and --no-special")
    ids = tern("tokenize", "--no-special", stdin=text.encode()).stdout
    check([int(x) for x in ids.split()] == plain["ids"][1:], "plain output is the same ids")
    check(tern("detokenize", stdin=ids).stdout == text.encode(), "detokenize gives the text back, byte for byte")
    check(tern("detokenize", stdin=ids.replace(b" ", b",")).stdout == text.encode(), "commas separate, too")
    check(document("detokenize", "--json", stdin=b"0 2")["text"] == "<|endoftext|><|im_end|>", "special tokens have a text")
    check(tern("detokenize", "--skip-special", stdin=b"0,2").stdout == b"", "--skip-special leaves them out")
    one_sentence(tern("detokenize", stdin=b"1 2 x"), "detokenize of a word")
    one_sentence(tern("detokenize", stdin=b"1 -2"), "detokenize of a negative id")
    check(tern("detokenize", stdin=b"").stdout == b"" and tern("tokenize", "--no-special", stdin=b"").stdout == b"\n", "nothing in, nothing out")
    nul = document("tokenize", "--no-special", "--json", stdin=b"a\0b")
    check(tern("detokenize", stdin=" ".join(map(str, nul["ids"])).encode()).stdout == b"a\0b", "a NUL is a character like any other")
    with folder() as d:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            os.symlink(os.path.join(DEMO, name), os.path.join(d, name))
        check(document("tokenize", "-m", d, "--json", stdin=text.encode()) == plain, "tokenize needs the tokenizer's files only")


def check_streams():
    def shell(line, **more):
        return subprocess.run(["bash", "-c", line], capture_output=True, env=environment(T=TERN), timeout=120, **more)
    for command in ("--help", "ops", "info --json", "logits --ids 0,1 --all", "--man", "generate -n 4 --seed 1", "generate --help"):
        run = shell(f'"$T" {command} > /dev/full')
        text = run.stderr.decode()
        check(run.returncode == 1 and text.count("\n") == 1 and "No space left" in text, f"{command} to a full disk: exit {run.returncode}: {text}")
        run = shell(f'"$T" {command} >&-')
        text = run.stderr.decode()
        check(run.returncode == 1 and text.count("\n") == 1, f"{command} to a closed stdout: exit {run.returncode}: {text}")
        run = shell(f'"$T" {command} | true; exit ${{PIPESTATUS[0]}}')
        check(run.returncode in (0, 1) and not run.stderr, f"{command} to a reader that left: exit {run.returncode}: {run.stderr}")
    check(shell('"$T" generate -n 1 --seed 1 <&- 2>&-').returncode == 0, "stdin and stderr may be closed")
    run = shell('"$T" tokenize <&-')
    check(run.returncode in (0, 1), "a closed stdin is no crash")


def check_documents():
    page = tern("--man").stdout
    check(page.startswith(b".") and b".Sh COMMANDS" in page, "the manual page is mdoc")
    lint = subprocess.run(["mandoc", "-Tlint", "-Wstyle"], input=page, capture_output=True)
    check(lint.returncode == 0 and not lint.stdout, f"mandoc -Tlint: {lint.stdout.decode()}")
    bash = tern("--completion", "bash").stdout
    run = subprocess.run(["bash", "-c", 'source /dev/stdin; COMP_WORDS=(tern generate --comp); COMP_CWORD=2; _tern; echo "${COMPREPLY[@]}"; '
                          'COMP_WORDS=(tern generate --compute b); COMP_CWORD=3; _tern; echo "${COMPREPLY[@]}"; '
                          'COMP_WORDS=(tern det); COMP_CWORD=1; _tern; echo "${COMPREPLY[@]}"'], input=bash, capture_output=True)
    check(run.stdout == b"--compute\nbf16\ndetokenize\n", f"bash completes flags, choices and commands: {run.stdout} {run.stderr}")
    for shell in ("zsh", "fish"):
        text = tern("--completion", shell).stdout.decode()
        check("generate" in text and "repetition-penalty" in text, f"{shell}: commands and flags are there")
    commands = [word for word in re.findall(r"^  (\w+) ", tern("--help").stdout.decode(), re.M) if word != "tern"]
    check(len(commands) >= 8, f"--help lists the commands: {commands}")
    for command in commands:
        run = tern(command, "--help")
        text = run.stdout.decode()
        check(run.returncode == 0 and f"usage: tern {command}" in text, f"{command} --help")
        check(all(len(line) <= 100 and line == line.rstrip() for line in text.split("\n")), f"{command} --help: lines of at most 100, without trailing blanks")
        for flag in re.findall(r"^ .*?--([a-z-]+)", text, re.M):
            check(f"--{flag}".encode() in bash, f"bash completion has --{flag}")
            check(f"Fl \\-{flag}".replace("-", "\\-").replace("\\\\-", "\\-").encode() in page, f"the manual has --{flag}")


def main():
    check_rows()
    check_environment()
    check_json()
    check_text()
    check_seed()
    check_tokens()
    check_streams()
    check_documents()
    finish()


main()
