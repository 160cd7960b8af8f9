"""generation_config.json: each key of the reference's class is followed, named in one warning, or without effect there; ids that the vocabulary lacks are told of and
refuse nothing; max_length bounds the text.
"""
import json
import os

from copies import MODELS, copy, edit
from rig import GOLDEN, check, document, finish, folder, one_sentence, tern

FOLLOWED = ("do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens", "max_length", "eos_token_id", "bos_token_id", "pad_token_id")
# A second model's tokens are checked by the first: another use of the random numbers, and the same distribution.
SPECULATION = ("assistant_early_exit", "prompt_lookup_num_tokens", "use_mtp", "is_assistant")
REASONS = {"compile_config": "how Python compiles it"}    # what raises there for being no object of its class


def generate(where, *flags):
    return tern("generate", "-m", where, "--ids", "5,17,33,8", "-n", "4", "--temperature", "0", "--json", *flags)


def check_key(where, path, key, row):
    edit(path, {"eos_token_id": 2, key: row["value"]})
    run = generate(where)
    told = run.stderr.decode()
    named = f'"{key}"' in told and "not followed" in told
    check(run.returncode == 0 and told.count("\n") == named, f"{key}: {run.returncode}, {told}")
    matters = row["effect"] != "none" and key not in SPECULATION and key not in REASONS
    check(named or key in FOLLOWED or not matters, f"{key}: the reference's tokens change ({row['effect']}), and no list says that it is not followed")
    check(not (named and key in FOLLOWED), f"{key} is followed, and told of: {told}")
    edit(path, {key: None})


def check_keys():
    with open(os.path.join(GOLDEN, "generation", "keys.json"), encoding="utf-8") as f:
        keys = json.load(f)["keys"]
    with folder() as where:
        copy("llama-mha", where)
        path = os.path.join(where, "generation_config.json")
        os.remove(path)
        for key, row in keys.items():
            check_key(where, path, key, row)
        several = {"num_beams": 4, "typical_p": 0.9, "diversity_penalty": 0.5, "encoder_no_repeat_ngram_size": 2}
        edit(path, several)
        told = generate(where).stderr.decode()
        check(told.count("\n") == 1 and all(f'"{key}" {value}' in told for key, value in several.items()), f"several in one line: {told}")
        edit(path, {"num_beams": 1, "typical_p": 1.0, "diversity_penalty": 0.0, "encoder_no_repeat_ngram_size": 0})
        check(not generate(where).stderr, "at the values that change nothing they are not told of")


def check_ids():
    """Beyond the vocabulary: told of. An end that never comes ends nothing, a beginning that is none is not put in."""
    with folder() as where:
        copy("qwen2-tied", where)
        path = os.path.join(where, "generation_config.json")
        vocab = document("info", "-m", where, "--json")["vocab"]
        plain = json.loads(generate(where).stdout)
        for key, values in (("eos_token_id", (vocab, [2, vocab], 2**31, -5)), ("bos_token_id", (vocab, -1)), ("pad_token_id", (vocab, -2))):
            for value in values:
                for file in ("generation_config.json", "config.json"):
                    if file == "config.json":
                        edit(path, {key: None})
                    edit(os.path.join(where, file), {key: value})
                    run = generate(where)
                    told = run.stderr.decode()
                    bad = value[1] if isinstance(value, list) else value
                    check(run.returncode == 0 and told.count("\n") == 1 and f'"{key}" {bad}' in told and f"vocabulary of {vocab}" in told, f"{file}: {key} {value}: {run.returncode}, {told}")
                    check(run.returncode == 0 and json.loads(run.stdout)["ids"] == plain["ids"], f"{key} {value}: the tokens")
                    check(tern("info", "-m", where).returncode == 0, f"info with {key} {value}")
                edit(os.path.join(where, "config.json"), {key: {"eos_token_id": 2, "bos_token_id": 1}.get(key)})
        edit(path, {"eos_token_id": 2, "bos_token_id": None, "pad_token_id": -1})
        check(not generate(where).stderr, "a pad of -1 is none")
        edit(path, {"eos_token_id": "2"})
        one_sentence(generate(where), "an id that is no number")


def check_lengths():
    with folder() as where:
        copy("llama-mha", where)
        path = os.path.join(where, "generation_config.json")
        line = ("-m", where, "--ids", "5,17,33,8", "--ignore-eos", "--json", "--temperature", "0")
        for values, n in (({"max_length": 11}, 7), ({"max_length": 11, "max_new_tokens": 5}, 5), ({"max_length": 3, "max_new_tokens": None}, 1), ({"max_length": None, "max_new_tokens": 6}, 6)):
            edit(path, values)
            check(document("generate", *line)["usage"]["completion_tokens"] == n, f"{values}: {n} tokens")
            check(document("generate", *line, "-n", "9")["usage"]["completion_tokens"] == 9, f"{values}: a flag wins")


def main():
    check(os.path.isdir(MODELS), "the models")
    check_keys()
    check_ids()
    check_lengths()
    finish()


if __name__ == "__main__":
    main()
