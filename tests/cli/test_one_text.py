"""One text of one output: what `generate` prints as it comes, what --json has at the end, and where stop strings cut, for models whose random output is full of
half characters and runs of bytes. The token that ends a text is no part of it, ordinary or special.
"""
import json
import os

from copies import MODELS, copy, edit
from rig import check, document, finish, folder, tern

COMMON = ("--compute", "f32", "--temperature", "0", "--repetition-penalty", "1", "-n", "24")


def prompts(name):
    with open(os.path.join(MODELS, name, "expected.json"), encoding="utf-8") as f:
        return json.load(f)["prompts"]


def both(where, ids, *flags):
    """The text of --json, after comparing it with the stream's; and the ids."""
    given = ("-m", where, *COMMON, "--ids", ",".join(map(str, ids)), *flags)
    made = document("generate", *given, "--json")
    run = tern("generate", *given)
    streamed = run.stdout.decode()
    end = "" if not made["text"] or made["text"].endswith("\n") else "\n"
    check(run.returncode == 0 and streamed == made["text"] + end, f"{where}, {flags}: the stream is {streamed!r}, and --json has {made['text']!r}")
    return made


def text_of(where, ids):
    return document("detokenize", "-m", where, "--skip-special", "--json", stdin=" ".join(map(str, ids)).encode())["text"]


def check_eos(name):
    """Every token of the greedy output as an end-of-sequence token beside the model's own."""
    with folder() as where:
        copy(name, where)
        for ids in prompts(name)[:2]:
            whole = both(where, ids, "--ignore-eos")
            check(whole["text"] == text_of(where, whole["ids"]), f"{name}: {whole['text']!r} is not the text of {whole['ids']}")
            for last in sorted(set(whole["ids"])):
                edit(os.path.join(where, "generation_config.json"), {"eos_token_id": [2, last], "do_sample": None})
                made = both(where, ids)
                cut = whole["ids"][:min(whole["ids"].index(e) for e in (2, last) if e in whole["ids"])]
                check(made["ids"][:-1] == cut and made["finish_reason"] == "stop", f"{name}: {made} ends at {last}")
                check(made["text"] == text_of(where, cut), f"{name}: {made['text']!r} with the end {last}, not {text_of(where, cut)!r}")
            edit(os.path.join(where, "generation_config.json"), {"eos_token_id": 2})


def check_stops(name):
    """Every character of the output as a stop string: found at the token that brings it, also where the text might still change."""
    where = os.path.join(MODELS, name)
    for ids in prompts(name)[:2]:
        whole = both(where, ids, "--ignore-eos")
        for stop in sorted(set(whole["text"]) - {"\ufffd"}):
            made = both(where, ids, "--ignore-eos", "--stop", stop)
            least = next(n for n in range(len(whole["ids"]) + 1) if stop in text_of(where, whole["ids"][:n]))
            cut = text_of(where, whole["ids"][:least])
            check(made["text"] == cut[:cut.index(stop)] and len(made["ids"]) == least, f"{name}: {made} stopped at {stop!r}, not {cut!r} after {least}")


def main():
    for name in ("qwen2-tied", "llama-mha"):
        check_eos(name)
        check_stops(name)
    finish()


if __name__ == "__main__":
    main()
