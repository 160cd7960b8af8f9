#!/bin/sh
# Makes FOLDER a virtual environment of Debian's Python, with the packages and versions of a requirements file, from PyPI. Does nothing where it is that already.
#   tools/venv.sh FOLDER REQUIREMENTS
set -eu

[ $# = 2 ] || { echo "usage: tools/venv.sh FOLDER REQUIREMENTS" >&2; exit 1; }
folder=$1 requirements=$2
if cmp -s "$requirements" "$folder/installed.txt"; then exit 0; fi

"$(dirname "$0")/deps.sh" --venv
echo "tools/venv.sh: installs $requirements into $folder" >&2
[ -x "$folder/bin/python" ] || /usr/bin/python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$folder/installed.txt"
