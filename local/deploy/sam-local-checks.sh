#!/usr/bin/env bash
# The part of sam-local.sh that runs once tables, key and containers' image are there: every event, then the HTTP API.
. "$(dirname "$0")/settings.sh"

# The containers see their build folder only, so the master key that the runner made goes there too.
for folder in "$WORK"/build/*Function; do install -m 644 "$WORK/data/master.key" "$folder/"; done
# environment: what stands in for AWS. The runner names a table after its logical ID (KeysTable: keys-table), and the
# variable after the same word. KMS, which the key file replaces, is a closed port: never AWS.
environment() {
  grep -o 'TABLE_[A-Z_]*' template.yaml | sort -u | while read -r name; do
    printf '"%s": "%s-table", ' "$name" "$(echo "${name#TABLE_}" | tr A-Z_ a-z-)"
  done
  printf '"LOCAL_KEY_FILE": "/var/task/master.key", "AWS_ENDPOINT_URL_DYNAMODB": "%s", "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:9", ' "$TABLES"
  printf '"AWS_ENDPOINT_URL_LAMBDA": "%s", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "%s", "AWS_ENDPOINT_URL_SESV2": "%s", "AWS_ENDPOINT_URL_SQS": "%s", "AWS_ENDPOINT_URL_S3": "%s"' "$ACCEPT" "$ACCEPT" "$ACCEPT" "$ACCEPT" "$ACCEPT"
}
echo "{\"Parameters\": {$(environment)}}" >"$WORK/env.json"
# SAM CLI asks STS who it is and tries for seconds; this makes it give up at once.
export AWS_ENDPOINT_URL_STS=http://127.0.0.1:9 AWS_MAX_ATTEMPTS=1
flags=(--template "$WORK/build/template.yaml" --env-vars "$WORK/env.json" --skip-pull-image --invoke-image tokenim-lambda:any
  --parameter-overrides "Architecture=$ARCHITECTURE" --add-host host.docker.internal:host-gateway)
python=${SAM%/sam}/python failed=0

# call PATH MEMBERS MEMBER: a POST to the runner with the key; prints one member of the answer.
body() { printf '{"api_key":"%s",%s}' "$TOKENIM_API_KEY" "$1"; }
call() {
  curl -sS -H 'Content-Type: application/json' -d "$(body "$2")" "$TOKENIM_URL$1" |
    "$python" -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$3"
}

# The names in events/ are placeholders. Real ones in their place let the functions do more than refuse.
ann=$(call /register '"username":"events-ann"' user_id)
bob=$(call /register '"username":"events-bob"' user_id)
conversation=$(call /send "\"from\":\"$bob\",\"to\":\"$ann\",\"message\":\"x\"" conversation_id)
key=${TOKENIM_API_KEY#tk_} key=key_${key%%_*}
app=$("$python" -c 'import json,sys; print(json.load(open(sys.argv[1]))["app"])' "$WORK/data/bootstrap.json")
fill() {
  sed -e "s/tk_your_api_key/$TOKENIM_API_KEY/" -e "s/\"key\": \"key_0*AAAAAAAAAA/\"key\": \"$key/" -e "s/app_0000000000000000/$app/" \
    -e "s/u_4oKyQ1F8aXbT0mJ2cLw7Zr/$ann/" -e "s/u_6pLzR2G9bYcU1nK3dMx8As/$bob/" -e "s/c_5qMaS3H0cZdV2oL4eNy9Bt/$conversation/" "$1"
}

echo "== sam local invoke, every event of events/ (${SECONDS}s)"
# invoke HALF: every second event, the even ones or the odd. SAM CLI starts anew for each, which is what takes the time.
invoke() {
  local function event answer verdict bad=0
  while read -r function event; do
    fill "events/$event" >"$WORK/event$1.json"
    answer=$("$SAM" local invoke "$function" --event "$WORK/event$1.json" "${flags[@]}" 2>"$WORK/log$1" || true)
    # By standard input: the API's description is too long for an argument.
    if "$python" local/deploy/events.py judge <<<"$answer"; then verdict=ok; else verdict=FAILED bad=1; fi
    printf '%-7s %-20s %-30s %.80s\n' "$verdict" "$function" "$event" "$answer"
    [ $verdict = ok ] || tail -n 5 "$WORK/log$1"
  done < <("$python" local/deploy/events.py list | awk -v half="$1" 'NR % 2 == half')
  return $bad
}
invoke 0 &
half=$!
invoke 1 || failed=1
wait $half || failed=1

echo "== sam local start-api (${SECONDS}s)"
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$SAM" local start-api --host 127.0.0.1 --port "$port" --warm-containers LAZY "${flags[@]}" </dev/null >"$WORK/api.log" 2>&1 &
api=$!
trap 'kill $api 2>/dev/null; wait $api 2>/dev/null || true' EXIT # SIGTERM: it removes its containers
url=http://127.0.0.1:$port

# expect STATUS CURL-ARGUMENTS: one request and the status that it has to have.
expect() {
  local want=$1 got; shift
  got=$(curl -s -o "$WORK/body" -w '%{http_code}' --max-time 60 -H 'Content-Type: application/json' "$@") || true
  local verdict=ok
  [ "$got" = "$want" ] || { verdict=FAILED; failed=1; }
  printf '%-7s %s %.100s\n' "$verdict" "$got" "$(tr -d '\n' <"$WORK/body")"
}

deadline=$((SECONDS + 60))
until curl -s -o /dev/null --max-time 60 "$url/status"; do
  kill -0 $api 2>/dev/null && [ $SECONDS -lt $deadline ] || { cat "$WORK/api.log" >&2; exit 1; }
  sleep 0.5
done
expect 200 "$url/status"
expect 200 "$url/openapi.json"
expect 201 "$url/register" -d "$(body '"username":"sam-ann"')"
expect 201 "$url/register" -d "$(body '"username":"sam-bob"')"
expect 409 "$url/register" -d "$(body '"username":"sam-bob"')"
expect 401 "$url/register" -d '{"api_key":"tk_x","username":"x"}'
expect 200 "$url/send" -d "$(body '"from":"sam-ann","to":"sam-bob","message":"from a container"')"
expect 200 "$url/users?limit=10" -H "Authorization: Bearer $TOKENIM_API_KEY"
exit $failed
