"""Encoding speed on one thread next to the tokenizers library, on ordinary text: a line for each golden tokenizer, with the ratio.

    build-venv/bin/python bench/tokenizers.py BUILD_FOLDER FILE...        (FILE: UTF-8 text)
"""
import ctypes as c
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.pop(0)    # this folder would hide the package of the same name
from tokenizers import Tokenizer  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "tokenizers")
CHUNK, ROUNDS = 4000, 5


class CtxOptions(c.Structure):
    _fields_ = [("threads", c.c_int), ("isa", c.c_char_p), ("log", c.c_void_p), ("log_user", c.c_void_p), ("guard_files", c.c_int)]


class EncodeOptions(c.Structure):
    _fields_ = ([(name, c.c_bool) for name in ("add_special", "parse_special", "detail", "truncate")] + [("pair", c.c_char_p)]
                + [(name, c.c_size_t) for name in ("n_pair_bytes", "max_tokens")] + [(name, c.c_bool) for name in ("lower_case", "pad")])


def best(call, chunks):
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for chunk in chunks:
            call(chunk)
        times.append(time.perf_counter() - begin)
    return min(times)


def main(build, files):
    lib = c.CDLL(os.path.join(build, "libtern.so"))
    ctx, options = c.c_void_p(), EncodeOptions(add_special=True, parse_special=True)
    lib.tern_tokenizer_encode.argtypes = [c.c_void_p, c.c_char_p, c.c_size_t, c.c_void_p, c.c_void_p]
    assert lib.tern_ctx_create(c.byref(CtxOptions(threads=1)), c.byref(ctx)) == 0
    text = "".join(open(f, encoding="utf-8").read() for f in files)
    chunks = [text[i:i + CHUNK] for i in range(0, len(text), CHUNK)]
    raw, megabytes = [chunk.encode() for chunk in chunks], len(text.encode()) / 1e6
    for name in sorted(os.listdir(GOLDEN)):
        if not os.path.isdir(os.path.join(GOLDEN, name)):
            continue
        tok, encoding, other = c.c_void_p(), c.create_string_buffer(256), Tokenizer.from_file(os.path.join(GOLDEN, name, "tokenizer.json"))
        assert lib.tern_tokenizer_open(ctx, os.path.join(GOLDEN, name).encode(), c.byref(tok)) == 0
        ours = best(lambda b: lib.tern_tokenizer_encode(tok, b, len(b), c.byref(options), encoding), raw)
        theirs = best(other.encode, chunks)
        print(f"{name:24} tern {megabytes / ours:6.1f} MB/s   tokenizers {megabytes / theirs:6.1f} MB/s   ratio {theirs / ours:4.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
