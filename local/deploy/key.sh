#!/usr/bin/env bash
# Prints a new API key, with every scope, of a new app on the local deployment.
. "$(dirname "$0")/settings.sh"
AWS_ENDPOINT_URL_DYNAMODB=$ENDPOINT go run ./local/bootstrapkey -table "$(field "$STACK_FILE" keys_table)" \
  -records "$(field "$STACK_FILE" records_table)" \
  -origins "http://localhost:*,http://127.0.0.1:*"
