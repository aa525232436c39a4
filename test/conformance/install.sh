#!/bin/bash
# install.sh: the Go compiler, with which the specification's runner is built. Idempotent. Exits 1 with the reason on the
# last line of its output where there is none to be had.
set -euo pipefail

command -v go >/dev/null && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "there is no Go compiler, and only root on Debian can have one installed: install Go"
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get update -qq >&2 || true
apt-get install -y -qq --no-install-recommends golang-go ca-certificates >&2 ||
  { echo "apt-get could not install golang-go: install Go"; exit 1; }
