"""What the program's tests share: running build/tern, and a table of rows, each with its reason.

Used by tests/cli/test_*.py, which get the build folder as their argument.
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOLDEN = os.path.join(ROOT, "tests", "golden")
DEMO = os.path.join(ROOT, "models", "demo")
BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(ROOT, "build")
TERN = os.path.join(BUILD, "tern")
SANITIZER = ("AddressSanitizer", "UndefinedBehaviorSanitizer", "LeakSanitizer", "runtime error:", "ThreadSanitizer")

_failures = []
_checks = 0


def sanitized():
    """True where the program was built with sanitizers, and so is some times slower."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        return any(line.startswith("TERN_SANITIZE:") and line.strip().split("=", 1)[1] for line in cache)


def environment(**more):
    """The process's, without the knobs that would change what a test sees."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TERN_")}
    env.update(more)
    return env


def tern(*args, stdin=b"", timeout=300, env=None, **more):
    """Runs the program; stdout and stderr as bytes."""
    return subprocess.run([TERN, *args], input=stdin, capture_output=True, timeout=timeout, env=env or environment(), **more)


def document(*args, **more):
    """The JSON document that the program prints: one, in one line, with exit status 0."""
    run = tern(*args, **more)
    assert run.returncode == 0, f"tern {' '.join(args)}: exit {run.returncode}: {run.stderr.decode(errors='replace')}"
    return json.loads(run.stdout.decode("utf-8"), parse_constant=lambda word: _refuse(word))


def _refuse(word):
    raise ValueError(f"{word} is not JSON")


def check(ok, message):
    """Counts a check; a failed one is printed and makes the script fail at its end."""
    global _checks
    _checks += 1
    if not ok:
        _failures.append(message)
        print("FAILED:", message, flush=True)
    return ok


def one_sentence(run, message):
    """A failure as the program must report it: exit 1, nothing of a crash, one line on stderr that begins with its name."""
    text = run.stderr.decode(errors="replace")
    lines = [line for line in text.split("\n") if line and not line.startswith("tern: seed ")]
    check(run.returncode == 1, f"{message}: exit {run.returncode}: {text[-2000:]}")
    check(len(lines) == 1 and lines[0].startswith("tern: ") and len(lines[0]) > 12, f"{message}: not one sentence: {text[-2000:]}")
    check(not any(word in text for word in SANITIZER), f"{message}: {text[-2000:]}")


def isas():
    """The instruction sets of this build that this machine runs, and those that it does not."""
    sets = document("ops", "--json")["instruction_sets"]
    return [s["name"] for s in sets if s["usable"]], [s["name"] for s in sets if not s["usable"]]


def folder():
    """A temporary directory, as a context manager."""
    return tempfile.TemporaryDirectory(prefix="tern-test-")


def finish():
    """Ends the script: its status is 1 where a check failed, or where there was none."""
    print(f"{_checks} checks, {len(_failures)} failed")
    sys.exit(1 if _failures or not _checks else 0)
