"""Writes tests/golden/generation/keys.json: each key of transformers' GenerationConfig (5.24.0), a value of it, and whether that value changes what generate() gives
for a small model, greedy or drawn by a fixed seed, with one beam or with two.

    build-venv/bin/python tools/make_generation_keys.py
"""
import json
import os
import warnings

import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "tests", "golden", "generation", "keys.json")
MODEL = os.path.join(ROOT, "tests", "golden", "models", "llama-mha")
PROMPT = [5, 17, 33, 8, 17, 33, 5]
VALUES = {
    "_from_model_config": True, "assistant_confidence_threshold": 0.9, "assistant_early_exit": 1, "assistant_ensemble_weight": 0.5, "assistant_lookbehind": 3,
    "bad_words_ids": [[40], [41]], "begin_suppress_tokens": list(range(3, 300)), "bos_token_id": 7, "cache_config": {"a": 1}, "cache_implementation": "static", "compile_config": {"a": 1},
    "constraints": [1], "continuous_batching_config": {"a": 1}, "decoder_start_token_id": 7, "disable_compile": True, "diversity_penalty": 0.5, "do_sample": True, "dola_layers": "low",
    "early_stopping": True, "encoder_no_repeat_ngram_size": 1, "encoder_repetition_penalty": 9.0, "eos_token_id": list(range(3, 400, 7)), "epsilon_cutoff": 0.1, "eta_cutoff": 0.5,
    "exponential_decay_length_penalty": [1, 2.0], "force_words_ids": [[40]], "forced_bos_token_id": 9, "forced_eos_token_id": 9, "guidance_scale": 5.0, "is_assistant": True,
    "length_penalty": 3.0, "low_memory": True, "max_cache_len": 99, "max_length": 12, "max_matching_ngram_size": 3, "max_new_tokens": 3, "max_time": 1e-9, "min_length": 19, "min_new_tokens": 12,
    "min_p": 0.9, "no_repeat_ngram_size": 1, "num_assistant_tokens": 3, "num_assistant_tokens_schedule": "heuristic", "num_beam_groups": 2, "num_beams": 3, "num_return_sequences": 2,
    "output_attentions": True, "output_hidden_states": True, "output_logits": True, "output_scores": True, "pad_token_id": 4, "penalty_alpha": 0.6, "prefill_chunk_size": 2,
    "prompt_lookup_num_tokens": 2, "remove_invalid_values": True, "renormalize_logits": True, "repetition_penalty": 5.0, "return_dict_in_generate": True, "sequence_bias": [[[40], 99.0]],
    "speculation_type": "x", "stop_strings": ["e", "a"], "suppress_tokens": list(range(3, 300)), "target_lookbehind": 3, "temperature": 9.0, "token_healing": True, "top_h": 0.1, "top_k": 1,
    "top_p": 0.01, "transformers_version": "4.0", "typical_p": 0.05, "use_cache": False, "use_mtp": True, "watermarking_config": {"bias": 9.0}, "max_window_size": 3,
}


def tokens(model, tokenizer, given):
    """What generate() gives; "raises" where it does."""
    out = []
    for sample in (False, True):
        try:
            torch.manual_seed(3)
            made = {"max_length": 20, "do_sample": sample, "eos_token_id": 2, "pad_token_id": 0, **given}
            config = transformers.GenerationConfig.from_dict(made)
            got = model.generate(torch.tensor([PROMPT]), attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long), generation_config=config, tokenizer=tokenizer)
            out.append((got.sequences if hasattr(got, "sequences") else got).tolist())
        except Exception as e:    # a value that the class refuses, or that needs more than a model
            out.append("raises")
            print(next(iter(given), ""), repr(e)[:120])
    return out


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    keys = sorted(key for key in vars(transformers.GenerationConfig()) if not key.startswith("_") or key == "_from_model_config")
    assert set(keys) <= set(VALUES), set(keys) - set(VALUES)
    model.generation_config = transformers.GenerationConfig(eos_token_id=2, pad_token_id=0)
    plain = tokens(model, tokenizer, {})
    rows = []
    for key in keys:
        got = tokens(model, tokenizer, {key: VALUES[key]})
        effect = "raises" if "raises" in got else "changes" if got != plain else "none"
        rows.append('%s: {"value": %s, "effect": "%s"}' % (json.dumps(key), json.dumps(VALUES[key]), effect))
        print(key, effect)
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as f:
        f.write('{"transformers": "%s", "keys": {\n' % transformers.__version__ + ",\n".join(rows) + "\n}}\n")


main()
