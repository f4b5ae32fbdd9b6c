#!/usr/bin/env bash
# Runs the functions in Lambda's own containers, by SAM CLI: `sam local invoke` with every event of events/, then
# `sam local start-api`. Where there is no Docker engine it says so and succeeds, unless TOKENIM_REQUIRE_DOCKER=1.
# TOKENIM_START_DOCKER=1 lets it start one (root, Debian's docker.io); what it starts ends with it.
. "$(dirname "$0")/settings.sh"
. local/deploy/docker.sh
need "$SAM" "SAM CLI"

WORK=$PWD/.local/sam-local
cleanup() {
  for pid in ${STARTED:-}; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$WORK"
  stop_engine
}
trap cleanup EXIT

if ! engine; then
  echo "No Docker engine can be used here (install and start Docker, or TOKENIM_START_DOCKER=1 as root with dockerd): sam local was not run."
  [ "${TOKENIM_REQUIRE_DOCKER:-}" != 1 ] || exit 1
  exit 0
fi
echo "== Docker $(docker version --format '{{.Server.Version}}'); image from SAM's runtime interface emulator"
import_image tokenim-lambda
mkdir -p "$WORK"

echo "== sam build (${SECONDS}s)"
build --build-dir "$WORK/build" >"$WORK/log" 2>&1 || { cat "$WORK/log" >&2; exit 1; }

# What the functions reach is on the bridge, where containers find it and nobody else does. Docker Desktop has no such
# address on the host; there, containers reach the host's loopback by a name.
bind=127.0.0.1 reach=host.docker.internal
if [ "$(uname -s)" = Linux ]; then
  bind=$(bridge_address)
  reach=$bind
fi
port=$(python3 -c 'import socket,sys; s=socket.socket(); s.bind((sys.argv[1], 0)); print(s.getsockname()[1])' "$bind")
dynoxide=$(echo .tools/node_modules/@dynoxide/*/dynoxide)
need "$dynoxide" "The DynamoDB engine"
"$dynoxide" serve --host "$bind" --port "$port" >"$WORK/tables.log" 2>&1 &
STARTED=$!
python3 local/deploy/accept.py "$bind" "$WORK/accept.port" &
STARTED="$STARTED $!"
for _ in $(seq 100); do [ -s "$WORK/accept.port" ] && break; sleep 0.1; done

# The laptop runner makes the tables, the master key and the first API key, and ends with the command.
go build -o "$WORK/runner" ./local
env -u AWS_ENDPOINT_URL WORK="$WORK" TABLES="http://$reach:$port" ACCEPT="http://$reach:$(cat "$WORK/accept.port")" \
  "$WORK/runner" -port 0 -data "$WORK/data" -ready "$WORK/ready.json" -watch=false -dynamodb-endpoint "http://$bind:$port" \
  -exec "bash local/deploy/sam-local-checks.sh" | grep -v "^  API key\|curl -s"
