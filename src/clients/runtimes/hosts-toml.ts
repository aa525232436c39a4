import { isDeepStrictEqual } from 'node:util';
import type { TomlTable } from 'smol-toml';
import { RegistryError } from '../../oci/errors.ts';
import type { ClientFile } from '../client-config.ts';
import { insertFirstTable, parseToml, tableAt } from '../merge/toml.ts';
import type { ClientTarget } from '../target.ts';

const ofMirror = ['pull', 'resolve'];
const ofRegistry = ['pull', 'resolve', 'push'];

/** A registry's file in containerd's certs.d, with us in front of whoever else is asked; pushes to it stay its own. */
export function mirrorHostsToml({ url }: ClientTarget, path: string, caPath: string | undefined): ClientFile {
  return hostsToml(url, ofMirror, { path, caPath });
}

/** The file of our own name. */
export function ownHostsToml({ url }: ClientTarget, path: string, caPath: string | undefined): ClientFile {
  return hostsToml(url, ofRegistry, { path, caPath });
}

interface Place {
  readonly path: string;
  readonly caPath: string | undefined;
}

function hostsToml(url: string, capabilities: readonly string[], { path, caPath }: Place): ClientFile {
  const ours = { capabilities, ...(caPath === undefined ? {} : { ca: caPath }) };
  const content = blockOf(url, ours);
  return { path, action: 'create', when: undefined, content, into: (before) => merged(before, url, ours, path) };
}

interface Host {
  readonly capabilities: readonly string[];
  readonly ca?: string;
}

function blockOf(url: string, { capabilities, ca }: Host): string {
  const list = capabilities.map((each) => JSON.stringify(each)).join(', ');
  return `[host."${url}"]\n  capabilities = [${list}]\n${ca === undefined ? '' : `  ca = ${JSON.stringify(ca)}\n`}`;
}

/** They are asked in the order of the file. */
function merged(before: string, url: string, ours: Host, path: string): string {
  const root = parseToml(before, path);
  const hosts = tableAt(root, ['host']);
  const there = hosts[url] as TomlTable | undefined;
  if (there === undefined) {
    return insertFirstTable(before, blockOf(url, ours), { ...root, host: { [url]: ours, ...hosts } }, path);
  }
  if (isDeepStrictEqual({ ...there }, { ...ours }) && Object.keys(hosts)[0] === url) return before;
  throw new RegistryError(
    'UNSUPPORTED',
    `${path} has [host."${url}"] already, and says something else there; remove that table first`,
    { origin: 'operator' },
  );
}
