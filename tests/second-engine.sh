#!/usr/bin/env bash
# The store suites on a second engine, DynamoDB Local, so that no quirk of dynoxide is mistaken for DynamoDB.
# It installs the engine, pinned, into .tools/dynamodb-local with Maven. Where it cannot run, it says why and passes;
# TOKENIM_REQUIRE_SECOND_ENGINE=1 makes that a failure. Arguments go to `go test`, such as -run TestLog.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/flags.sh

VERSION=2.6.1
HOME_OF_ENGINE=.tools/dynamodb-local

leave() {
	echo "second engine left out: $1" >&2
	[ "${TOKENIM_REQUIRE_SECOND_ENGINE:-}" = 1 ] && exit 1
	exit 0
}

# DynamoDB Local has no option to listen on loopback only: it runs, with the tests, in a network namespace that has
# nothing but loopback.
confine() {
	if [ "$(id -u)" = 0 ]; then unshare --net "$@"; else unshare --map-root-user --net "$@"; fi
}

install() {
	[ -f "$HOME_OF_ENGINE/$VERSION" ] && return
	command -v mvn >/dev/null || leave "mvn (Maven) is not installed"
	echo "Installing DynamoDB Local $VERSION into $HOME_OF_ENGINE ..."
	rm -rf "$HOME_OF_ENGINE"
	mkdir -p "$HOME_OF_ENGINE"
	cat >"$HOME_OF_ENGINE/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tokenim</groupId><artifactId>second-engine</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId><version>$VERSION</version></dependency>
  </dependencies>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
  </plugin></plugins></build>
</project>
POM
	(cd "$HOME_OF_ENGINE" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib >install.log 2>&1) ||
		leave "Maven could not install it; see $HOME_OF_ENGINE/install.log"
	touch "$HOME_OF_ENGINE/$VERSION"
}

# answers tells whether HTTP comes from the port; an unsigned request is refused, which is an answer too.
answers() { curl -s -o /dev/null "http://127.0.0.1:$PORT/"; }

# inside runs within the namespace: the engine, the suites, and the end of the engine.
inside() {
	PORT=8000
	ip link set lo up
	java -Djava.library.path="$HOME_OF_ENGINE/lib" -cp "$HOME_OF_ENGINE/lib/*" \
		com.amazonaws.services.dynamodbv2.local.main.ServerRunner -inMemory -disableTelemetry -port "$PORT" >"$HOME_OF_ENGINE/engine.log" 2>&1 &
	engine=$!
	trap 'kill "$engine" 2>/dev/null; wait "$engine" 2>/dev/null || true' EXIT
	for _ in $(seq 300); do
		answers && break
		kill -0 "$engine" 2>/dev/null || { cat "$HOME_OF_ENGINE/engine.log" >&2; exit 1; }
		sleep 0.2
	done
	answers || { echo "DynamoDB Local does not answer within a minute" >&2; exit 1; }
	mapfile -t packages < <(suites)
	# No test may fall back on dynoxide: it would not find it. -short: what dies at each of its writes on dynoxide, dies here at
	# every few.
	TOKENIM_DYNOXIDE=/none TOKENIM_DYNAMODB_ENDPOINT="http://127.0.0.1:$PORT" go test -count=1 -short -timeout 10m "$@" "${packages[@]}"
}

# suites lists the packages of stores, and of backups, whose tests start an engine.
suites() {
	go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./shared/... ./local/drill/... | awk '/local\/engine\/enginetest/ {print $1}'
}

if [ "${1:-}" = --inside ]; then
	shift
	inside "$@"
	exit
fi
command -v java >/dev/null || leave "java is not installed (JDK 17 or later)"
command -v curl >/dev/null || leave "curl is not installed"
command -v ip >/dev/null && confine true 2>/dev/null ||
	leave "it would listen on every interface: there is no network namespace to confine it to (Linux with unshare and ip)"
install
go mod download
confine bash "$0" --inside "$@"
