"""The examples of README.md, docs/*.md and CONTRIBUTING.md: fenced blocks of kind "console" are run, and what they print is what stands there.

labels: docs

In a block, a line that begins with "$ " is a command for bash, in the root of the sources, where tern and build/tern are the program of the build folder; the lines after it are its
stdout and stderr. "..." stands for any rest of a line, or as a line of its own for any lines. A block of another kind is not run.
"""
import os
import re
import subprocess

from rig import BUILD, ROOT, TERN, check, environment, finish, folder

PAGES = ["README.md", "CONTRIBUTING.md"] + [os.path.join("docs", name) for name in sorted(os.listdir(os.path.join(ROOT, "docs"))) if name.endswith(".md")]


def blocks(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    for match in re.finditer(r"^( *)```console\n(.*?)^ *```", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 1, match.group(2)


def commands(block):
    """(command, the lines that it prints); a command goes on over lines that end with a backslash."""
    found = []
    for line in block.split("\n")[:-1]:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1][0] += "\n" + line
        elif found:
            found[-1][1].append(line)
    return found


def pattern(lines):
    parts = []
    for line in lines:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append(".*".join(re.escape(part) for part in line.split("...")) + r"[ ]*\n")
    return "".join(parts) + r"\Z"


def main():
    ran = 0
    with folder() as place:
        env = environment(PATH=BUILD + os.pathsep + os.environ["PATH"], TMPDIR=place, OUT=place)
        for page in PAGES:
            for line, block in blocks(page):
                for command, lines in commands(block):
                    run = subprocess.run(["bash", "-c", command.replace("build/tern", TERN)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, env=env, timeout=300)
                    text = run.stdout.decode(errors="replace")
                    text += "" if not text or text.endswith("\n") else "\n"
                    check(re.match(pattern(lines), text), f"{page}:{line}: $ {command}\nprints\n{text}and not\n" + "\n".join(lines))
                    ran += 1
    check(ran >= 10, f"{ran} examples were run")
    finish()


main()
