#!/usr/bin/env bash
# What a stranger can check of a running installation, by its public API alone: TOKENIM_URL, TOKENIM_WS, TOKENIM_API_KEY.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/acceptance.sh
bash tests/conformance.sh -race
