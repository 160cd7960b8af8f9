#!/usr/bin/python3
"""The habits of this code that a machine can see. Prints what breaks them, one line each, and ends with 1 where there is any.

Sizes (files over 500 lines, functions over 80) are only reported. CONTRIBUTING.md says why the rules are there.
    tools/lint.py
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CODE, PROSE = 120, 100    # columns of code, and of headers, comments and the source of docs
FILE_LINES, FUNCTION_LINES = 500, 80

# A module includes itself and those after it.
MODULES = "cli server engine text model families formats layers ops backend kernels comm base".split()
ONLY = {"text": {"text", "base"}, "kernels": {"kernels", "base"}}

ALLOCATE = re.compile(r"(?<![.>\w])(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup|asprintf|alloca)\s*\(")
SPEAK = re.compile(r"(?<![.>\w])(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|exit|_exit|abort|assert|signal|sigaction|setlocale)\s*\(")
MAY_ALLOCATE = ("src/base/memory.c", "src/cli/", "src/server/", "src/formats/checkpoint_index.c")    # the last frees what realpath hands over
MAY_SPEAK = ("src/cli/", "src/base/map_guard.c")    # the last is the one signal handler that a host can ask for
BODIES = ("src/kernels/vector/",)    # code that each vector folder compiles for itself, behind its own SIMD operations: no headers that stand alone
OTHER_PYTHON = re.compile(r"(?<![\w./-])python3?\s+(-[cm]|\S+\.py)\b|env\s+python")    # the one on PATH
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

# Old words, as patterns of whole words or parts of names between underscores, and what docs/glossary.md has in their place.
OLD_WORDS = {
    "desk": "scratch", "mend|mends|mended|mending": "recompute, or fix", "litter": "temp_files", "moods?": "noise", "breaths?|breathe": "step", "laid|lay_out": "packed, prepack, arranged",
    "plain_dim": "nope_dim", "turned": "rotated, transposed, reversed", "rooms?": "module, capacity, space, available memory", "house": "module, fixture", "nobody|anybody": "name the actor, or use the passive",
    "knows|hears?": "has, supports, gets", "v_held|tern_held": "v_in_register, tern_indexed_tensor", "is the matter": "fault, reason", "(?-i:PLACE_(?:PRE|POST|BRANCH))": "norm_pre, norm_post, norm_branch",
    "(?:de)?quantis(?:e|ed|er|ers|es|ing|ation)": "-ize", "(?:re)?normalis(?:e|ed|er|ers|es|ing|ation)": "-ize", "(?:recogn|initial|optim|serial)is(?:e|ed|er|es|ing|ation)": "-ize",
    "tern_dispatch|cpu_dispatch": "tern_gather_rows", "(?:tern|cpu)_gather(?!_)": "tern_lookup", "tern_blocks|no_block": "tern_pages, no_page", "tern_hf_(?:need_)?words?": "tern_hf_choice",
}
OLD_IN_CODE = {"words": "message, names, choices", "ask": "request", "desk": "scratch"}    # names in src and include alone: prose may have them
OLD_WORDS_MAY = ("tools/lint.py", "tests/cli/test_lint.py", "tools/demo-model/", "docs/glossary.md", "tests/fuzz/corpus/", "bench/log/", "src/families/reference_keys.c",
                 "tools/make_minilm_golden.py", "tests/families/sentence_cases.py")    # texts that go with recorded values
WORDS_OF_TEXT = ("src/text/template/",)    # there words are words of a text
OLD = [(re.compile(f"(?<![A-Za-z])(?:{old})(?![A-Za-z])", re.I), new) for old, new in OLD_WORDS.items()]
OLD_CODE = [(re.compile(rf"\b{old}\b"), new) for old, new in OLD_IN_CODE.items()]

problems = []


def problem(path, line, message):
    problems.append(f"{path}:{line}: {message}")


def tracked():
    """Files of the checkout; outside of git, those below the source folders."""
    try:
        listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        listed = [os.path.relpath(os.path.join(folder, name), ROOT) for top in ("include", "src", "tests", "bench", "examples", "tools", "docs", "cmake")
                  for folder, _, names in os.walk(os.path.join(ROOT, top)) for name in names]
    return sorted(p for p in listed if p and os.path.isfile(os.path.join(ROOT, p)) and not p.startswith(("tests/golden/", "models/")))


def bare(text):
    """C without comments, strings and characters: each is blanked, lines stay where they are."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_format(path, text):
    if text and not text.endswith("\n"):
        problem(path, text.count("\n") + 1, "no line end at the end")
    if text.endswith("\n\n"):
        problem(path, text.count("\n"), "an empty line at the end")
    for n, line in enumerate(text.split("\n"), 1):
        if "\t" in line and os.path.basename(path) != "Makefile":
            problem(path, n, "a tab")
        if line != line.rstrip() and not path.endswith(".md"):
            problem(path, n, "blanks at the line's end")
        if OTHER_PYTHON.search(line) and path != "tools/lint.py":
            problem(path, n, "the python of PATH, which may lack every module: /usr/bin/python3 is meant")
        if UNFINISHED.search(line) and path != "tools/lint.py":
            problem(path, n, "unfinished: " + UNFINISHED.search(line).group(0))


def check_words(path, text):
    """Old words: docs/glossary.md says what is written in their place."""
    if not path.startswith(("src/", "include/", "tests/", "docs/", "tools/", "bench/")) or path.startswith(OLD_WORDS_MAY):
        return
    rules = [(text, OLD)]
    if path.startswith(("src/", "include/")) and path.endswith((".c", ".h")) and not path.startswith(WORDS_OF_TEXT):
        rules.append((bare(text), OLD_CODE))
    for lines, old in rules:
        for n, line in enumerate(lines.split("\n"), 1):
            for pattern, new in old:
                found = pattern.search(line)
                if found:
                    problem(path, n, f"the old word \"{found.group(0)}\": {new}")


def check_width(path, text):
    """Code has 120 columns; headers, comments on lines of their own and prose have 100."""
    comments = set()
    for match in re.finditer(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', text, flags=re.S):
        if match.group(0)[0] == "/":
            first = text.count("\n", 0, match.start()) + 1
            own = not text[text.rfind("\n", 0, match.start()) + 1:match.start()].strip()
            comments.update(range(first + (not own), first + match.group(0).count("\n") + 1))
    for n, line in enumerate(text.split("\n"), 1):
        most = PROSE if path.endswith(".h") or n in comments else CODE
        if len(line) > most:
            problem(path, n, f"{len(line)} columns, more than {most}")


def check_prose(path, text):
    """Docs: 100 columns outside of code, tables and what cannot be broken."""
    fence = False
    for n, line in enumerate(text.split("\n"), 1):
        fence ^= line.lstrip().startswith("```")
        if len(line) > PROSE and not fence and not re.match(r"\s*[|<#]|\s*!?\[| {4}", line) and " " in line.strip()[:PROSE]:
            problem(path, n, f"{len(line)} columns, more than {PROSE}")


def check_statements(path, code):
    """One statement a line (a switch's row may end with its break), no comma between statements, no conditional in a conditional."""
    code = re.sub(r"(?m)^[ \t]*#(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code)
    depth, frames, n = 0, [[False, False]], 1
    for match in re.finditer(r"\n|[?,;(){}\[\]]", code):
        mark = match.group(0)
        if mark == "\n":
            n += 1
        elif mark in "([{":
            control = re.search(r"\b(if|for|while|switch)\s*$", code[max(0, match.start() - 12):match.start()])
            frames.append([False, False, bool(control)])
            depth += mark == "("
        elif mark in ")]}":
            inside = frames.pop() if len(frames) > 1 else [False, False, True]
            depth -= mark == ")"
            if mark != "}" and not inside[2] and (inside[0] or inside[1]):
                frames[-1][1] = True
            if mark == "}":
                frames[-1][:2] = [False, False]
        elif mark in ",;":
            frames[-1][:2] = [False, False]
            rest = code[match.end():code.index("\n", match.end())] if "\n" in code[match.end():] else ""
            begin = code[code.rfind("\n", 0, match.start()) + 1:match.start()].strip()
            row = re.match(r"(case\b.*|default\s*):", begin) and re.match(r"\s*(break|return\b[^;]*|continue|goto \w+);\s*$", rest)
            if mark == ";" and depth == 0 and re.search(r"\w", rest) and not row and not re.search(r"\b(struct|union)\b[^;{}]*\{", begin):
                problem(path, n, "two statements on a line")
        elif mark == "?":
            if frames[-1][0] or frames[-1][1] or any(f[0] for f in frames):
                problem(path, n, "a conditional inside of a conditional")
            frames[-1][0] = True


def check_mode(path):
    """What is called by its name says what runs it, and git keeps that it may be called."""
    runs = os.access(path, os.X_OK)
    with open(path, "rb") as f:
        opens = f.read(2) == b"#!"
    if runs != opens:
        problem(path, 1, "may be run and does not open with #!" if runs else "opens with #! and may not be run")


def check_c(path, text):
    code = bare(text)
    if not text.startswith("/*"):
        problem(path, 1, "does not open with what the file answers")
    check_width(path, text)
    check_statements(path, code)
    lines, codes = text.split("\n"), code.split("\n")
    for n, line in enumerate(codes, 1):
        if re.match(r"(static |const |unsigned |struct |enum |[a-z_0-9]+ )+\**[a-z_0-9]+\([^;]*\)\s*\{\s*$", line) and not line.startswith((" ", "}")):
            problem(path, n, "the brace of a function belongs on a line of its own")
        if line.lstrip().startswith("//") or re.search(r"(?<!:)//", lines[n - 1]) and re.search(r"(?<!:)//", re.sub(r'"(?:\\.|[^"\\])*"', "", lines[n - 1])) \
                and "/*" not in lines[n - 1] and "*" != lines[n - 1].strip()[:1] and not inside_comment(text, n):
            problem(path, n, "a // comment")
    if not path.startswith(("src/", "include/")):
        return
    for n, line in enumerate(codes, 1):
        if ALLOCATE.search(line) and not path.startswith(MAY_ALLOCATE):
            problem(path, n, f"{ALLOCATE.search(line).group(1)}: memory comes from base/memory.h or an arena")
        if SPEAK.search(line) and not path.startswith(MAY_SPEAK):
            problem(path, n, f"{SPEAK.search(line).group(1)}: the library does not print, end or abort")
    check_conditions(path, lines)
    check_includes(path, lines)


def inside_comment(text, n):
    before = "\n".join(text.split("\n")[:n - 1])
    return before.rfind("/*") > before.rfind("*/")


def check_conditions(path, lines):
    """#if: an include guard, extern "C"; nowhere else, as the build chooses systems and CPUs by file."""
    conditions = [(n, line.strip()) for n, line in enumerate(lines, 1) if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line)]
    for i, (n, line) in enumerate(conditions):
        guard = path.endswith(".h") and i == 0 and re.match(r"#ifndef [A-Z0-9_]+_H$", line)
        if not guard and not (path.startswith("include/") and line == "#ifdef __cplusplus"):
            problem(path, n, f"\"{line}\": systems and CPUs are chosen by the build")
    if path.endswith(".h") and not path.startswith(BODIES) and not (conditions and conditions[0][1].startswith("#ifndef ")):
        problem(path, 1, "no include guard")


def check_includes(path, lines):
    module = path.split("/")[1] if path.startswith("src/") else None
    for n, line in enumerate(lines, 1):
        match = re.match(r'#include "([^"]+)"', line)
        if not match or match.group(1).endswith(".inc"):
            continue
        other = match.group(1).split("/")[0]
        if path.startswith("include/"):
            problem(path, n, "a public header includes an internal one")
        elif other not in MODULES or module not in MODULES:
            problem(path, n, f"\"{match.group(1)}\" is in no module")
        elif MODULES.index(other) < MODULES.index(module) or (module in ONLY and other not in ONLY[module]):
            problem(path, n, f"{module} may not include {other}")


def sizes(path, text):
    """What is over size: the file, and functions, from a brace in the first column to its closing one."""
    over, start = [], None
    n_lines = text.count("\n")
    if n_lines > FILE_LINES:
        over.append(f"{path}: {n_lines} lines")
    for n, line in enumerate(bare(text).split("\n"), 1):
        if line == "{":
            start = n
        if line == "}" and start:
            if n - start - 1 > FUNCTION_LINES:
                over.append(f"{path}:{start}: a function of {n - start - 1} lines")
            start = None
    return over


def compiles_alone(path):
    """A header that needs another one first is a trap."""
    flags = os.path.join(ROOT, os.path.dirname(path), "flags.txt")
    extra = open(flags, encoding="utf-8").read().split() if os.path.exists(flags) else []
    run = subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *extra, "-Iinclude", "-Isrc", "-x", "c", "-"],
                         input=f'#include "{path}"\n'.encode(), capture_output=True, cwd=ROOT)
    return None if run.returncode == 0 else (path, run.stderr.decode().split("\n")[0:2])


def main():
    os.chdir(ROOT)
    over, headers = [], []
    for path in tracked():
        check_mode(path)
        if not path.endswith((".c", ".h", ".py", ".sh", ".cmake", ".txt", ".md", "Makefile")):
            continue
        with open(path, encoding="utf-8", newline="") as f:
            text = f.read()
        check_format(path, text)
        check_words(path, text)
        if re.match(r"docs/|[A-Z]+\.md$|.*/README\.md$", path) and path.endswith(".md"):
            check_prose(path, text)
        if path.endswith((".c", ".h")):
            check_c(path, text)
            over += sizes(path, text)
            if path.endswith(".h") and path.startswith(("src/", "include/")) and not path.startswith(BODIES):
                headers.append(path)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for failed in filter(None, pool.map(compiles_alone, headers)):
            problem(failed[0], 1, "does not compile alone: " + " ".join(failed[1]))
    print("\n".join(problems + [f"over size: {message}" for message in over]))
    print(f"{len(problems)} problems; {len(over)} over size (a report, no problem)")
    sys.exit(1 if problems else 0)


main()
