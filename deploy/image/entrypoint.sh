#!/bin/sh
# What registry's image takes: a configuration to serve, a command with its options, or any other program.
set -e
registrys=/etc/docker/registry/config.yml
# Variables that only docker-registry-proxy has say what registry's file would: its port, and what is cached. Not over a file
# that somebody has put there.
proxys='REGISTRIES|AUTH_REGISTR(IES|IES_DELIMITER|Y_DELIMITER)|CACHE_(MAX_SIZE|INACTIVE)|ENABLE_MANIFEST_CACHE|MANIFEST_CACHE_[A-Z_]+'
proxys="$proxys|ALLOW_PUSH|CA_(CRT|KEY)_FILE|DISABLE_IPV6|PROXY_(REQUEST_BUFFERING|CONNECT_[A-Z_]+)"
if [ "$*" = "$registrys" ] && env | grep -qE "^($proxys)=." && cmp -s "$registrys" /etc/distribution/config.yml; then
  set -- /etc/entrepot/proxy.yml
fi
case "${1:-}" in
  *.yaml | *.yml) set -- entrepot serve "$@" ;;
  "" | -*) set -- entrepot "$@" ;;
  *) command -v "$1" >/dev/null || set -- entrepot "$@" ;;
esac
exec "$@"
