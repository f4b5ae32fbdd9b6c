#!/usr/bin/env bash
# Everything needed to trust a change, in the order in which it fails fastest. `make test` installs what it uses.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/flags.sh

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

# fits SECONDS TARGET: whether what takes up to so long ends in the time that there is, TOKENIM_WITHIN seconds for everything.
# Where it does not, it is left out and said so: by itself, the target runs it.
fits() {
	[ $((SECONDS + $1)) -le "${TOKENIM_WITHIN:-1000000}" ] && return
	echo "Left out: it takes up to $1 s, and of ${TOKENIM_WITHIN} s there are $((TOKENIM_WITHIN - SECONDS)) left. make $2 runs it."
	return 1
}

step "format and vet"
unformatted=$(gofmt -l functions shared local tests docs)
[ -z "$unformatted" ] || { echo "gofmt these: $unformatted" >&2; exit 1; }
go vet ./...
go vet -tags "$CONFORMANCE_TAGS" ./tests/...

step "the template, by SAM's translator and by its linter"
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1
.tools/sam/bin/sam validate
.tools/sam/bin/sam validate --lint

step "unit, store, property and runner tests, with the race detector"
# What takes minutes under the race detector, and has its concurrency tested elsewhere too: hashing passwords by the hundred, and an
# erasing that dies at each of its writes in turn.
slow=$(go list ./shared/account ./shared/erase/erasedb)
CGO_ENABLED=1 go test -race -timeout 10m $(go list ./functions/... ./shared/... ./local/... | grep -vxF "$slow")

step "the others without it: accounts, erasing, architecture, budgets, durability, the independent evaluator"
go test -timeout 10m $slow ./docs/... ./tests/...

step "the store suites on a second engine"
bash tests/second-engine.sh

step "the drill: export, loss, restore, check"
go run ./local/drill

step "conformance and acceptance, on the laptop runner"
go build -o .local/runner ./local
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.local/runner -port 0 -data "$scratch/data" -ready "$scratch/ready.json" -watch=false -meter \
	-exec "bash tests/public.sh && go test -count=1 -tags $CONFORMANCE_TAGS ./tests/privilege"

step "the same on a stack that CloudFormation made of what SAM built, on an AWS emulator; and the programs' sizes"
if fits 420 test-deployed; then
	trap 'bash local/deploy/undeploy.sh; rm -rf "$scratch"' EXIT
	bash local/deploy/deploy.sh
	(. local/deploy/settings.sh && python3 tests/sizes.py "$ARCHITECTURE" .local/sam functions)
	bash local/deploy/test.sh
	bash local/deploy/undeploy.sh
fi

step "linters"
if fits 330 lint; then bash tests/lint/lint.sh; fi

step "fuzzing, briefly"
if fits 200 fuzz; then bash tests/fuzz.sh; fi

step "events and HTTP in Lambda's containers, where a Docker engine runs"
if fits 400 test-sam; then bash local/deploy/sam-local.sh; fi

step "done"
