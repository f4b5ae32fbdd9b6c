#!/usr/bin/env bash
# Walks the guides against TOKENIM_URL and TOKENIM_WS, reading the mails at TOKENIM_MAIL; see walk.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/guide/walk.py "$@"
