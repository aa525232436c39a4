import { isDeepStrictEqual } from 'node:util';
import type { TomlTable } from 'smol-toml';
import { RegistryError } from '../../oci/errors.ts';
import type { ClientFile } from '../client-config.ts';
import { insertFirstTable, parseToml, tableAt } from '../merge/toml.ts';
import type { ClientTarget } from '../target.ts';

/** A registry's file in containerd's certs.d, with us in front of whoever else is asked. */
export function hostsToml({ url, serves }: ClientTarget, path: string, caPath: string | undefined): ClientFile {
  // With "push" here, pushes to every registry would come to the cache.
  const capabilities = serves === 'none' ? ['pull', 'resolve', 'push'] : ['pull', 'resolve'];
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
