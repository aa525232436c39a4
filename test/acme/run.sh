#!/bin/bash
# run.sh: certificates from a real ACME server, Let's Encrypt's own for tests (Pebble).
#
#   npm run acme
#
# Its version is pinned by go.mod and go.sum beside this file; it is built once into the cache directory
# (ENTREPOT_LAB_DIR). Where it cannot be had, the reason is printed, and that is a failure: there is nothing else to run.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CACHE=${ENTREPOT_LAB_DIR:-/var/cache/entrepot-lab}/acme

without() {
  echo "there is no ACME server to test with: $*" >&2
  exit 1
}

. "$HERE/../go-program.sh"
go_program pebble github.com/letsencrypt/pebble/v2 ./cmd/pebble
# To the server, ENTREPOT_* are settings.
unset ENTREPOT_LAB_DIR
export PEBBLE=$PROGRAM PATH="$ROOT/node_modules/.bin:$PATH"
cd "$ROOT"
exec node --test --test-timeout=460000 test/acme/*.acme.ts
