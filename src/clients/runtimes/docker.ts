import { RegistryError } from '../../oci/errors.ts';
import type { ClientConfig, ClientFile } from '../client-config.ts';
import { planOf } from '../plan.ts';
import type { MachineFiles, Plan } from '../plan.ts';
import { isLoopback } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { storeOf, trustFiles, trustStores } from '../trust-store.ts';
import type { TrustStore } from '../trust-store.ts';
import { certificatesOfServer, daemonJson, flagNote, insecureRegistries } from './etc-docker.ts';
import type { DaemonKeys } from './etc-docker.ts';

const dropIn = '/etc/systemd/system/docker.service.d/zz-entrepot.conf';
const restart = ['sudo systemctl daemon-reload', 'sudo systemctl restart docker'] as const;

/** dockerd, for every registry and without another name for any image: through a tunnel that we look into. */
export function dockerConfig(target: ClientTarget): ClientConfig {
  const [first, ...others] = trustStores;
  const update = `${first.update}${others.map(({ of, update: command }) => `   # ${of}: ${command}`).join('')}`;
  return {
    runtime: 'docker',
    purpose: 'Docker pulls every image of every registry through the cache',
    files: isProxy(target) ? filesOf(target, trustStores) : [],
    commands: isProxy(target) ? [update, ...restart] : [],
    examples: isProxy(target) ? ['docker pull redis', 'docker pull quay.io/prometheus/prometheus'] : [],
    notes: notes(target),
  };
}

/** Only the machine's own trust store, and its own command. */
export async function planDocker(target: ClientTarget, machine: MachineFiles): Promise<Plan> {
  if (!isProxy(target)) throw new RegistryError('UNSUPPORTED', notes(target).join(' '), { origin: 'operator' });
  if (/"proxies"\s*:/.test((await machine.read('/etc/docker/daemon.json')) ?? '')) {
    throw new RegistryError(
      'UNSUPPORTED',
      '/etc/docker/daemon.json has "proxies", which dockerd believes before anything else; remove them there first',
      { origin: 'operator' },
    );
  }
  const store = await storeOf(machine);
  return await planOf({ files: filesOf(target, [store]), commands: [store.update, ...restart] }, machine);
}

function isProxy({ interception }: ClientTarget): boolean {
  return interception !== undefined;
}

/** The proxy for every other registry; and the server itself, which is asked without it. */
function filesOf(target: ClientTarget, stores: readonly TrustStore[]): readonly ClientFile[] {
  return [
    proxyFile(target),
    ...daemonJson(daemonKeys(target)),
    ...certificatesOfServer(target),
    ...stores.flatMap((store) => trusted(target, store)),
  ];
}

/** dockerd takes every registry on loopback to be one that may speak plain HTTP. */
function daemonKeys(target: ClientTarget): DaemonKeys {
  return isLoopback(target) ? {} : insecureRegistries(target);
}

function proxyFile({ url }: ClientTarget): ClientFile {
  const { hostname } = new URL(url);
  const direct = [...new Set(['localhost', '127.0.0.1', '::1', hostname])].join(',');
  const content = `[Service]\nEnvironment="HTTPS_PROXY=${url}"\nEnvironment="NO_PROXY=${direct}"\n`;
  return { path: dropIn, action: 'create', when: undefined, content };
}

/** A proxy that is spoken to over TLS is one more to be trusted. */
function trusted(target: ClientTarget, store: TrustStore): readonly ClientFile[] {
  return [
    ...trustFiles(target.interception, store, 'entrepot-interception', target),
    ...trustFiles(target.authority, store, 'entrepot-server', target),
  ];
}

function notes(target: ClientTarget): readonly string[] {
  if (!isProxy(target)) {
    return [
      'This server is no proxy for other registries: set "intercept" in its configuration, or use docker-mirror.',
    ];
  }
  return [
    'Logins stay as they are: what a docker login may read is asked of that registry, by its own name.',
    'Registries that the server does not know are refused by it: add them to its upstreams, or to NO_PROXY.',
    'docker build has its tokens fetched by the docker command: give it the same HTTPS_PROXY where it has no other way out.',
    ...(Object.keys(daemonKeys(target)).length > 0 ? [flagNote] : []),
    'macOS and Windows: see docs/clients.md.',
  ];
}
