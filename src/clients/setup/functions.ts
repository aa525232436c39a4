/**
 * The part of `/setup.sh` that is the same for everybody: POSIX sh, awk, sha256sum, and curl or wget. It writes files as
 * `apply` does, with the journal that `undo` reads, and either can undo what the other has done. What it cannot merge with
 * certainty it leaves to people.
 */
export const setupFunctions = String.raw`
say() { printf '%s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
sum_of() { if [ -e "$1" ]; then sha256sum <"$1" | cut -c1-64; else printf '%s\n' -; fi; }

# want KIND PATH [CALL]: what standard input says belongs into that file. "before" is the file as it is.
want() {
  count=$((count + 1))
  cat >"$tmp/content"
  before=$root$2
  if [ ! -e "$before" ] || [ "$1" = create ]; then cp "$tmp/content" "$tmp/after.$count"
  else "into_$1" "$2" >"$tmp/after.$count"; fi
  if [ -e "$before" ] && cmp -s "$tmp/after.$count" "$before"; then count=$((count - 1)); return 0; fi
  printf '%s\n' "$2" >"$tmp/path.$count"
}

# A file that others may have written, and that no shell should change.
into_whole() {
  grep -qF "$url" "$before" || fail "$1 is there already: put this into it yourself, or use entrepot client: $(cat "$tmp/content")"
  cat "$before"
}

into_json() {
  cp "$before" "$tmp/json"
  sed -n 's/^ *"\([a-z-]*\)": *\[ *$/\1/p' "$tmp/content" >"$tmp/keys"
  while read -r key; do
    value=$(awk -v key="\"$key\":" '$1 == key { getline; gsub(/[ ",]/, ""); print }' "$tmp/content")
    awk -v key="$key" -v value="$value" '
      { text = text $0 "\n" }
      END {
        quoted = "\"" key "\""
        entry = "\"" value "\""
        at = index(text, quoted)
        if (text !~ /^[ \t\r\n]*\{/) exit 1
        if (at == 0) {
          brace = index(text, "{")
          rest = substr(text, brace + 1)
          printf "%s", substr(text, 1, brace) "\n  " quoted ": [" entry "]" (rest ~ /^[ \t\r\n]*\}/ ? "\n" : ",") rest
          exit
        }
        start = at + length(quoted)
        rest = substr(text, start)
        if (rest !~ /^[ \t\r\n]*:[ \t\r\n]*\[/) exit 1
        open = index(rest, "[")
        list = substr(rest, open + 1)
        inner = substr(list, 1, index(list, "]") - 1)
        if (index(inner, entry)) { printf "%s", text; exit }
        printf "%s", substr(text, 1, start - 1) substr(rest, 1, open) entry (inner ~ /^[ \t\r\n]*$/ ? "" : ", ") list
      }' "$tmp/json" >"$tmp/json.new" || fail "$1 is not as expected: put this into it yourself: $(cat "$tmp/content")"
    mv "$tmp/json.new" "$tmp/json"
  done <"$tmp/keys"
  if grep -qF "$url" "$before" && [ "$(tr -d ' \n' <"$before")" = "$(tr -d ' \n' <"$tmp/json")" ]; then cat "$before"; else cat "$tmp/json"; fi
}

# Before the first table: hosts are asked in the order of the file.
into_hosts() {
  if grep -qF "[host.\"$url\"]" "$before"; then cat "$before"; return 0; fi
  awk -v block="$tmp/content" '
    function put() { while ((getline line <block) > 0) print line; print ""; done = 1 }
    !done && /^[ \t]*\[/ { put() }
    { print }
    END { if (!done) put() }' "$before"
}

# config_path of the CRI, by the version of the file.
into_config() {
  if grep -q '^ *disabled_plugins.*cri' "$before" || grep -q '^ *config_path *= *"/etc/containerd/certs.d["/:]' "$before"; then
    cat "$before"; return 0
  fi
  ! grep -q '^ *config_path *= *"."' "$before" || fail "$1 has a config_path of its own: use entrepot client"
  ! grep -q 'registry"*\.\(mirrors\|configs\)' "$before" || fail "$1 has registry.mirrors or registry.configs, which exclude config_path: move them first"
  table='plugins."io.containerd.grpc.v1.cri".registry'
  ! grep -q '^ *version *= *3' "$before" || table='plugins."io.containerd.cri.v1.images".registry'
  grep -q '^ *version *= *[23]' "$before" || table='plugins.cri.registry'
  if grep -qF "[$table]" "$before"; then
    awk -v header="[$table]" '{ print } index($0, header) && !done { print "    config_path = \"/etc/containerd/certs.d\""; done = 1 }' "$before" |
      awk '/^ *config_path *= *""/ { next } { print }'
  else
    cat "$before"
    printf '\n[%s]\n  config_path = "/etc/containerd/certs.d"\n' "$table"
  fi
}

make_directory() {
  case $1 in / | . | '') return 0 ;; esac
  [ ! -d "$root$1" ] || return 0
  make_directory "$(dirname "$1")"
  mkdir "$root$1"
  printf 'made %s\n' "$1" >>"$tmp/made"
}

write_journal() {
  cat "$tmp/made" "$tmp/files" >"$root$state/journal.new"
  commands_of | sed 's/^/run /' >>"$root$state/journal.new"
  mv "$root$state/journal.new" "$root$state/journal"
}

# Lines "AFTER BEFORE PATH" of the journal whose file is neither.
changed_since() {
  sed -n 's/^file [0-9]* //p' "$root$state/journal" | while read -r after before path; do
    now=$(sum_of "$root$path")
    [ "$now" = "$after" ] || [ "$now" = "$before" ] || printf '%s ' "$path"
  done
}

apply() {
  count=0
  files_of
  if [ "$count" -gt 0 ] && [ -e "$root$state/journal" ]; then
    changed=$(changed_since)
    [ -z "$changed" ] || fail "$changed has been changed since it was written; take our lines out of it, and remove $state"
    undo >/dev/null
    rm -f "$tmp"/after.* "$tmp"/path.*
    count=0
    files_of
  fi
  if [ "$count" = 0 ]; then
    say "All of it is there already."
    commands_of >"$tmp/commands"
    [ ! -s "$tmp/commands" ] || say "Unless that has been done since it was written:"
    sed 's/^/now run   /' "$tmp/commands"
    return 0
  fi
  : >"$tmp/made"
  : >"$tmp/files"
  make_directory "$state"
  n=0
  while [ "$n" -lt "$count" ]; do
    n=$((n + 1))
    path=$(cat "$tmp/path.$n")
    printf 'file %s %s %s %s\n' "$n" "$(sum_of "$tmp/after.$n")" "$(sum_of "$root$path")" "$path" >>"$tmp/files"
    [ ! -e "$root$path" ] || cp -p "$root$path" "$root$state/$n"
    make_directory "$(dirname "$path")"
    write_journal
  done
  n=0
  while [ "$n" -lt "$count" ]; do
    n=$((n + 1))
    path=$(cat "$tmp/path.$n")
    if [ -e "$root$path" ]; then cat "$tmp/after.$n" >"$root$path"; else cp "$tmp/after.$n" "$root$path"; fi
    say "written   $path"
  done
  say "kept      what was there before, in $state"
  commands_of | sed 's/^/now run   /'
}

undo() {
  [ -e "$root$state/journal" ] || fail "nothing has been applied for $runtime on this machine: $state is not there"
  changed=$(changed_since)
  [ -z "$changed" ] || fail "$changed has been changed since: undoing would lose that. What was there before is in $state: put it right yourself, and remove that"
  sed -n 's/^file //p' "$root$state/journal" | while read -r n after before path; do
    if [ "$before" = - ]; then rm -f "$root$path"; else cp -p "$root$state/$n" "$root$path"; fi
    say "put back  $path"
  done
  sed -n 's/^run /now run   /p' "$root$state/journal"
  sed -n 's/^made //p' "$root$state/journal" | awk '{ line[NR] = $0 } END { for (n = NR; n > 0; n--) print line[n] }' >"$tmp/made"
  rm -f "$root$state"/[0-9]* "$root$state/journal"
  while read -r path; do rmdir "$root$path" 2>/dev/null || true; done <"$tmp/made"
  rmdir "$root$state" "$root/var/lib/entrepot-client" 2>/dev/null || true
}

fetch() {
  if command -v curl >/dev/null 2>&1; then
    if [ -s "$tmp/ca.crt" ]; then curl -fsS --cacert "$tmp/ca.crt" "$1"; else curl -fsS "$1"; fi
  elif [ -s "$tmp/ca.crt" ]; then wget -q -O - --ca-certificate="$tmp/ca.crt" "$1"
  else wget -q -O - "$1"; fi
}

verify() {
  hex=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  image=$where/entrepot-probe/$hex:latest
  pull_with "$image" >"$tmp/said" 2>&1 || failed=yes
  sleep 1
  door=$(fetch "$url/setup/probe/$hex" | sed -n 's/.*"door":"\([a-z]*\)","object":"manifest","status":200.*/\1/p')
  if [ -n "$door" ] && [ -z "$failed" ]; then
    say "It pulled $image, and that came from $url (door: $door)."
    [ -z "$unproved" ] || say "$unproved"
    return 0
  fi
  cat "$tmp/said" >&2
  [ -z "$door" ] || fail "it was asked for at $url (door: $door), and the runtime made nothing of it"
  fail "nothing of $image was asked for at $url: this $runtime does not use it yet"
}
`;
