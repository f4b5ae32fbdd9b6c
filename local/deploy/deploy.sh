#!/usr/bin/env bash
# Deploys the unchanged template.yaml to an AWS emulator on this machine, as `sam deploy` does to AWS, and writes where it
# is to .local/deployed.json. Again on a running deployment, it updates the stack in place.
. "$(dirname "$0")/settings.sh"

need "$SAM" "SAM CLI"
command -v go >/dev/null || fail "deploy-local needs Go: it was not found."

# Whatever fails, a process that was not here before does not stay.
running || trap 'status=$?; [ $status = 0 ] || bash local/deploy/undeploy.sh; exit $status' EXIT
mkdir -p .local
step() { echo "== $1 (${SECONDS}s)"; }

# quietly COMMAND: its output is shown only when it fails.
quietly() {
  local log=.local/deploy.log
  "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "Failed: $*"; }
}

step "start the AWS emulator"
bash local/deploy/start.sh

step "sam build"
quietly build

step "sam deploy"
quietly "$SAM" deploy --template-file .local/sam/template.yaml --stack-name "$STACK" --resolve-s3 --s3-prefix "$STACK" \
  --capabilities CAPABILITY_IAM --parameter-overrides "Architecture=$ARCHITECTURE" "MailFrom=$MAIL_FROM" \
  --no-confirm-changeset --no-fail-on-empty-changeset --no-progressbar

step "what the emulator leaves out: routes, endpoints, expiry"
"$PYTHON" local/deploy/complete.py "$STACK" "$STACK_FILE"

step "the first app and key"
http=$(field "$STACK_FILE" http)
# kept: whether the key of an earlier deployment still works.
kept() { [ -f "$DEPLOYED" ] && curl -sf -o /dev/null -H "Authorization: Bearer $(field "$DEPLOYED" api_key)" "$http/keys"; }
key=$(if kept; then field "$DEPLOYED" api_key; else bash local/deploy/key.sh; fi)
curl -sf -o /dev/null "$http/status" || fail "$http/status does not answer; see $HOME_DIR/log."

umask 077 # the file holds a key
printf '{"http":"%s","websocket":"%s","api_key":"%s","mail":"%s"}\n' "$http" "$(field "$STACK_FILE" websocket)" "$key" "$MAILS" >"$DEPLOYED"
step "deployed"
printf 'HTTP       %s\nWebSocket  %s\nAPI key    %s\nMail       %s\n' "$http" "$(field "$DEPLOYED" websocket)" "$key" "$MAILS"
