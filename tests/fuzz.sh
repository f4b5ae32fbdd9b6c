#!/usr/bin/env bash
# Runs every fuzz target of the project for the time or the number of inputs given, 10,000 each where none is. A number
# is steadier: when a time is up, go test now and then takes its own end for a failure ("context deadline exceeded").
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/flags.sh
grep -rnoE --include='*_test.go' 'func Fuzz[A-Za-z0-9_]+' . | sed -E 's#^(.*)/[^/]+:[0-9]+:func (Fuzz.*)#\1 \2#' | sort -u |
while read -r package target; do
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-10000x}" "$package"
done
