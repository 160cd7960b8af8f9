"""tools/lint.py finds nothing here, and finds what it looks for in files that break each rule.

labels: lint
"""
import os
import shutil
import subprocess
import sys

from rig import ROOT, check, environment, finish, folder

BAD = {
    "src/base/tab.c": ("/* x */\nint a;\t\n", "a tab"),
    "src/base/blank.c": ("/* x */\nint a; \n", "blanks at the line's end"),
    "src/base/end.c": ("/* x */\nint a;", "no line end"),
    "src/base/long.c": ("/* x */\nint a" + " " * 300 + ";\n", "columns"),
    "src/base/comment.c": ("/* x */\n/* " + "a " * 50 + "*/\nint a;\n", "columns, more than 100"),
    "src/base/wide.h": ("/* x */\n#ifndef A_H\n#define A_H\nint " + "a" * 100 + ";\n#endif\n", "columns, more than 100"),
    "src/base/two.c": ("/* x */\nvoid f(void)\n{\n    int a; a = 1;\n}\n", "two statements on a line"),
    "src/base/body.c": ("/* x */\nvoid f(int a)\n{\n    if (a) a = 1; a = 2;\n}\n", "two statements on a line"),
    "src/base/choose.c": ("/* x */\nint f(int a)\n{\n    return a < 0 ? -1 : a > 0 ? 1 : 0;\n}\n", "a conditional inside of a conditional"),
    "src/base/inner.c": ("/* x */\nint f(int a, int b)\n{\n    return a ? f(b ? 1 : 2, 0) : 0;\n}\n", "a conditional inside of a conditional"),
    "docs/long.md": ("words " * 20 + "\n", "columns, more than 100"),
    "src/base/alloc.c": ("/* x */\nvoid f(void)\n{\n    malloc(1);\n}\n", "malloc"),
    "src/base/speak.c": ('/* x */\nvoid f(void)\n{\n    printf("x");\n}\n', "printf"),
    "src/base/dies.c": ("/* x */\nvoid f(void)\n{\n    abort();\n}\n", "abort"),
    "src/base/asserts.c": ("/* x */\nvoid f(int a)\n{\n    assert(a);\n}\n", "assert"),
    "src/base/condition.c": ("/* x */\n#ifdef __linux__\n#endif\n", "chosen by the build"),
    "src/base/upward.c": ('/* x */\n#include "engine/engine.h"\n', "base may not include engine"),
    "src/text/aside.c": ('/* x */\n#include "model/model.h"\n', "text may not include model"),
    "src/base/nowhere.c": ('/* x */\n#include "pool.h"\n', "in no module"),
    "src/base/silent.c": ("int a;\n", "does not open with"),
    "src/base/brace.c": ("/* x */\nint f(void) {\n    return 1;\n}\n", "brace of a function"),
    "src/base/later.c": ("/* x */\nint a;    /* TO" + "DO: b */\n", "unfinished"),
    "src/base/slashes.c": ("/* x */\nint a;    // b\n", "a // comment"),
    "src/base/unguarded.h": ("/* x */\nint a;\n", "no include guard"),
    "src/base/needy.h": ("/* x */\n#ifndef A_H\n#define A_H\nbool f(void);\n#endif\n", "does not compile alone"),
    "tools/setup.sh": ("#!/bin/sh\ntrue | pyt" + "hon3 -c 1\n", "the python of PATH"),
    "tools/called.py": ("#!/usr/bin/env pyt" + "hon3\n", "the python of PATH"),
    "tools/script.py": ("#!/usr/bin/python3\n", "opens with #! and may not be run"),
    "include/tern/internal.h": ('/* x */\n#ifndef A_H\n#define A_H\n#include "base/pool.h"\n#endif\n', "a public header includes an internal one"),
    **{f"src/base/old_{i}.c": (f"/* {text} */\nint a;\n", "the old word") for i, text in enumerate((
        "a desk", "mended", "litter", "its moods", "in breaths", "laid out", "lay_out", "plain_dim", "turned_dim", "room", "ROOMS", "a house", "nobody", "anybody", "knows", "hears", "v_held", "tern_held",
        "what is the matter", "PLACE_PRE", "quantise", "tern_dequantise_range", "renormalised", "recognised", "tern_dispatch", "tern_gather", "tern_blocks", "TERN_NO_BLOCK", "tern_hf_word"))},
    "src/base/old_name.c": ("/* x */\nint words;\n", "the old word \"words\""),
    "include/tern/old_name.h": ("/* x */\n#ifndef A_H\n#define A_H\nextern int ask;\n#endif\n", "the old word \"ask\""),
    "tests/base/old_text.py": ("# a message of moods\n", "the old word"),
    "docs/old_text.md": ("A house.\n", "the old word"),
}
GOOD = "/* malloc( and printf( in message are no calls: see http://a.b */\nconst char *f(void)\n{\n    return \"abort() // TO\";\n}\n"


def lint(root):
    return subprocess.run([sys.executable, os.path.join(root, "tools", "lint.py")], capture_output=True, text=True, env=environment())


def main():
    here = lint(ROOT)
    check(here.returncode == 0, here.stdout[-6000:] + here.stderr[-2000:])
    print(here.stdout[-2000:])
    for path, (text, message) in [*BAD.items(), ("src/base/good.c", (GOOD, None))]:
        with folder() as root:
            os.makedirs(os.path.join(root, "tools"))
            shutil.copy(os.path.join(ROOT, "tools", "lint.py"), os.path.join(root, "tools"))
            target = os.path.join(root, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as f:
                f.write(text)
            run = lint(root)
            if message:
                check(run.returncode == 1 and path in run.stdout and message in run.stdout, f"{path}: {run.stdout}{run.stderr}")
            else:
                check(run.returncode == 0, f"{path}: {run.stdout}{run.stderr}")
    finish()


main()
