# Sourced by the scripts of the tests: everything is compiled as it is deployed (samconfig.toml's head, but for the symbols), so
# that functions, tests and tools share what Go has compiled, and what is tested is what will run. The race detector needs
# CGO_ENABLED=1.
export CGO_ENABLED=${CGO_ENABLED:-0} GOFLAGS="-buildvcs=false -trimpath -tags=lambda.norpc,nethttpomithttp2"
# The tags of a command line replace those of GOFLAGS.
CONFORMANCE_TAGS=conformance,lambda.norpc,nethttpomithttp2
