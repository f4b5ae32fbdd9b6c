#!/usr/bin/env bash
# The acceptance scripts, against TOKENIM_URL, TOKENIM_WS and TOKENIM_API_KEY.
set -euo pipefail
cd "$(dirname "$0")/.."
.tools/python/bin/python tests/acceptance/first_steps.py
.tools/python/bin/python tests/acceptance/live_socket.py
