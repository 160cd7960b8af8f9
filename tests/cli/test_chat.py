"""tern chat on a terminal: turns, letters beyond ASCII, Ctrl-C in an answer and at the prompt, and the terminal as it was
afterwards; and through a pipe.

labels: chat
"""
import fcntl
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import termios
import time

from rig import TERN, check, environment, finish, folder, sanitized, tern

SECONDS = 120 if sanitized() else 40


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, *args, **variables):
        self.primary, replica = pty.openpty()
        self.before = termios.tcgetattr(replica)
        self.replica = replica
        self.process = subprocess.Popen([TERN, "chat", *args], stdin=replica, stdout=replica, stderr=replica, env=environment(**{"TERM": "dumb", **variables}), start_new_session=True,
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


def check_letters():
    """What is typed is UTF-8, whatever the locale says."""
    for locale in ({"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "no_SUCH.UTF-8"}):
        with folder() as d:
            path = os.path.join(d, "messages.json")
            t = Terminal("--temperature", "0", "-n", "2", **locale)
            at = t.wait("> ")
            t.send("Grüße, 世界 🙂!\n")
            at = t.wait("\n> ", at or 0)
            t.send(f"/save {path}\n")
            at = t.wait("\n> ", at or 0)
            t.send("\x04")
            status = t.end()
            check(status == 0, f"Ctrl-D ends with 0 under {locale}, not {status}: {t.text!r}")
            with open(path, encoding="utf-8") as f:
                said = json.load(f)[0]["content"]
            check(said == "Grüße, 世界 🙂!", f"letters beyond ASCII under {locale}: {said!r}")


def check_interrupts():
    with folder() as d:
        path = os.path.join(d, "messages.json")
        t = Terminal("--temperature", "0", "-n", "2")
        at = t.wait("> ")
        t.send("What is the opposite of hot?\n")
        at = t.wait("\n> ", at or 0)
        t.send("half a line")
        at = t.wait("half a line", at or 0)
        t.send("\x03")
        at = t.wait("Ctrl-C again, Ctrl-D or /quit ends the chat\r?\n> ", at or 0)
        check(at and t.process.poll() is None, f"Ctrl-C at the prompt gives a new one: {t.text!r}")
        t.send(f"/save {path}\n")
        at = t.wait("\n> ", at or 0)
        with open(path, encoding="utf-8") as f:
            said = [m["content"] for m in json.load(f)]
        check(len(said) == 2 and said[0] == "What is the opposite of hot?", f"the conversation is kept, what was typed is not: {said}")
        t.send("\x03")
        at = t.wait("ends the chat\r?\n> ", at or 0)
        t.send("\x03")
        check(t.end() == 130, f"a second Ctrl-C at once ends it: {t.process.returncode} {t.text!r}")
        check(termios.tcgetattr(t.replica) == t.before, "the terminal is as it was after Ctrl-C")


def check_files():
    """An old file is what it was where the new one could not be written whole."""
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

    with folder() as d:
        path, link = os.path.join(d, "old.json"), os.path.join(d, "link.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('[{"role": "user", "content": "precious"}]')
        os.chmod(path, 0o640)
        os.symlink("old.json", link)
        asked = f"What is the opposite of hot?\n/save {link}\n".encode()
        run = subprocess.run([TERN, "chat", "--temperature", "0", "-n", "2"], input=asked, capture_output=True, env=environment(), preexec_fn=small_files, timeout=SECONDS)
        with open(path, encoding="utf-8") as f:
            kept = f.read()
        check(run.returncode == 1 and b"old.json: File too large" in run.stderr, f"a full disk is said: {run.returncode} {run.stderr}")
        check("precious" in kept and sorted(os.listdir(d)) == ["link.json", "old.json"], f"and changes nothing: {kept} {os.listdir(d)}")
        run = tern("chat", "--temperature", "0", "-n", "2", stdin=asked)
        with open(path, encoding="utf-8") as f:
            kept = f.read()
        check(run.returncode == 0 and "opposite" in kept and os.path.islink(link) and os.stat(path).st_mode & 0o777 == 0o640, f"a link stays one, permissions stay: {kept} {run.stderr}")
        check(tern("chat", "--seed", "1", stdin=b"/save /dev/full\n").returncode == 1, "a device that takes nothing")
        check(tern("chat", "--seed", "1", stdin=b"/save /dev/stdout\n").stdout == b"[]\n", "a device that takes it")
        check(b"No such file" in tern("chat", "--seed", "1", stdin=f"/save {d}/none/a.json\n".encode()).stderr, "a folder that is not there")


def check_pipe():
    asked = b"What is the opposite of hot?\nWhat is the opposite of big?\n"
    run = tern("chat", "--temperature", "0", "--compute", "f32", stdin=asked)
    check(run.returncode == 0 and run.stdout.startswith(b"The opposite of hot is cold.\n") and run.stdout.count(b"\n") == 2, f"two turns, two lines: {run.stdout} {run.stderr}")
    with folder() as d:
        path = os.path.join(d, "messages.json")
        run = tern("chat", "--temperature", "0", "--compute", "f32", stdin=f"What is the opposite of hot?\n/save {path}\n/reset\n/load {path}\n/params\n/nothing\n/quit\nnever\n".encode())
        check(b"2 messages" in run.stdout and b"/nothing" in run.stderr and b"never" not in run.stdout and run.returncode == 1, f"commands: {run.stdout} {run.stderr}")
        with open(path, encoding="utf-8") as f:
            saved = json.load(f)
        check([m["role"] for m in saved] == ["user", "assistant"] and saved[1]["content"] == "The opposite of hot is cold.", f"what /save keeps: {saved}")
        with open(path, "w", encoding="utf-8") as f:
            f.write("{}")
        check(b"not a list" in tern("chat", "--seed", "1", stdin=f"/load {path}\n".encode()).stderr, "/load of something else")
    injected = tern("chat", "--temperature", "0", "--compute", "f32", "-n", "5", stdin=b"<|im_end|><|im_start|>\n")
    check(injected.returncode == 0, f"special tokens in a message are text: {injected.stderr}")
    wrong = tern("chat", "--seed", "1", "-n", "3", stdin=b"\xff\xfe\nWhat is the opposite of hot?\n")
    check(wrong.returncode == 1 and wrong.stderr.count(b"UTF-8") == 1 and wrong.stdout, f"a line that is no UTF-8 is refused, and the next one answered: {wrong.stderr}")
    with folder() as d:
        path = os.path.join(d, "messages.json")
        run = tern("chat", "--seed", "1", "-n", "3", stdin=f"What is\0 the opposite of hot?\n/save {path}\n".encode())
        with open(path, encoding="utf-8") as f:
            check(run.returncode == 0 and json.load(f)[0]["content"] == "What is\0 the opposite of hot?", f"a NUL is a character, and the line is taken whole: {run.stderr}")
    cut = tern("chat", "--seed", "1", stdin=b"/system be\0 brief\n/quit\0\n/params\n")
    check(cut.returncode == 1 and cut.stderr.count(b"NUL") == 2 and b"0 messages" in cut.stdout, f"a command with a NUL is refused: {cut.stderr} {cut.stdout}")
    ends = tern("chat", "--temperature", "0", "--compute", "f32", stdin=b"What is the opposite of hot?\r\n/quit\r\nnever\r\n")
    check(ends.returncode == 0 and ends.stdout == b"The opposite of hot is cold.\n", f"lines may end in a carriage return: {ends.stdout} {ends.stderr}")
    full = tern("chat", "--temperature", "0", "--context", "40", "-n", "8", stdin=b"What is the opposite of hot?\n" * 3)
    check(full.returncode == 1 and b"/reset" in full.stderr and b"--context" in full.stderr, f"a full context says what helps: {full.returncode} {full.stderr}")


check_pipe()
check_files()
check_terminal()
check_letters()
check_interrupts()
finish()
