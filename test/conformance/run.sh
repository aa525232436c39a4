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
MODULE=github.com/opencontainers/distribution-spec/conformance

# Without the runner there is still beyond/, which needs nothing.
go_without() {
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
mkdir -p "$CACHE"
# Go wants a home for what it downloads, and a service may have none.
export HOME=${HOME:-$CACHE} GOFLAGS=-mod=readonly CGO_ENABLED=0
VERSION=$(awk -v module="$MODULE" '$1 == "require" && $2 == module { print $3 }' "$HERE/go.mod")
[ -n "$VERSION" ] || { echo "$HERE/go.mod requires no $MODULE" >&2; exit 1; }
RUNNER=$CACHE/runner-$VERSION

build() {
  local log=$CACHE/build.log reason directory
  reason=$(bash "$HERE/install.sh" | tail -n 1) || go_without "$reason"
  if ! (cd "$HERE" && go mod download -json "$MODULE") >"$CACHE/module.json" 2>"$log"; then
    cat "$CACHE/module.json" "$log" >&2
    # Anything but the pinned bytes is an attack or a mistake, not a missing network.
    if grep -qs 'checksum mismatch' "$CACHE/module.json" "$log"; then exit 1; fi
    go_without "$MODULE@$VERSION could not be downloaded (above)"
  fi
  directory=$(sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p' "$CACHE/module.json")
  (cd "$directory" && go build -buildvcs=false -o "$RUNNER.new")
  mv "$RUNNER.new" "$RUNNER"
}

# Two runs at once build it once.
exec 9>"$CACHE/build.lock"
flock 9
[ -x "$RUNNER" ] || build
run --runner "$RUNNER"
