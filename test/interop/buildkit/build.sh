#!/bin/bash
# build.sh PROGRAM: buildkitd, which Debian has inside dockerd only, built once into PROGRAM; its version is pinned by go.mod and
# go.sum beside this file. Where it cannot be had, the reason is printed, and its tests are skipped.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$(dirname "$1")/buildkit

without() {
  echo "[interop] no buildkitd: $*" >&2
  exit 0
}

. "$HERE/../../go-program.sh"
go_program buildkitd github.com/moby/buildkit ./cmd/buildkitd
ln -f "$PROGRAM" "$1"
