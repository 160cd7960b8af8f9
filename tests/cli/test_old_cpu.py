"""The program on CPUs of other years, emulated: no illegal instruction, the same greedy tokens, a higher instruction set refused with a message.

labels: slow
"""
import json
import re
import shutil
import subprocess
import sys

from rig import TERN, check, document, environment, finish, sanitized

CPUS = (("Nehalem", "scalar", "2008: SSE 4.2, no AVX"), ("Haswell", "avx2", "2013: AVX2 and FMA"))


def emulated(cpu, *args):
    return subprocess.run(["qemu-x86_64", "-cpu", cpu, TERN, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=300, env=environment())


def main():
    if not shutil.which("qemu-x86_64") or sanitized():
        print("not run:", "under sanitizers" if sanitized() else "qemu-x86_64 (Debian's qemu-user) is not here")
        sys.exit(0)
    known = [s["name"] for s in document("ops", "--json")["instruction_sets"]]
    greedy = ("generate", "-n", "5", "--temperature", "0", "--compute", "f32", "--json")
    wanted = document(*greedy)
    for cpu, isa, why in CPUS:
        message = f"{cpu} ({why})"
        run = emulated(cpu, "generate", "-n", "5")
        check(run.returncode == 0 and run.stdout, f"{message}: generate: exit {run.returncode}: {run.stderr.decode()[-500:]}")
        check(json.loads(emulated(cpu, *greedy).stdout) == wanted, f"{message}: other tokens than here")
        if isa in known:
            check(re.search(rf"^  {isa} +in use$", emulated(cpu, "ops").stdout.decode(), re.M), f"{message}: {isa} is in use")
        if "avx512" in known:
            refused = emulated(cpu, "ops", "--isa", "avx512")
            check(refused.returncode == 1 and b"cannot run" in refused.stderr, f"{message}: --isa avx512: {refused.returncode} {refused.stderr.decode()}")
    finish()


main()
