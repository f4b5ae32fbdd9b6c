#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, 5 s each where none is.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rnoE --include='*_test.go' 'func Fuzz[A-Za-z0-9_]+' . | sed -E 's#^(.*)/[^/]+:[0-9]+:func (Fuzz.*)#\1 \2#' | sort -u |
while read -r package target; do
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-5s}" "$package"
done
