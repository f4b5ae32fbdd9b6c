#!/usr/bin/env bash
# What a stranger can check of a running installation, by its public API alone: TOKENIM_URL, TOKENIM_WS, TOKENIM_API_KEY.
set -euo pipefail
cd "$(dirname "$0")/.."
.tools/python/bin/python tests/acceptance/first_steps.py
.tools/python/bin/python tests/acceptance/live_socket.py
go test -race -count=1 -timeout 10m -tags conformance ./tests/conformance/...
