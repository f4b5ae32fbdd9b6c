#!/usr/bin/env bash
# Runs the acceptance scripts and the conformance suite against the local deployment, but for what the emulator cannot do.
# The first argument names one of the two suites, or all; the others go to `go test`.
. "$(dirname "$0")/settings.sh"
running && [ -f "$DEPLOYED" ] || fail "There is no local deployment: make deploy-local makes one."
suite=${1:-all}

TOKENIM_URL=$(field "$DEPLOYED" http) TOKENIM_WS=$(field "$DEPLOYED" websocket) TOKENIM_API_KEY=$(field "$DEPLOYED" api_key)
TOKENIM_OTHER_API_KEY=$(bash local/deploy/key.sh) # of another app
TOKENIM_MAIL=$(field "$DEPLOYED" mail)
export TOKENIM_URL TOKENIM_WS TOKENIM_API_KEY TOKENIM_OTHER_API_KEY TOKENIM_MAIL TOKENIM_TARGET=ministack

[ "$suite" = conformance ] || { bash tests/acceptance.sh; bash tests/guide/walk.sh; }
[ "$suite" != acceptance ] || exit 0
skip=$(grep -v '^#' local/deploy/left-out.txt | cut -f1 | paste -sd '|' -)
echo "Left out, since the emulator differs (docs/deploying.md): $skip" >&2
# -short: the emulator takes 30 sends a second, and the long tests send 10,000.
bash tests/conformance.sh -short -skip "^($skip)\$" "${@:2}"
