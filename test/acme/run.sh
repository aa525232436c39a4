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
MODULE=github.com/letsencrypt/pebble/v2

give_up() {
  echo "there is no ACME server to test with: $*" >&2
  exit 1
}

mkdir -p "$CACHE"
# Go wants a home for what it downloads, and a service may have none.
export HOME=${HOME:-$CACHE} GOFLAGS=-mod=readonly CGO_ENABLED=0
VERSION=$(awk -v module="$MODULE" '$1 == "require" && $2 == module { print $3 }' "$HERE/go.mod")
[ -n "$VERSION" ] || { echo "$HERE/go.mod requires no $MODULE" >&2; exit 1; }
PEBBLE=$CACHE/pebble-$VERSION

build() {
  local log=$CACHE/build.log reason directory
  reason=$(bash "$HERE/../conformance/install.sh" | tail -n 1) || give_up "$reason"
  if ! (cd "$HERE" && go mod download -json "$MODULE") >"$CACHE/module.json" 2>"$log"; then
    cat "$CACHE/module.json" "$log" >&2
    # Anything but the pinned bytes is an attack or a mistake, not a missing network.
    if grep -qs 'checksum mismatch' "$CACHE/module.json" "$log"; then exit 1; fi
    give_up "$MODULE@$VERSION could not be downloaded (above)"
  fi
  directory=$(sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p' "$CACHE/module.json")
  (cd "$directory" && go build -buildvcs=false -o "$PEBBLE.new" ./cmd/pebble)
  mv "$PEBBLE.new" "$PEBBLE"
}

# Two runs at once build it once.
exec 9>"$CACHE/build.lock"
flock 9
[ -x "$PEBBLE" ] || build
exec 9>&-
# To the server, ENTREPOT_* are settings.
unset ENTREPOT_LAB_DIR
export PEBBLE PATH="$ROOT/node_modules/.bin:$PATH"
cd "$ROOT"
exec node --test --test-timeout=240000 test/acme/letsencrypt.acme.ts
