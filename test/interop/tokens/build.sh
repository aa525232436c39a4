#!/bin/bash
# build.sh PROGRAM: registry's own token service, which it ships as an example, built once into PROGRAM; its version is pinned
# by go.mod and go.sum beside this file. Where it cannot be had, the reason is printed, and its tests are skipped.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAM=$1
[ ! -x "$PROGRAM" ] || exit 0

skip() {
  echo "[interop] no token service: $*" >&2
  exit 0
}

reason=$(bash "$HERE/../../conformance/install.sh" | tail -n 1) || skip "$reason"
# Go wants a home for what it downloads, and a service may have none.
export HOME=${HOME:-$(dirname "$PROGRAM")} GOFLAGS=-mod=readonly CGO_ENABLED=0
cd "$HERE"
if ! said=$(go build -o "$PROGRAM.new" github.com/docker/distribution/contrib/token-server 2>&1); then
  # Anything but the pinned bytes is an attack or a mistake, not a missing network.
  case $said in *"checksum mismatch"*) echo "$said" >&2; exit 1 ;; esac
  skip "$said"
fi
mv "$PROGRAM.new" "$PROGRAM"
