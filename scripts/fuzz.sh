#!/usr/bin/env bash
# Runs every fuzz target for a while, one after the other.
#
#   scripts/fuzz.sh TIME [TARGET]      TIME for each, such as 10s; TARGET a regular expression
#
# An input that fails is kept in testdata/fuzz of its package: `make test` runs it
# from then on.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:?for how long each target is run}
only=${2:-.}
failed=()
for package in $(grep -l --include='*_test.go' -r '^func Fuzz' . | xargs -n1 dirname | sort -u); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' | grep -E "$only"); do
    printf -- '-- %s %s\n' "$package" "$target"
    # Beside Chrome there is work for one.
    workers=2
    [[ $target != FuzzGrid && $target != FuzzJunk ]] || workers=1
    # Shortening the inputs that reach new code would take most of so short a time.
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x -parallel $workers && continue
    # The fuzzer gives an input ten seconds, which a page may need on a busy
    # machine. What failed by itself fails as a test too.
    go test "$package" -run "^$target\$" -count 1 || failed+=("$target")
  done
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
