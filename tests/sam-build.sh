#!/usr/bin/env bash
# Builds every function with SAM CLI as a deployment does, outside the tree, and holds the programs to what a deployment
# takes for granted: each there, for its architecture, static, no two alike, and on arm64 at most 4 MiB zipped (4.5 on
# x86_64). Prints their sizes.
#   bash tests/sam-build.sh [arm64|x86_64]      arm64 is what is deployed unless the parameter says otherwise
set -euo pipefail
cd "$(dirname "$0")/.."

architecture=${1:-arm64}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

. tests/flags.sh
export GOFLAGS="$GOFLAGS -ldflags=-s" SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1
if ! .tools/sam/bin/sam build --build-dir "$scratch/build" --parameter-overrides "Architecture=$architecture" \
	>"$scratch/log" 2>&1; then
	cat "$scratch/log" >&2
	exit 1
fi
python3 tests/sizes.py "$architecture" "$scratch/build" functions
