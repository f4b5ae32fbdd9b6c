#!/usr/bin/env bash
# Walks the guides against TOKENIM_URL and TOKENIM_WS, reading the mails at TOKENIM_MAIL; see walk.py. What the guides need
# of Python beyond its library is in .tools/python, where `make test` has installed it.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.tools/python/bin:$PATH" python3 tests/guide/walk.py "$@"
