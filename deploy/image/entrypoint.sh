#!/bin/sh
# What registry's image takes: a configuration to serve, a command with its options, or any other program.
set -e
case "${1:-}" in
  *.yaml | *.yml) set -- entrepot serve "$@" ;;
  "" | -*) set -- entrepot "$@" ;;
  *) command -v "$1" >/dev/null || set -- entrepot "$@" ;;
esac
exec "$@"
