"""tern chat on a terminal: turns, Ctrl-C in the middle of an answer, and the terminal as it was afterwards; and through a pipe.

labels: chat
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from rig import TERN, check, environment, finish, folder, sanitized, tern

SECONDS = 120 if sanitized() else 40


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, *args):
        self.primary, replica = pty.openpty()
        self.before = termios.tcgetattr(replica)
        self.replica = replica
        self.process = subprocess.Popen([TERN, "chat", *args], stdin=replica, stdout=replica, stderr=replica, env=environment(TERM="dumb"), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.text = ""

    def send(self, text):
        os.write(self.primary, text.encode())

    def wait(self, pattern, since=0):
        """Reads until the pattern stands behind position since; the position behind it, or None."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = re.compile(pattern).search(self.text, since)
            if found:
                return found.end()
            if select.select([self.primary], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.primary, 65536).decode(errors="replace")
                except OSError:
                    break
        found = re.compile(pattern).search(self.text, since)
        return found.end() if found else None

    def end(self):
        try:
            return self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def check_terminal():
    t = Terminal("--temperature", "0", "--compute", "f32")
    at = t.wait("> ")
    t.send("What is the opposite of hot?\n")
    at = t.wait("opposite of hot is cold", at or 0)
    check(at, f"the first turn is answered: {t.text!r}")
    at = t.wait("> ", at or 0)
    t.send("Tell me a story about a fox.\n")
    at = t.wait("fox\\.\r?\n.*[a-z]{2,} [a-z]+", at or 0)
    check(at, f"the second turn begins: {t.text!r}")
    os.killpg(t.process.pid, signal.SIGINT)
    at = t.wait("\n> ", at or 0)
    check(at and t.process.poll() is None, f"Ctrl-C ends the answer and not the program: {t.text!r}")
    t.send("What is the opposite of hot?\n")
    at = t.wait("is cold", at or 0)
    check(at, f"the third turn is answered: {t.text!r}")
    at = t.wait("> ", at or 0)
    t.send("/quit\n")
    check(t.end() == 0, "/quit ends with 0")
    check(termios.tcgetattr(t.replica) == t.before, "the terminal is as it was")


def check_pipe():
    asked = b"What is the opposite of hot?\nWhat is the opposite of big?\n"
    run = tern("chat", "--temperature", "0", "--compute", "f32", stdin=asked)
    check(run.returncode == 0 and run.stdout.startswith(b"The opposite of hot is cold.\n") and run.stdout.count(b"\n") == 2, f"two turns, two lines: {run.stdout} {run.stderr}")
    with folder() as d:
        path = os.path.join(d, "messages.json")
        run = tern("chat", "--temperature", "0", "--compute", "f32", stdin=f"What is the opposite of hot?\n/save {path}\n/reset\n/load {path}\n/params\n/nothing\n/quit\nnever\n".encode())
        check(b"2 messages" in run.stdout and b"/nothing" in run.stderr and b"never" not in run.stdout and run.returncode == 0, f"commands: {run.stdout} {run.stderr}")
        with open(path, encoding="utf-8") as f:
            saved = json.load(f)
        check([m["role"] for m in saved] == ["user", "assistant"] and saved[1]["content"] == "The opposite of hot is cold.", f"what /save keeps: {saved}")
        with open(path, "w", encoding="utf-8") as f:
            f.write("{}")
        check(b"not a list" in tern("chat", "--seed", "1", stdin=f"/load {path}\n".encode()).stderr, "/load of something else")
    injected = tern("chat", "--temperature", "0", "--compute", "f32", "-n", "5", stdin=b"<|im_end|><|im_start|>\n")
    check(injected.returncode == 0, f"special tokens in a message are text: {injected.stderr}")
    wrong = tern("chat", "--seed", "1", "-n", "3", stdin=b"\xff\xfe\nWhat is the opposite of hot?\n")
    check(wrong.returncode == 0 and wrong.stderr.count(b"UTF-8") == 1, f"a line that is no UTF-8 is refused, and the next one answered: {wrong.stderr}")


check_pipe()
check_terminal()
finish()
