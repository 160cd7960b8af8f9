"""Writes tests/golden/tokenizers/hashes.json: what the tokenizers library makes of random strings, one hash for every 1,000 of them.

Strings come from a generator that tests/text/test_tokenizer_differential.c has too, so that only hashes need to be kept. Each string is encoded with special
tokens, and its ids go into an FNV-1a hash of 64 bits: the count, then each id, as 4 little-endian bytes.

    build-venv/bin/python tools/make_tokenizer_hashes.py tests/golden/tokenizers        (tokenizers 0.23.3)
"""
import json
import os
import sys

from tokenizers import Tokenizer

STRINGS, BLOCK = 100000, 1000
MASK = (1 << 64) - 1
WORDS = ("the fox isn't I'll HELLO World 12 345678 3.14 x=1; def f(a): return {} <s> </s> <unk> [MASK] [CLS] <|endoftext|> <mask> [NORM] myword "
         "caf\u00e9 na\u00efve stra\u00dfe \u041f\u0440\u0438\u0432\u0435\u0442 \u4f60\u597d\u4e16\u754c \u3053\u3093 \uc548\ub155 \u05e9\u05dc\u05d5\u05dd "
         "\u0645\u0631\u062d \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \ufb01x \u212b \U0001f600 \U0001f468\u200d\U0001f469").split(" ")
SPACES = [" ", "  ", "\n", "\t", "\r\n", "\n\n", "\u00a0", "\u3000", "\u2003", "\u200b", "\u2028", "   "]
MARKS = ["\u0301", "\u0308", "\u0327", "\u0323", "\u20dd", "\u093f", "\ufe0f", "\u0334"]


class Random:
    """xorshift64* (S. Vigna, https://doi.org/10.1145/2845077)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        x = self.state
        x ^= x >> 12
        x = (x ^ (x << 25)) & MASK
        x ^= x >> 27
        self.state = x
        return ((x * 0x2545F4914F6CDD1D) & MASK) % n


def scalar(random):
    kind = random.below(8)
    if kind < 3:
        c = 0x20 + random.below(0x5F)
    elif kind == 3:
        c = 0xA0 + random.below(0x760)
    elif kind < 6:
        c = 0x800 + random.below(0xF800)
    elif kind == 6:
        c = 0x10000 + random.below(0x10000)
    else:
        c = 0x20000 + random.below(0xF0000)
    return chr(0x4E00 + (c & 0xFF)) if 0xD800 <= c < 0xE000 else chr(c)


def string(random):
    out = []
    for _ in range(1 + random.below(8)):
        kind = random.below(8)
        if kind < 3:
            out.append(WORDS[random.below(len(WORDS))])
        elif kind < 5:
            out.append(SPACES[random.below(len(SPACES))])
        elif kind == 5:
            out.append(MARKS[random.below(len(MARKS))])
        elif kind == 6:
            out.append(chr(0x21 + random.below(0x5E)) * (1 + random.below(3)))
        else:
            out.append(scalar(random))
    return "".join(out)


def fnv(state, ids):
    for value in [len(ids)] + ids:
        for byte in value.to_bytes(4, "little"):
            state = ((state ^ byte) * 0x100000001B3) & MASK
    return state


def main(folder):
    out = {"strings": STRINGS, "block": BLOCK, "seed": 20250309, "tokenizers": {}}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "tokenizer.json")
        if not os.path.exists(path):
            continue
        tokenizer, random, hashes = Tokenizer.from_file(path), Random(out["seed"]), []
        for _ in range(STRINGS // BLOCK):
            state = 0xCBF29CE484222325
            for _ in range(BLOCK):
                state = fnv(state, tokenizer.encode(string(random)).ids)
            hashes.append("%016x" % state)
        out["tokenizers"][name] = hashes
    with open(os.path.join(folder, "hashes.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, indent=0)
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
