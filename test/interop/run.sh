#!/bin/bash
# run.sh: real container clients against this checkout's server, in a lab of its own.
#
#   npm run interop                          every client
#   npm run interop -- podman containerd     only the files test/interop/{podman,containerd}.interop.ts
#   bash test/interop/run.sh --shell         a shell inside the lab
#
# The lab is one process, mount and network namespace: when it ends, however it ends, the kernel takes down every daemon,
# mount and address in it. What stays is the cache directory (ENTREPOT_LAB_DIR), which the next run uses again.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
export LAB_CACHE=${ENTREPOT_LAB_DIR:-/var/cache/entrepot-lab}

skip() {
  echo "interop is skipped: $*" >&2
  exit 0
}

[ "$(uname -s)" = Linux ] || skip "the lab is made of Linux namespaces, and this is $(uname -s)"
[ "$(id -u)" = 0 ] || skip "the lab needs root for namespaces, mounts and container daemons; run it as root"
command -v apt-get >/dev/null && grep -qs '^ID=debian' /etc/os-release ||
  skip "the clients come from Debian packages, and this machine is not Debian"
unshare --net --mount --pid --fork true 2>/dev/null || skip "this machine does not allow namespaces to be made"

export PATH="$ROOT/node_modules/.bin:$PATH"
mkdir -p "$LAB_CACHE"
started=$SECONDS
bash "$HERE/tokens/build.sh" "$LAB_CACHE/token-server"
# The first time, it compiles for minutes; installing mostly waits.
bash "$HERE/buildkit/build.sh" "$LAB_CACHE/buildkitd" &
building=$!
bash "$HERE/install.sh"
wait $building
command -v docker-registry >/dev/null || skip "docker-registry, the fake internet's back end, could not be installed"
node "$HERE/images/build.ts" "$LAB_CACHE/images"
echo "[interop] tools, clients and images are there after $((SECONDS - started)) s" >&2

# A run that was killed outright leaves its work directory; its lock tells that nobody is in there.
for stale in "$LAB_CACHE"/work.*; do
  if [ -d "$stale" ] && flock -n "$stale/lock" true; then rm -rf "$stale"; fi
done
LAB_WORK=$(mktemp -d "$LAB_CACHE/work.XXXXXX")
export LAB_WORK
exec 9>"$LAB_WORK/lock"
flock 9

lab=
leave() {
  [ -z "$lab" ] || kill -KILL "$lab" 2>/dev/null || true
  [ -z "$lab" ] || wait "$lab" 2>/dev/null || true
  if [ -n "${LAB_KEEP:-}" ]; then echo "[interop] kept $LAB_WORK" >&2; else rm -rf "$LAB_WORK"; fi
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cd "$ROOT"
if [ "${1:-}" = --shell ]; then
  command=(bash)
else
  files=()
  for name in "$@"; do files+=("$HERE/$name.interop.ts"); done
  [ ${#files[@]} -gt 0 ] || files=("$HERE"/*.interop.ts)
  command=(node --test --test-concurrency=1 --test-timeout=600000 "${files[@]}")
fi

# setpriv: should this script be killed outright, the lab goes with it.
setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --propagation private \
  bash "$HERE/lab/namespace.sh" "${command[@]}" <&0 &
lab=$!
status=0
wait "$lab" || status=$?
lab=
exit $status
