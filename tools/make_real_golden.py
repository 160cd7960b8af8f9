"""What Hugging Face transformers makes of the real models of tools/real/models.py, for `make real`: greedy tokens and their texts, answers of a chat, vectors. Run once by hand:

    build-venv/bin/python tools/make_real_golden.py build-real tests/golden/real [smollm2] [gemma3]

build-real keeps the downloads. tests/golden/real/README.md describes the files; minilm.json comes from tools/make_minilm_golden.py.
"""
import json
import os
import sys

import torch
import transformers as tf

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "real"))
import models    # noqa: E402

LEAST_MARGIN, MOST_TOKENS = 0.003, 24
PROMPTS = ["The capital of France is", "def fibonacci(n):\n    ", "Once upon a time, in a village by the sea,", "東京は"]
CHATS = {"smollm2": [{"system": None, "turns": ["What is the capital of Italy?", "And of Spain?"]}, {"system": "You answer in one short sentence.", "turns": ["Why is the sky blue?"]}]}
SENTENCES = ["How do swifts sleep?", "The treaty was signed in 1648, after thirty years of war.", "naïve café — déjà vu 🙂"]


def digits(values):
    return [float(f"{float(v):.7g}") for v in values]


def greedy(model, ids, most, ends=()):
    """Tokens until one has no clear margin or ends, the least margin, and the eight largest logits of the first step."""
    made, least, first, given, cache = [], 1e9, None, list(ids), None
    for _ in range(most):
        out = model(torch.tensor([given]), past_key_values=cache, use_cache=True)
        cache, top = out.past_key_values, out.logits[0, -1].topk(8)
        margin = float(top.values[0] - top.values[1])
        if margin < LEAST_MARGIN:
            break
        first = first or [[int(i), digits([v])[0]] for i, v in zip(top.indices, top.values)]
        least = min(least, margin)
        made.append(int(top.indices[0]))
        given = made[-1:]
        if made[-1] in ends:
            break
    return made, least, first


def prompts_of(model, tokenizer):
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt)["input_ids"]
        made, least, first = greedy(model, ids, MOST_TOKENS)
        cases.append({"prompt": prompt, "prompt_ids": ids, "greedy": made, "margin": least, "text": tokenizer.decode(made, skip_special_tokens=True), "first_top8": first})
        print(cases[-1], flush=True)
    return cases


def chats_of(model, tokenizer, chats):
    """Turns whose answers end by themselves, or are cut at MOST_TOKENS; a chat whose margins are not clear is an error of the question."""
    cases = []
    for chat in chats:
        messages, answers = ([{"role": "system", "content": chat["system"]}] if chat["system"] else []), []
        for turn in chat["turns"]:
            messages.append({"role": "user", "content": turn})
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            made, least, _ = greedy(model, tokenizer(text, add_special_tokens=False)["input_ids"], MOST_TOKENS, (tokenizer.eos_token_id,))
            if len(made) < MOST_TOKENS and made[-1] != tokenizer.eos_token_id:
                raise SystemExit(f"{turn!r}: no clear margin behind {tokenizer.decode(made)!r}")
            answers.append(tokenizer.decode(made, skip_special_tokens=True))
            messages.append({"role": "assistant", "content": answers[-1]})
        cases.append({**chat, "tokens": MOST_TOKENS, "answers": answers})
        print(cases[-1], flush=True)
    return cases


def vectors_of(model, tokenizer):
    """The mean of the last hidden states, of length 1."""
    cases = []
    for text in SENTENCES:
        ids = tokenizer(text)["input_ids"]
        mean = model.model(torch.tensor([ids]), use_cache=False).last_hidden_state[0].mean(0)
        cases.append({"text": text, "ids": ids, "vector": digits(mean / mean.norm())})
    return cases


def main():
    torch.set_num_threads(1)
    home, out = sys.argv[1:3]
    for name in sys.argv[3:] or ["smollm2", "gemma3"]:
        folder = models.folder_of(name, home)
        tokenizer = tf.AutoTokenizer.from_pretrained(folder)
        model = tf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        with torch.no_grad():
            expected = {"packages": models.MODELS[name][0], "made_with": f"transformers {tf.__version__}, torch {torch.__version__.split('+')[0]}, float32, attention eager",
                        "prompts": prompts_of(model, tokenizer), "chats": chats_of(model, tokenizer, CHATS.get(name, [])), "embeddings": vectors_of(model, tokenizer)}
        with open(os.path.join(out, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(expected, f, ensure_ascii=False)


main()
