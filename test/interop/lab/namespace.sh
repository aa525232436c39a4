#!/bin/bash
# namespace.sh COMMAND...: the first process of the lab's namespaces. Lays out the network, the names and the
# certificates, then runs COMMAND; when it ends, the kernel ends everything else that runs in here.
#
#   10.77.0.1   every registry, token service and CDN of the fake internet, on 443 and 80 (names: internet/names.txt)
#   10.77.0.9   cache.lab: the server under test
#
# There is no way out: no route, no resolver. The server under test finds the internet's names in /etc/hosts; the
# clients' machines (enter.sh) know cache.lab only, so a client that falls back to the registry itself fails.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
INTERNET=10.77.0.1
CACHE=10.77.0.9

mount -t proc proc /proc
ip link set lo up
ip addr add $INTERNET/32 dev lo
ip addr add $CACHE/32 dev lo

mapfile -t names < <(grep -v '^#' "$HERE/../internet/names.txt")

{
  echo "127.0.0.1 localhost $(hostname)"
  echo "$CACHE cache.lab"
} >"$LAB_WORK/hosts.client"
{
  cat "$LAB_WORK/hosts.client"
  printf "$INTERNET %s\n" "${names[@]}"
} >"$LAB_WORK/hosts.server"
: >"$LAB_WORK/resolv.conf"
mount --bind "$LAB_WORK/hosts.server" /etc/hosts
mount --bind "$LAB_WORK/resolv.conf" "$(readlink -f /etc/resolv.conf)"

# A certificate authority that nobody but this lab trusts, and one certificate for all names of the internet.
pki=$LAB_WORK/pki
mkdir -p "$pki"
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -days 30 -subj "/O=Lab/CN=Lab Internet Root" -keyout "$pki/ca.key" -out "$pki/ca.pem" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
openssl req "${key[@]}" -subj "/CN=internet" -keyout "$pki/internet.key" -out "$pki/internet.csr" 2>/dev/null
san=$(printf 'DNS:%s,' "${names[@]}")
openssl x509 -req -in "$pki/internet.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
  -out "$pki/internet.pem" -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "${san%,}") 2>/dev/null

# And one of the server under test, for the tests that give it files.
openssl req "${key[@]}" -subj "/CN=cache.lab" -keyout "$pki/cache.key" -out "$pki/cache.csr" 2>/dev/null
openssl x509 -req -in "$pki/cache.csr" -CA "$pki/ca.pem" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
  -out "$pki/cache.pem" -extfile <(printf 'subjectAltName=DNS:cache.lab\nextendedKeyUsage=serverAuth\n') 2>/dev/null

unset http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY

# Not exec: as the namespace's first process, this shell reaps what daemons orphan, and passes on a polite ending.
"$@" &
command=$!
trap 'kill -TERM $command 2>/dev/null' TERM INT HUP
status=0
wait $command || status=$?
exit $status
