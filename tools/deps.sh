#!/bin/sh
# Installs the Debian packages that building and testing tern need and this machine lacks. Says nothing and does nothing where all are there.
#   tools/deps.sh [--list] [--venv]      --list: name the packages, one a line, and install nothing; --venv: what tools/venv.sh needs, too
set -eu

# Python is Debian's, by its full path: another one that is first on PATH (pyenv, conda) lacks the modules of Debian's packages.
python=/usr/bin/python3

# package | how to see that it is there: a command, a pkg-config module, a module of Debian's Python, a file | what tern needs it for
needs="gcc|command cc|compiles C
libc6-dev|file /usr/include/stdio.h|the C library to compile against
make|command make|runs the targets of the Makefile
cmake|command cmake|builds
pkg-config|command pkg-config|finds libraries
libjansson-dev|module jansson|reads JSON
libpcre2-dev|module libpcre2-8|splits text for tokenizers
libutf8proc-dev|module libutf8proc|normalizes Unicode
libedit-dev|module libedit|edits lines in a chat
libcmocka-dev|module cmocka|runs unit tests
python3|file $python|runs test scripts
python3-numpy|python numpy|compares tensors in tests
qemu-user|command qemu-x86_64|tests an old CPU
mandoc|command mandoc|checks the manual page"
needs_for_venv="
python3-venv|python ensurepip|makes virtual environments"

there() {
    case $1 in
        command) command -v "$2" >/dev/null 2>&1 ;;
        module) pkg-config --exists "$2" >/dev/null 2>&1 ;;
        python) "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$2') is None)" >/dev/null 2>&1 ;;
        file) [ -e "$2" ] ;;
    esac
}

list=
for word in "$@"; do
    case $word in
        --list) list=1 ;;
        --venv) needs=$needs$needs_for_venv ;;
        *) echo "tools/deps.sh: $word is neither --list nor --venv" >&2; exit 1 ;;
    esac
done

missing= why=
while IFS='|' read -r package probe reason; do
    if [ -n "$list" ]; then echo "$package"; continue; fi
    # shellcheck disable=SC2086
    there $probe && continue
    missing="$missing $package"
    why="$why${why:+, }$package ($reason)"
done <<END
$needs
END
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "tern needs what Debian calls $why; this system has no apt-get, so install them by hand" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null 2>&1; then
        echo "tern needs $why; there is no sudo here, so as root: apt-get install$missing" >&2
        exit 1
    fi
fi
echo "tern needs and installs Debian packages: $why" >&2
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; }
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then rm -f "$log"; return 0; fi
    tail -n 20 "$log" >&2; rm -f "$log"; return 1
}
# A machine whose package lists are old or absent is told the present ones first.
quietly install 2>/dev/null || { quietly $as_root apt-get update -qq && quietly install; } || {
    echo "apt-get could not install$missing" >&2
    exit 1
}
