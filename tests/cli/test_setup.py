"""Set-up takes nothing from PATH but Debian's programs: in a copy of the tree `make deps`, `make` and two tests work where the first python3 has no module.

labels: install

The copy is configured, linked and tested for itself. Its objects are those of the build folder, whose sources are the same: a compiler launcher copies them, which saves a minute of
compiling.
"""
import os
import re
import shutil
import subprocess

from rig import BUILD, ROOT, check, environment, finish, folder

LAUNCHER = """#!/bin/sh
# What the build folder compiled from the same source; other sources are compiled.
before= object=
for word; do
    if [ "$before" = -o ]; then object=$word; fi
    before=$word
done
case $object in CMakeFiles/tern*) if [ -f "{build}/$object" ]; then cp -p "{build}/$object" "$object" && exit 0; fi ;; esac
exec "$@"
"""
PYTHON = """#!/bin/sh
echo "$0 $*" >> {log}
echo "ModuleNotFoundError: No module named 'encodings'" >&2
exit 1
"""
NAMES = ("python", "python3", "pip", "pip3")
TESTS = "ops_fixtures|cli_docs"


def program(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)


def cached(name):
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        return re.search(f"^{name}:[A-Z]+=(.*)$", cache.read(), re.M).group(1)


def main():
    with folder() as d:
        tree, bin_, log, launcher = (os.path.join(d, name) for name in ("tree", "bin", "called", "launcher"))
        shutil.copytree(ROOT, tree, ignore=lambda where, names: [n for n in names if where == ROOT and (n == ".git" or n.startswith("build"))], symlinks=True)
        os.mkdir(bin_)
        for name in NAMES:
            program(os.path.join(bin_, name), PYTHON.format(log=log))
        program(launcher, LAUNCHER.format(build=BUILD))
        env = environment(PATH=bin_ + os.pathsep + os.environ["PATH"], CC=cached("CMAKE_C_COMPILER"))
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CMAKE_C_COMPILER_LAUNCHER"):
            env.pop(name, None)

        def ran(*command):
            run = subprocess.run(command, cwd=tree, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1500)
            text = run.stdout.decode(errors="replace")
            check(run.returncode == 0, f"{' '.join(command)}: exit {run.returncode}: {text[-6000:]}")
            return text

        shown = subprocess.run(["python3", "-c", "pass"], env=env, capture_output=True)
        check(shown.returncode == 1 and os.path.exists(log), "the python3 that is first on PATH answers nothing")
        os.remove(log)
        said = ran("make", "deps")
        check(said == "", f"make deps says {said!r} where everything is there")
        ran("make", f"CMAKE_FLAGS=-DCMAKE_C_COMPILER_LAUNCHER={launcher} -DCMAKE_BUILD_TYPE={cached('CMAKE_BUILD_TYPE')}")
        text = ran("ctest", "--test-dir", "build", "--output-on-failure", "-R", TESTS)
        check("100% tests passed, 0 tests failed out of 2" in text, f"two tests run: {text[-3000:]}")
        called = open(log, encoding="utf-8").read() if os.path.exists(log) else ""
        check(not called, f"nothing calls Python by PATH: {called}")
    finish()


main()
