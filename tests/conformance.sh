#!/usr/bin/env bash
# The conformance suite, against TOKENIM_URL, TOKENIM_WS and TOKENIM_API_KEY; arguments go to `go test`. With
# TOKENIM_DYNAMODB, the address of a laptop runner's tables, a second app is made to be kept apart from the first, and everything
# asynchronous happens twice, as now and then on AWS.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/flags.sh
if [ -n "${TOKENIM_DYNAMODB:-}" ]; then
	TOKENIM_OTHER_API_KEY=$(AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local \
		AWS_ENDPOINT_URL_DYNAMODB=$TOKENIM_DYNAMODB go run ./local/bootstrapkey -table keys-table -records records-table)
	export TOKENIM_OTHER_API_KEY
	curl -fsS "$TOKENIM_URL/_local/faults" -H 'Content-Type: application/json' -d '{"double_async": 1000000, "double_queued": 1000000}'
	export TOKENIM_DOUBLED=1
fi
go test -count=1 -timeout 10m -tags "$CONFORMANCE_TAGS" "$@" ./tests/conformance/...
