import type { ClientFile } from './client-config.ts';
import type { MachineFiles } from './plan.ts';
import type { ClientAuthority, ClientTarget } from './target.ts';

/** Where a distribution keeps the authorities that somebody has added, and how it is told to look. */
export interface TrustStore {
  readonly of: string;
  readonly directory: string;
  /** Has something in it where the store is of this kind. */
  readonly sign: string;
  readonly update: string;
}

export const trustStores = [
  {
    of: 'Debian, Ubuntu, Alpine',
    directory: '/usr/local/share/ca-certificates',
    sign: '/usr/share/ca-certificates',
    update: 'sudo update-ca-certificates',
  },
  {
    of: 'RHEL, Fedora',
    directory: '/etc/pki/ca-trust/source/anchors',
    sign: '/etc/pki/ca-trust/source',
    update: 'sudo update-ca-trust',
  },
  {
    of: 'SUSE',
    directory: '/etc/pki/trust/anchors',
    sign: '/etc/pki/trust',
    update: 'sudo update-ca-certificates',
  },
] as const satisfies readonly TrustStore[];

export async function storeOf(machine: MachineFiles): Promise<TrustStore> {
  for (const store of trustStores.toReversed()) if ((await machine.list(store.sign)).length > 0) return store;
  return trustStores[0];
}

/** A file for each certificate: Debian's tool passes over files with several. */
export function trustFiles(
  authority: ClientAuthority | undefined,
  { of, directory }: TrustStore,
  name: string,
  { url }: ClientTarget,
): readonly ClientFile[] {
  if (authority === undefined) return [];
  const kind = name.replace('entrepot-', '');
  const all = authority.pem?.match(/[^-]*-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?|^[^-]+$/g) ?? [
    `(what this prints: curl -fsSk "${url}/ca.crt?ca=${kind}")\n`,
  ];
  return all.map((content, index) => ({
    path: `${directory}/${name}${index === 0 ? '' : `-${index + 1}`}.crt`,
    action: 'create',
    when: of,
    content,
  }));
}
