#!/bin/bash
# run.sh: the OCI distribution specification's own conformance runner against this checkout's server.
#
#   npm run conformance                                   Entrepot
#   npm run conformance -- --subject docker-registry      Debian's docker-registry: what the runner says of a peer
#
# The runner's version is pinned by go.mod and go.sum beside this file; it is built once into the cache directory
# (ENTREPOT_LAB_DIR), where each run also leaves its results.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CACHE=${ENTREPOT_LAB_DIR:-/var/cache/entrepot-lab}/conformance

# Without the runner there is still beyond/, which needs nothing.
without() {
  echo "the specification's runner is skipped: $*" >&2
  run
}

run() {
  exec 9>&-
  # To the server, ENTREPOT_* are settings.
  unset ENTREPOT_LAB_DIR
  export PATH="$ROOT/node_modules/.bin:$PATH"
  cd "$ROOT"
  exec node "$HERE/main.ts" --results "$CACHE/results" "${arguments[@]}" "$@"
}

arguments=("$@")
. "$HERE/../go-program.sh"
go_program runner github.com/opencontainers/distribution-spec/conformance
run --runner "$PROGRAM"
