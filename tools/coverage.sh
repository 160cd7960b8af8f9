#!/bin/sh
# Which lines of src the tests have reached, by gcov, after a build with --coverage has run them: a line per file, and the whole.
#   tools/coverage.sh BUILD        writes BUILD/coverage.txt
set -eu
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$build"
find . -name '*.gcda' -print0 | xargs -0 gcov -n 2>/dev/null | awk -v root="$root/src/" '
    /^File / { file = substr($2, 2, length($2) - 2); keep = index(file, root) == 1; sub(root, "", file) }
    /^Lines executed:/ && keep {
        split($0, part, /[:% ]/); share = part[3]; lines = $NF
        if (lines > all[file]) { all[file] = lines; hit[file] = share * lines / 100 }
        keep = 0
    }
    END {
        for (f in all) { printf "%6.1f %%  %5d  %s\n", 100 * hit[f] / all[f], all[f], f; a += all[f]; h += hit[f] }
        if (a) printf "%6.1f %%  %5d  all\n", 100 * h / a, a
    }' | sort -n > coverage.txt
tail -n 1 coverage.txt
