#!/bin/bash
# install.sh: what the interop lab needs and a bare Debian machine lacks. Idempotent; needs root.
#
# On this machine: a handful of small tools, docker-registry (the fake internet's back end), the proxies that are put in
# front, and what the benchmark needs, nginx and wrk; nothing is started. The clients are not installed here but into root
# directories of their own, so that their versions do not depend on this machine and nothing of its own is replaced:
#   bookworm   dockerd 20.10, containerd 1.6, podman 4.3, buildah 1.28, skopeo 1.9
#   sid        dockerd 28, containerd 2.1, podman 5.8, buildah 1.43, skopeo 1.22, crane, oras
#
# The Debian mirror is the one that this machine's apt uses. A piece that cannot be had is named in the cache directory
# (roots/SUITE.missing) and here; its tests are skipped with that reason.
set -euo pipefail

CACHE=${ENTREPOT_LAB_DIR:-/var/cache/entrepot-lab}
ROOTS=$CACHE/roots
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# command:package
TOOLS="debootstrap:debootstrap docker-registry:docker-registry nginx:nginx-light haproxy:haproxy caddy:caddy wrk:wrk ip:iproute2 openssl:openssl curl:curl
  xz:xz-utils tar:tar busybox:busybox-static unshare:util-linux flock:util-linux mount:mount"

CLIENTS_bookworm="docker.io containerd runc crun podman buildah skopeo iptables"
CLIENTS_sid="docker.io docker-cli docker-buildx containerd runc crun podman buildah skopeo oras crane netavark iptables"

say() { echo "[install] $*" >&2; }

# Packages that start daemons when installed must not do so here; an existing policy is left alone.
forbid_daemons() {
  local policy=/usr/sbin/policy-rc.d
  [ ! -e "$policy" ] || return 0
  trap "rm -f $policy" EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

install() { apt-get install -y -qq --no-install-recommends "$@"; }

install_tools() {
  local pair package lacking=()
  for pair in $TOOLS; do
    command -v "${pair%%:*}" >/dev/null || lacking+=("${pair##*:}")
  done
  [ ${#lacking[@]} -gt 0 ] || return 0
  say "installing ${lacking[*]}"
  apt-get update -qq || say "apt-get update failed; trying with the package lists that are here"
  forbid_daemons
  install "${lacking[@]}" >"$CACHE/install.log" 2>&1 && return 0
  for package in "${lacking[@]}"; do
    install "$package" >>"$CACHE/install.log" 2>&1 || say "could not install $package: see $CACHE/install.log"
  done
}

debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' | awk '$2 == "Debian" && $1 !~ /security/ { print $1; exit }'
}

# Sid's Release file is valid for a week only, and a mirror or a clock may be behind.
in_root() { chroot "$1" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "${@:2}"; }
root_apt() { in_root "$1" apt-get -qq -o Acquire::Check-Valid-Until=false "${@:2}"; }

# make_root SUITE PACKAGES...: complete under its final name, or not there at all.
make_root() {
  local suite=$1 root=$ROOTS/$1 new=$ROOTS/$1.new log=$ROOTS/$1.log package
  shift
  if [ "$(cat "$root/.clients" 2>/dev/null)" = "$*" ]; then return 0; fi
  say "making the $suite root (log: $log)"
  rm -rf "$root" "$new" "$ROOTS/$suite.missing"
  if ! debootstrap --variant=minbase --include=ca-certificates "$suite" "$new" "$MIRROR" >"$log" 2>&1; then
    echo "debootstrap $suite failed: see $log" | tee "$ROOTS/$suite.missing" >&2
    rm -rf "$new"
    return 0
  fi
  printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
  chmod 755 "$new/usr/sbin/policy-rc.d"
  root_apt "$new" update >>"$log" 2>&1 || true
  if ! root_apt "$new" install -y --no-install-recommends "$@" >>"$log" 2>&1; then
    for package in "$@"; do
      root_apt "$new" install -y --no-install-recommends "$package" >>"$log" 2>&1 ||
        echo "$suite has no $package to install" | tee -a "$ROOTS/$suite.missing" >&2
    done
  fi
  in_root "$new" apt-get clean
  rm -rf "$new"/usr/share/doc/* "$new"/var/lib/apt/lists/*
  # What is incomplete is used, and made anew the next time.
  [ -e "$ROOTS/$suite.missing" ] || echo "$*" >"$new/.clients"
  mv "$new" "$root"
  say "the $suite root is ready ($(du -sh "$root" | cut -f1))"
}

mkdir -p "$ROOTS"
exec 9>"$CACHE/install.lock"
flock 9
install_tools
MIRROR=$(debian_mirror)
if [ -z "$MIRROR" ]; then
  say "this machine's apt knows no Debian mirror: no client root can be made"
  exit 0
fi
make_root bookworm $CLIENTS_bookworm 9>&- &
bookworm=$!
make_root sid $CLIENTS_sid 9>&- &
sid=$!
wait $bookworm || say "the bookworm root failed: see $ROOTS/bookworm.log"
wait $sid || say "the sid root failed: see $ROOTS/sid.log"
