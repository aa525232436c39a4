# shellcheck shell=bash
# go-program.sh: sourced by what runs a program of somebody else's, written in Go. Its version is pinned by go.mod and
# go.sum beside the caller ($HERE); it is built once into $CACHE. The caller defines `without REASON...`, for where it cannot be had.

mkdir -p "$CACHE"
# Go wants a home for what it downloads, and a service may have none.
export HOME=${HOME:-$CACHE} GOFLAGS=-mod=readonly CGO_ENABLED=0

# go_program NAME MODULE [PACKAGE]: sets PROGRAM to the path of the program. Two runs at once build it once.
go_program() {
  local name=$1 module=$2 package=${3:-.} version
  version=$(awk -v module="$module" '$1 == "require" && $2 == module { print $3 }' "$HERE/go.mod")
  [ -n "$version" ] || { echo "$HERE/go.mod requires no $module" >&2; exit 1; }
  PROGRAM=$CACHE/$name-$version
  exec 9>"$CACHE/build.lock"
  flock 9
  [ -x "$PROGRAM" ] || build_program "$module" "$version" "$package"
  exec 9>&-
}

build_program() {
  local module=$1 version=$2 package=$3 log=$CACHE/build.log reason directory
  reason=$(bash "$(dirname "${BASH_SOURCE[0]}")/conformance/install.sh" | tail -n 1) || without "$reason"
  if ! (cd "$HERE" && go mod download -json "$module") >"$CACHE/module.json" 2>"$log"; then
    cat "$CACHE/module.json" "$log" >&2
    # Anything but the pinned bytes is an attack or a mistake, not a missing network.
    if grep -qs 'checksum mismatch' "$CACHE/module.json" "$log"; then exit 1; fi
    without "$module@$version could not be downloaded (above)"
  fi
  directory=$(sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p' "$CACHE/module.json")
  (cd "$directory" && go build -buildvcs=false -o "$PROGRAM.new" "$package")
  mv "$PROGRAM.new" "$PROGRAM"
}
