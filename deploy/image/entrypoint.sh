#!/bin/sh
# What registry's image takes: a configuration to serve, a command with its options, or any other program.
set -e
registrys=/etc/docker/registry/config.yml
# Variables that only docker-registry-proxy has say what registry's file would: its port, and what is cached. Not over a file
# that somebody has put there.
proxys="$REGISTRIES$AUTH_REGISTRIES$CACHE_MAX_SIZE$ENABLE_MANIFEST_CACHE$MANIFEST_CACHE_DEFAULT_TIME$ALLOW_PUSH$CA_CRT_FILE"
if [ "$*" = "$registrys" ] && [ -n "$proxys" ] && [ "$(cat "$registrys")" = "$(cat /etc/distribution/config.yml)" ]; then
  set -- /etc/entrepot/proxy.yml
fi
case "${1:-}" in
  *.yaml | *.yml) set -- entrepot serve "$@" ;;
  "" | -*) set -- entrepot "$@" ;;
  *) command -v "$1" >/dev/null || set -- entrepot "$@" ;;
esac
exec "$@"
