import { X509Certificate } from 'node:crypto';
import type { ClientConfig, ClientFile } from '../client-config.ts';
import { criUnproved } from '../pulls.ts';
import { runtimes } from '../runtimes.ts';
import type { RuntimeName } from '../runtimes.ts';
import type { ClientTarget } from '../target.ts';
import { trustStores } from '../trust-store.ts';
import { setupFunctions } from './functions.ts';

/**
 * What a machine without this program runs instead of `entrepot client`; everything that goes into it has been checked.
 *
 * @param unasked what it sets up where its caller names nothing
 */
export function setupScript(target: ClientTarget, unasked?: RuntimeName): string {
  const names = (Object.keys(runtimes) as RuntimeName[]).filter((name) => runtimes[name].plan !== undefined);
  return [
    '#!/bin/sh',
    `# Sets this machine up to pull through ${target.url}, as entrepot client does:`,
    `#   curl -fsS ${target.url}/setup.sh | sudo sh -s -- RUNTIME [--apply | --undo | --verify]`,
    `# RUNTIME is one of ${names.join(', ')}.`,
    'set -e',
    `url=${quoted(target.url)}`,
    `where=${quoted(target.serves === 'none' ? new URL(target.url).host : (target.defaultUpstream ?? ''))}`,
    'root=$ENTREPOT_ROOT',
    'failed=',
    'unproved=',
    ...(unasked === undefined ? [] : [`[ $# -gt 0 ] || set -- ${unasked} --apply`]),
    setupFunctions,
    ...names.map((name) => runtimeFunctions(name, runtimes[name].config(target))),
    mainPart(target, names),
  ].join('\n');
}

function runtimeFunctions(name: RuntimeName, config: ClientConfig): string {
  const id = name.replaceAll('-', '_');
  return [
    `files_of_${id}() {\n${filesOf(name, config)}\n}`,
    `commands_of_${id}() {\n${commandsOf(name, config)}\n}`,
    `pull_with_${id}() { ${pullsOf[name] ?? 'false'}; }`,
  ].join('\n');
}

function filesOf(name: RuntimeName, { files }: ClientConfig): string {
  if (name === 'docker') return byTrustStore(files);
  const wanted = name === 'containerd' ? files.filter(({ when }) => when === undefined || when.includes('1.x')) : files;
  const calls = wanted.map((file) => wantCall(file));
  return calls.length > 0 ? calls.join('\n') : '  :';
}

function byTrustStore(files: readonly ClientFile[]): string {
  if (files.length === 0) return '  fail "this server is no proxy for other registries; use docker-mirror"';
  const [debian, redHat, suse] = trustStores.map(({ of }) =>
    files
      .filter(({ when }) => when === of)
      .map((file) => wantCall(file))
      .join('\n'),
  );
  return [
    '  ! grep -qs \'"proxies" *:\' "$root/etc/docker/daemon.json" || fail "/etc/docker/daemon.json has proxies, which dockerd believes first; remove them"',
    ...files.filter(({ when }) => when === undefined).map((file) => wantCall(file)),
    `  case $(trust_store) in\n  redhat)\n${redHat}\n  ;;\n  suse)\n${suse}\n  ;;\n  *)\n${debian}\n  ;;\n  esac`,
  ].join('\n');
}

function commandsOf(name: RuntimeName, { commands }: ClientConfig): string {
  if (name === 'docker') {
    const [, ...restart] = commands;
    const update =
      '  if [ "$(trust_store)" = redhat ]; then say "sudo update-ca-trust"; else say "sudo update-ca-certificates"; fi';
    return [update, ...restart.map((command) => `  say ${quoted(command)}`)].join('\n');
  }
  return commands.length > 0 ? commands.map((command) => `  say ${quoted(command)}`).join('\n') : '  :';
}

/** How the shell is to treat a file that is there already. */
function wantCall({ path, content, action }: ClientFile): string {
  const kind = kinds.find(({ of }) => path.endsWith(of))?.kind ?? (action === 'create' ? 'create' : 'whole');
  return `want ${kind} ${quoted(path)} <<'ENTREPOT_END'\n${content.trimEnd()}\nENTREPOT_END`;
}

const kinds = [
  { of: '/daemon.json', kind: 'json' },
  { of: '/hosts.toml', kind: 'hosts' },
  { of: '/containerd/config.toml', kind: 'config' },
] as const;

const pullsOf: Readonly<Partial<Record<RuntimeName, string>>> = {
  docker: 'docker pull "$1" && docker rmi "$1"',
  'docker-mirror': 'docker pull "$1" && docker rmi "$1"',
  containerd: [
    'if command -v crictl >/dev/null; then crictl pull "$1" && crictl rmi "$1"',
    `else grep -qs '^ *disabled_plugins.*cri' "$root/etc/containerd/config.toml" || unproved=${quoted(criUnproved)}`,
    'ctr images pull --hosts-dir /etc/containerd/certs.d "$1" && ctr images rm "$1"; fi',
  ].join('\n'),
  podman: 'podman pull "$1" && podman rmi "$1"',
  crio: 'crictl pull "$1" && crictl rmi "$1"',
  k3s: 'k3s crictl pull "$1" && k3s crictl rmi "$1"',
  rke2: '/var/lib/rancher/rke2/bin/crictl --config /var/lib/rancher/rke2/agent/etc/crictl.yaml pull "$1"',
  buildkit: 'printf "FROM %s\\n" "$1" | docker buildx build --builder entrepot --no-cache -',
};

function mainPart(target: ClientTarget, names: readonly RuntimeName[]): string {
  const pem = target.authority?.pem ?? '';
  return `
trust_store() {
  if [ -d "$root/etc/pki/ca-trust/source" ]; then echo redhat
  elif [ -d "$root/etc/pki/trust" ]; then echo suse
  else echo debian; fi
}

runtime=$1
case $runtime in
${names.join(' | ')}) ;;
*) fail "name what pulls here, one of ${names.join(', ')}: curl -fsS ${target.url}/setup.sh | sudo sh -s -- RUNTIME [--apply | --undo | --verify]" ;;
esac
id=$(printf '%s' "$runtime" | tr - _)
state=/var/lib/entrepot-client/$runtime
files_of() { "files_of_$id"; }
commands_of() { "commands_of_$id"; }
pull_with() { "pull_with_$id" "$1"; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/ca.crt" <<'ENTREPOT_END'
${pem.trimEnd()}
ENTREPOT_END
[ -n "$(tr -d '\\n' <"$tmp/ca.crt")" ] || rm "$tmp/ca.crt"
${fingerprintLines(target).join('\n')}
case $2 in
'' | --apply) apply ;;
--undo) undo ;;
--verify) verify ;;
*) fail "$2 is not known; write --apply, --undo or --verify" ;;
esac
`;
}

function fingerprintLines({ authority, interception }: ClientTarget): readonly string[] {
  const named = [
    ['server', authority?.pem],
    ['interception', interception?.pem],
  ] as const;
  return named.flatMap(([kind, pem = '']) =>
    (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map(
      (each) =>
        `say ${quoted(`The ${kind} CA has the SHA-256 fingerprint ${new X509Certificate(each).fingerprint256}; compare: entrepot ca ${kind}, at the server.`)}`,
    ),
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
