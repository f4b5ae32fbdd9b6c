#!/usr/bin/env bash
# Everything needed to trust a change, in the order in which it fails fastest. `make test` installs what it uses.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

step "format and vet"
unformatted=$(gofmt -l functions shared local tests docs)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted" >&2; exit 1; }
go vet ./...
go vet -tags conformance ./tests/...

step "the template, by SAM's translator and by its linter"
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1
.tools/sam/bin/sam validate
.tools/sam/bin/sam validate --lint

step "every function as it is deployed, and its size"
bash tests/sam-build.sh

step "linters"
bash tests/lint/lint.sh

step "unit, store, property and runner tests, with the race detector"
# What takes minutes under the race detector, and has its concurrency tested elsewhere too: hashing passwords by the hundred, and an
# erasing that dies at each of its writes in turn.
slow=$(go list ./shared/account ./shared/erase/erasedb)
go test -race -timeout 10m $(go list ./functions/... ./shared/... ./local/... | grep -vxF "$slow")

step "the others without it: accounts, erasing, architecture, budgets, durability, the independent evaluator"
go test -timeout 10m $slow ./docs/... ./tests/...

step "the store suites on a second engine"
bash tests/second-engine.sh

step "the drill: export, loss, restore, check"
go run ./local/drill

step "fuzzing, briefly"
bash tests/fuzz.sh 10000x

step "conformance and acceptance, on the laptop runner"
go build -o .local/runner ./local
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.local/runner -port 0 -data "$scratch/data" -ready "$scratch/ready.json" -watch=false -meter \
	-exec "bash tests/public.sh && go test -count=1 -tags conformance ./tests/privilege"

step "the same on a stack that CloudFormation made, on an AWS emulator"
trap 'bash local/deploy/undeploy.sh; rm -rf "$scratch"' EXIT
bash local/deploy/deploy.sh
bash local/deploy/test.sh

step "events and HTTP in Lambda's containers, where a Docker engine runs"
if [ "$SECONDS" -gt "${TOKENIM_CONTAINERS_BEFORE:-36000}" ]; then
	echo "Left out: the rest took ${SECONDS}s, and CI has half an hour. make test-sam runs them."
else
	bash local/deploy/sam-local.sh
fi

step "done"
