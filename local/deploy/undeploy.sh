#!/usr/bin/env bash
# Takes the local deployment down: ends the emulator with its functions, and removes its state. Nothing else is touched.
. "$(dirname "$0")/settings.sh"

# stop PID: asks first, so that the emulator ends its functions; whatever of its process group is left then is killed.
stop() {
  kill "$1" 2>/dev/null || true
  for _ in $(seq 100); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null || true
}

if running; then stop "$(cat "$PID_FILE")"; fi
rm -rf "$HOME_DIR" "$DEPLOYED"
