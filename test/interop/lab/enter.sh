#!/bin/bash
# enter.sh SUITE COMMAND...: runs COMMAND as a machine of the lab. It has SUITE's root file system under a throw-away
# layer, with the files of the directory LAB_ETC (if set) put into /etc; it knows one name (cache.lab), and shares the
# lab's network and work directory. The command replaces this process, so whoever started it can signal it.
set -euo pipefail

if [ "${LAB_ENTERED:-}" != "$$" ]; then
  export LAB_ENTERED=$$
  exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" "$@"
fi
unset LAB_ENTERED

suite=$1
shift
machine=$LAB_WORK/machine
mkdir -p "$machine"
mount -t tmpfs tmpfs "$machine"
mkdir "$machine/upper" "$machine/work" "$machine/root"
mount -t overlay overlay -o "lowerdir=$LAB_CACHE/roots/$suite,upperdir=$machine/upper,workdir=$machine/work" "$machine/root"

root=$machine/root
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cp "$LAB_WORK/hosts.client" "$root/etc/hosts"
: >"$root/etc/resolv.conf"
[ -z "${LAB_ETC:-}" ] || cp -r "$LAB_ETC/." "$root/etc/"
mkdir -p "$root$LAB_WORK" "$root/.old"
mount --bind "$LAB_WORK" "$root$LAB_WORK"

# Not chroot: runc wants the root of a mount namespace.
cd "$root"
pivot_root . .old
cd /
umount -l /.old
exec "$@"
