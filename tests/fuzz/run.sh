#!/bin/sh
# Runs one libFuzzer target for some seconds (30) on its corpus; what it finds anew stays in a folder that is thrown away.
#     tests/fuzz/run.sh build-fuzz/fuzz/fuzz_template [SECONDS]
set -eu
target=$1
seconds=${2:-30}
here=$(dirname "$0")
name=$(basename "$target" | sed s/^fuzz_//)
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
dict=
if [ -f "$here/$name.dict" ]; then dict="-dict=$here/$name.dict"; fi
if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2000 -max_len=8000 -artifact_prefix=fuzz-failure- $dict "$found" "$here/corpus/$name" >"$found/log" 2>&1; then
    tail -n 1 "$found/log"
else
    cat "$found/log"
    exit 1
fi
