#!/usr/bin/env bash
# Starts the AWS emulator on loopback, unless it runs, and returns once it answers. undeploy.sh stops it.
. "$(dirname "$0")/settings.sh"

need "$PYTHON" "The AWS emulator (ministack)"
command -v curl >/dev/null || fail "deploy-local needs curl: it was not found."
if running; then exit 0; fi
if curl -s -o /dev/null --max-time 2 "$ENDPOINT"; then
  fail "Port $PORT is taken by something else: stop it, or choose another port with DEPLOY_PORT."
fi

mkdir -p "$HOME_DIR/state" "$HOME_DIR/tmp"
here=$PWD/$HOME_DIR
# A clean environment, since the functions inherit it. MINISTACK_HOST is the host in the addresses that it hands out.
# AUTH: each function gets the credentials of its own role, and what its policy does not grant is refused.
# `set -m` gives it a process group of its own, with its functions in it, for undeploy.sh.
set -m
env -i PATH="$PATH" HOME="$here" TMPDIR="$here/tmp" STATE_DIR="$here/state" PERSIST_STATE=0 \
  BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$PORT" AWS_ENDPOINT_URL="$ENDPOINT" \
  SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 LAMBDA_EXECUTOR=local AUTH="${DEPLOY_AUTH:-true}" \
  DOCKER_HOST=unix:///nonexistent LOG_LEVEL=WARNING \
  "$PYTHON" local/deploy/emulator.py </dev/null >"$HOME_DIR/log" 2>&1 &
echo $! >"$PID_FILE"
set +m

deadline=$((SECONDS + 60))
until curl -sf -o /dev/null --max-time 2 "$ENDPOINT/_ministack/health"; do
  running || fail "The AWS emulator ended at once: $(tail -n 3 "$HOME_DIR/log")"
  [ $SECONDS -lt $deadline ] || fail "The AWS emulator does not answer within 60 s; see $HOME_DIR/log."
  sleep 0.1
done
