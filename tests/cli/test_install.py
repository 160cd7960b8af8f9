"""What make install leaves: a program, a library that shows tern_* and nothing else, headers that stand alone, pkg-config and CMake packages that build
the example, and an uninstall that takes all of it away.

labels: install
"""
import os
import re
import shutil
import subprocess

from rig import BUILD, ROOT, check, environment, finish, folder, tern

CMAKE_LISTS = """cmake_minimum_required(VERSION 3.22)
project(example LANGUAGES C)
find_package(tern 0.1 REQUIRED)
add_executable(example {root}/examples/generate.c)
target_link_libraries(example PRIVATE tern::tern)
"""
FILES = ("bin/tern", "lib/libtern.so", "lib/libtern.so.0", "lib/libtern.a", "include/tern/tern.h", "lib/pkgconfig/tern.pc", "lib/cmake/tern/ternConfig.cmake",
         "share/man/man1/tern.1", "share/bash-completion/completions/tern", "share/zsh/site-functions/_tern", "share/fish/vendor_completions.d/tern.fish",
         "share/tern/models/demo/model.safetensors", "share/doc/tern/LICENSE", "share/doc/tern/examples/generate.c")


def run(*command, env=None, **more):
    return subprocess.run(command, capture_output=True, env=env or environment(), timeout=300, **more)


def ran(words, *command, **more):
    result = run(*command, **more)
    check(result.returncode == 0, f"{words}: {result.stdout.decode()[-1500:]} {result.stderr.decode()[-1500:]}")
    return result.stdout.decode()


def check_symbols(library):
    shown = [line.split() for line in ran("nm", "nm", "-D", "--defined-only", library).splitlines()]
    names = [words[2].split("@")[0] for words in shown if words[1] != "A"]
    check(names and all(name.startswith("tern_") for name in names), f"only tern_* is shown: {[n for n in names if not n.startswith('tern_')][:20]}")
    declared = set()
    for header in os.listdir(os.path.join(ROOT, "include", "tern")):
        with open(os.path.join(ROOT, "include", "tern", header), encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        declared |= set(re.findall(r"TERN_API\s[^;]*?\b(tern_\w+)\s*\(", text))
    check(set(names) <= declared, f"what is shown is declared: {sorted(set(names) - declared)}")
    check(declared <= set(names), f"what is declared is shown: {sorted(declared - set(names))}")
    check("libtern.so.0" in ran("soname", "readelf", "-d", library), "the library calls itself libtern.so.0")


def check_headers(root):
    headers = sorted(os.listdir(os.path.join(root, "include", "tern")))
    for header in headers:
        text = f"#include <tern/{header}>\n#include <tern/{header}>\nint nothing;\n".encode()
        for compiler, language, standard in (("cc", "c", "c11"), ("c++", "c++", "c++17")):
            if not shutil.which(compiler):
                print(f"{header} as {language}: no {compiler} here")
                continue
            ran(f"{header} alone as {language}", compiler, "-x", language, f"-std={standard}", "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                "-I", os.path.join(root, "include"), "-", input=text)


def check_example(words, program, env, wanted):
    text = ran(words, program, "Long ago, near the river,", env=env)
    check(text == wanted, f"{words}: {text!r}, not {wanted!r}")


def install(destination):
    """Below destination; the manifest of the build folder's own last install stays as it is. Returns the manifest of this one."""
    own, mine, kept = (os.path.join(*parts) for parts in ((BUILD, "install_manifest.txt"), (destination, "manifest.txt"), (destination, "kept.txt")))
    if os.path.exists(own):
        shutil.copy(own, kept)
    ran("install", "cmake", "--install", BUILD, "--prefix", "/usr/local", env=environment(DESTDIR=destination))
    shutil.move(own, mine)
    if os.path.exists(kept):
        shutil.move(kept, own)
    return mine


def main():
    source = os.path.join(ROOT, "examples", "generate.c")
    with folder() as d:
        manifest = install(d)
        root = os.path.join(d, "usr", "local")
        for name in FILES:
            check(os.path.exists(os.path.join(root, name)), f"{name} is installed")
        check_symbols(os.path.join(root, "lib", "libtern.so"))
        check_headers(root)
        wanted = tern("generate", "-p", "Long ago, near the river,", "-n", "60", "--temperature", "0").stdout.decode()
        shown = ran("the installed program", os.path.join(root, "bin", "tern"), "generate", "-p", "Long ago, near the river,", "-n", "60", "--temperature", "0")
        check(shown == wanted, "the installed program finds the installed demo model")
        env = environment(PKG_CONFIG_PATH=os.path.join(root, "lib", "pkgconfig"), LD_LIBRARY_PATH=os.path.join(root, "lib"))
        flags = ran("pkg-config", "pkg-config", "--cflags", "--libs", "tern", env=env).split()
        program = os.path.join(d, "by-pkg-config")
        ran("cc with pkg-config", "cc", "-Wall", "-Wextra", "-Werror", source, *flags, "-o", program, env=env)
        check_example("the example by pkg-config", program, env, wanted)
        static = ran("pkg-config --static", "pkg-config", "--cflags", "--libs", "--static", "tern", env=env).replace("-ltern", "-l:libtern.a").split()
        program = os.path.join(d, "static")
        ran("cc with the archive", "cc", source, *static, "-o", program, env=env)
        check_example("the example by the archive", program, environment(TERN_DEMO_MODEL=os.path.join(root, "share/tern/models/demo")), wanted)
        project = os.path.join(d, "project")
        os.mkdir(project)
        with open(os.path.join(project, "CMakeLists.txt"), "w", encoding="utf-8") as f:
            f.write(CMAKE_LISTS.format(root=ROOT))
        ran("find_package(tern)", "cmake", "-S", project, "-B", project + "/build", f"-DCMAKE_PREFIX_PATH={root}", env=environment())
        ran("build with the CMake package", "cmake", "--build", project + "/build", env=environment())
        check_example("the example by CMake", project + "/build/example", environment(), wanted)
        ran("uninstall", "cmake", f"-DMANIFEST={manifest}", f"-DDESTDIR={d}", "-P", os.path.join(ROOT, "tools", "uninstall.cmake"))
        left = [os.path.join(folder_, name) for folder_, _, names in os.walk(os.path.join(d, "usr")) for name in names]
        check(not left, f"uninstall leaves nothing: {left}")
        check(not os.path.exists(os.path.join(root, "share", "tern")) and not os.path.exists(os.path.join(root, "include", "tern")), "folders of tern's own go, too")
    finish()


main()
