// Package docs carries the documents that the platform serves.
package docs

import _ "embed"

// OpenAPI is the description of the HTTP API, written by `make docs` from the operations and held to them by a test.
//
//go:embed openapi.json
var OpenAPI []byte
