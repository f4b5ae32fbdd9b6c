#!/usr/bin/env bash
# What a stranger can check of a running installation, by its public API alone: TOKENIM_URL, TOKENIM_WS, TOKENIM_API_KEY,
# and where its mails can be read by a program, TOKENIM_MAIL (local/mailbox says in which form).
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/acceptance.sh
[ -z "${TOKENIM_MAIL:-}" ] || bash tests/guide/walk.sh
CGO_ENABLED=1 bash tests/conformance.sh -race
