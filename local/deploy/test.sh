#!/usr/bin/env bash
# Runs the acceptance scripts and the conformance suite against the local deployment, but for what the emulator cannot do.
. "$(dirname "$0")/settings.sh"
running && [ -f "$DEPLOYED" ] || fail "There is no local deployment: make deploy-local makes one."

TOKENIM_URL=$(field "$DEPLOYED" http) TOKENIM_WS=$(field "$DEPLOYED" websocket) TOKENIM_API_KEY=$(field "$DEPLOYED" api_key)
TOKENIM_OTHER_API_KEY=$(bash local/deploy/key.sh) # of another app
export TOKENIM_URL TOKENIM_WS TOKENIM_API_KEY TOKENIM_OTHER_API_KEY TOKENIM_TARGET=ministack

.tools/python/bin/python tests/acceptance/first_steps.py
.tools/python/bin/python tests/acceptance/live_socket.py

skip=$(grep -v '^#' local/deploy/left-out.txt | cut -f1 | paste -sd '|' -)
echo "Left out, since the emulator differs (docs/deploying.md): $skip"
# -short: the emulator takes 30 sends a second, and the long tests send 10,000.
go test -count=1 -short -timeout 10m -tags conformance -skip "^($skip)\$" "$@" ./tests/conformance/...
