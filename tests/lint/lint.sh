#!/usr/bin/env bash
# Runs every linter over the tree and says of each whether it passed, failed or could not run. They are installed,
# pinned, into .tools/; what they report and is right as it is stands in exclusions.txt with its reason.
# Fails where a linter found something or could not be installed; only govulncheck may be kept from running, because its
# database is not everywhere within reach.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(./docs/... ./functions/... ./local/... ./shared/... ./tests/...)
bin=$PWD/.tools/bin
python=.tools/lint/bin
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# report <tool> <exit status>: one line, and what the tool said where it failed.
report() {
	if [ "$2" -eq 0 ]; then
		echo "$1: passed"
	else
		failed=1
		cat "$scratch/output"
		echo "$1: failed"
	fi
}

# missing <tool> <why>
missing() {
	failed=1
	cat "$scratch/output"
	echo "$1: could not run: $2"
}

# check <tool> <command…>
check() {
	local status=0
	"${@:2}" >"$scratch/output" 2>&1 || status=$?
	report "$1" "$status"
}

# go_tool <name> <package> <module> <version> puts a Go program of that version into .tools/bin.
go_tool() {
	if go version -m "$bin/$1" 2>/dev/null | grep -qF "$(printf 'mod\t%s\t%s\t' "$3" "$4")"; then return; fi
	GOBIN=$bin GOFLAGS=-buildvcs=false go install "$2@$4" >"$scratch/output" 2>&1
}

# python_tool <package> <version> puts a Python program of that version into .tools/lint.
python_tool() {
	if [ -e ".tools/lint/$1-$2" ]; then return; fi
	{
		[ -x $python/pip ] || python3 -m venv .tools/lint
		$python/pip install --quiet --disable-pip-version-check "$1==$2"
	} >"$scratch/output" 2>&1 || return 1
	touch ".tools/lint/$1-$2"
}

# leaks scans the tree, and every commit where this is a clone.
leaks() {
	local options=(--no-banner --redact --verbose --config "$scratch/gitleaks.toml")
	if git rev-parse --git-dir >/dev/null 2>&1; then "$bin/gitleaks" git "${options[@]}" . || return; fi
	"$bin/gitleaks" dir "${options[@]}" .
}

static() {
	"$bin/staticcheck" -checks "$(<"$scratch/staticcheck")" "${packages[@]}" &&
		"$bin/staticcheck" -checks "$(<"$scratch/staticcheck")" -tags conformance ./tests/...
}

templates() {
	AWS_DEFAULT_REGION=us-east-1 $python/cfn-lint --template template.yaml
}

policies() {
	$python/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download \
		--skip-check "$(<"$scratch/checkov")" --baseline "$scratch/checkov.baseline"
}

vulnerabilities() {
	local database=${GOVULNDB:-https://vuln.go.dev}
	if ! curl --silent --fail --max-time 10 --output /dev/null "$database/index/db.json"; then
		echo "govulncheck: could not run: its database at $database cannot be reached from here"
	elif go_tool govulncheck golang.org/x/vuln/cmd/govulncheck golang.org/x/vuln v1.9.0; then
		check govulncheck "$bin/govulncheck" -db "$database" "${packages[@]}"
	else
		missing govulncheck "it could not be installed"
	fi
}

mkdir -p "$bin"
python3 tests/lint/exclusions.py "$scratch"

if go_tool staticcheck honnef.co/go/tools/cmd/staticcheck honnef.co/go/tools v0.8.2; then
	check staticcheck static
else
	missing staticcheck "it could not be installed"
fi

if go_tool gosec github.com/securego/gosec/v2/cmd/gosec github.com/securego/gosec/v2 v2.28.0; then
	check gosec "$bin/gosec" -quiet -color=false -tags conformance -exclude-rules "$(<"$scratch/gosec")" "${packages[@]}"
else
	missing gosec "it could not be installed"
fi

if go_tool gitleaks github.com/zricethezav/gitleaks/v8 github.com/zricethezav/gitleaks/v8 v8.30.1; then
	check gitleaks leaks
else
	missing gitleaks "it could not be installed"
fi

if python_tool cfn-lint 1.58.0; then
	check cfn-lint templates
else
	missing cfn-lint "it could not be installed"
fi

if python_tool checkov 3.3.30; then
	check checkov policies
else
	missing checkov "it could not be installed"
fi

vulnerabilities
exit $failed
