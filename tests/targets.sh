#!/usr/bin/env bash
# Runs every suite on every target that this machine has, and writes docs/targets.md: what passed, failed and was left out,
# and why. It takes some minutes. `make targets` installs what it uses.
set -euo pipefail
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'bash local/deploy/undeploy.sh; rm -rf "$results"' EXIT

# record SUITE TARGET COMMAND...: keeps what the command prints; its failures are the table's to show.
record() {
	echo "== $1 on $2 (${SECONDS}s)"
	"${@:3}" >"$results/$1 @ $2" 2>"$results/log" || true
}

on_runner() { .local/runner -port 0 -data "$results/data" -ready "$results/ready.json" -watch=false -exec "$1"; }
domains=(access account apikey app authz connection group guess mail message password presence queue record seal session task token totp user)
mapfile -t stores < <(go list ./shared/... | grep 'db$')

go build -o .local/runner ./local
record "acceptance" "laptop runner" on_runner "bash tests/acceptance.sh"
record "conformance" "laptop runner" on_runner "bash tests/conformance.sh -json"
record "rules and stores" "memory" go test -count=1 -json "${domains[@]/#/./shared/}"
record "stores" "dynoxide 1.2.1" go test -count=1 -json "${stores[@]}"
record "stores" "DynamoDB Local 2.6.1" bash tests/second-engine.sh -json
bash local/deploy/deploy.sh
record "conformance" "ministack 1.5.33" bash local/deploy/test.sh conformance -json # first: the guides use up an hour's mails
record "acceptance" "ministack 1.5.33" bash local/deploy/test.sh acceptance
record "events and HTTP" "SAM CLI's containers" bash local/deploy/sam-local.sh
python3 tests/targets.py "$results" local/deploy/left-out.txt >docs/targets.md
cat docs/targets.md
