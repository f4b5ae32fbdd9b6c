# Sourced by the scripts of this folder: where things lie, and an AWS environment that can only ever reach the emulator.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PORT=${DEPLOY_PORT:-4610}          # of the emulator, on loopback
STACK=tokenim
HOME_DIR=.local/ministack          # the emulator's state, log, temporary files, and what is known of the stack
PID_FILE=$HOME_DIR/pid
STACK_FILE=$HOME_DIR/stack.json    # written by complete.py
DEPLOYED=.local/deployed.json      # like the runner's ready.json
PYTHON=.tools/ministack/bin/python
SAM=.tools/sam/bin/sam

ENDPOINT=http://127.0.0.1:$PORT
MAILS=$ENDPOINT/_local/mail.json   # emulator.py
MAIL_FROM=noreply@tokenim.test     # nothing leaves the emulator
# The developer's own profiles and credentials must not be found: a mistake here must fail, not deploy.
unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export AWS_ENDPOINT_URL=$ENDPOINT AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test SAM_CLI_TELEMETRY=0

export NO_PROXY=127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}
export no_proxy=$NO_PROXY

# The machine's architecture, in the words of the template's parameter.
case $(uname -m) in
  x86_64|amd64) ARCHITECTURE=x86_64 ;;
  aarch64|arm64) ARCHITECTURE=arm64 ;;
  *) echo "TokenIM's functions are built for x86_64 and arm64; this is $(uname -m)." >&2; exit 1 ;;
esac

# A signal ends a script like any failure does, so that what it started is cleaned up.
trap 'exit 130' INT
trap 'exit 143' TERM

fail() { echo "$*" >&2; exit 1; }

# need FILE WHAT: says what is missing before anything is started.
need() { [ -x "$1" ] || fail "$2 is not installed in .tools/ ($1): the make target that calls this script installs it."; }

# running: whether the emulator that start.sh started still runs. The PID alone could be another program's by now.
running() {
  [ -f "$PID_FILE" ] && ps -o command= -p "$(cat "$PID_FILE")" 2>/dev/null | grep -q local/deploy/emulator.py
}

# field FILE NAME: one member of a JSON object.
field() { "$PYTHON" -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

# build ARGUMENTS: `sam build` outside the tree, with the flags of the deployed build (samconfig.toml, local/run/build.go).
build() {
  CGO_ENABLED=0 GOFLAGS="-buildvcs=false -trimpath -tags=lambda.norpc,nethttpomithttp2 -ldflags=-s" \
    "$SAM" build --template template.yaml --build-dir .local/sam --parallel --parameter-overrides "Architecture=$ARCHITECTURE" "$@"
}
