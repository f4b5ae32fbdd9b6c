# Sourced by sam-local.sh: finds a Docker engine, or starts one by hand where that was asked for.

# engine: whether an engine can be used, with DOCKER_HOST set where it is our own. An engine that this starts ends with
# stop_engine; it keeps everything under .local/docker.
engine() {
  command -v docker >/dev/null || return 1
  if docker info >/dev/null 2>&1; then return 0; fi
  [ "${TOKENIM_START_DOCKER:-}" = 1 ] && [ "$(id -u)" = 0 ] && command -v dockerd >/dev/null || return 1
  start_engine
}

# Containers talk to the bridge's own address only, so no packet filter rule and no address translation is set up.
start_engine() {
  local home=$PWD/.local/docker
  mkdir -p "$home"
  ip link show docker0 >/dev/null 2>&1 || OWN_BRIDGE=docker0
  export DOCKER_HOST=unix://$home/docker.sock
  dockerd --host "$DOCKER_HOST" --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/pid" \
    --ip 127.0.0.1 --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    </dev/null >"$home/log" 2>&1 &
  ENGINE_PID=$!
  local deadline=$((SECONDS + 60))
  until docker info >/dev/null 2>&1; do
    kill -0 "$ENGINE_PID" 2>/dev/null && [ $SECONDS -lt $deadline ] || { tail -n 5 "$home/log" >&2; return 1; }
    sleep 0.2
  done
}

# stop_engine ends the engine that start_engine started, if it did, and waits for it: it ends its own children.
stop_engine() {
  [ -n "${ENGINE_PID:-}" ] || return 0
  kill "$ENGINE_PID" 2>/dev/null || true
  wait "$ENGINE_PID" 2>/dev/null || true
  [ -z "${OWN_BRIDGE:-}" ] || ip link delete "$OWN_BRIDGE" 2>/dev/null || true
  rm -rf .local/docker
}

# bridge_address: the host's address on the bridge of the containers.
bridge_address() { ip -4 -brief address show docker0 | sed -E 's/.* ([0-9.]+)\/.*/\1/'; }

# import_image NAME: makes the image that sam local runs functions in from SAM's own runtime interface emulator; nothing is
# pulled. sam looks for REPOSITORY:rapid-ARCHITECTURE when it is told --invoke-image REPOSITORY:anything.
import_image() {
  local layout
  layout=$(mktemp -d)
  mkdir -p "$layout"/{var/rapid,var/task,var/runtime,opt,tmp}
  chmod 1777 "$layout/tmp"
  install -m 755 "$("${SAM%/sam}/python" -c 'import pathlib, samcli; print(pathlib.Path(samcli.__file__).parent)')/local/rapid/aws-lambda-rie-$ARCHITECTURE" \
    "$layout/var/rapid/aws-lambda-rie"
  tar -C "$layout" --numeric-owner -c . | docker import - "$1:rapid-$ARCHITECTURE" >/dev/null
  rm -rf "$layout"
}
