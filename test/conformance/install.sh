#!/bin/bash
# install.sh: the Go compiler, with which the specification's runner is built. Idempotent. Exits 1 with the reason on the
# last line of its output where there is none to be had that is new enough.
set -euo pipefail

NEEDED=$(awk '$1 == "go" { print $2 }' "$(dirname "${BASH_SOURCE[0]}")/go.mod")

new_enough() {
  local have
  command -v go >/dev/null || return 1
  have=$(go env GOVERSION) && have=${have#go}
  [ "$(printf '%s\n%s\n' "$NEEDED" "$have" | sort -V | head -n 1)" = "$NEEDED" ]
}

new_enough && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "there is no Go compiler from $NEEDED on, and only root on Debian can have one installed: install Go"
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get update -qq >&2 || true
apt-get install -y -qq --no-install-recommends golang-go ca-certificates >&2 ||
  { echo "apt-get could not install golang-go: install Go $NEEDED or later"; exit 1; }
new_enough || { echo "this Debian's Go is older than $NEEDED: install a later one"; exit 1; }
