import type { TomlTable } from 'smol-toml';
import { RegistryError } from '../../oci/errors.ts';
import { parseToml, setInToml, tableAt } from '../merge/toml.ts';
import { planOf } from '../plan.ts';
import type { Edit, MachineFiles, Plan } from '../plan.ts';
import { exactUpstreams } from '../target.ts';
import type { ClientTarget } from '../target.ts';
import { caPathOf, certsDirectory, containerdConfig, hostDirectory, hostFiles } from './containerd.ts';
import { mirrorHostsToml } from './hosts-toml.ts';

const configToml = '/etc/containerd/config.toml';

/** What of config.toml matters here. */
interface Settings {
  readonly text: string | undefined;
  /** Where its certs.d is: what it says, or what it is going to. */
  readonly certsD: string;
  readonly pathIsSet: boolean;
  /** Where config_path belongs; `undefined` while nothing of Kubernetes runs on it. */
  readonly registry: readonly string[] | undefined;
}

/** Where hosts.toml goes depends on what config.toml says; and who has a file of his own there, does not use _default. */
export async function planContainerd(target: ClientTarget, machine: MachineFiles): Promise<Plan> {
  const settings = readSettings(await machine.read(configToml));
  const { certsD, registry } = settings;
  const files = [...hostFiles(target, certsD), ...(await ownDirectories(target, certsD, machine))];
  const { edits } = await planOf({ files, commands: [] }, machine);
  return {
    edits: [...edits, ...configEdit(settings)],
    commands: containerdConfig(target).commands,
    notes: registry === undefined ? ['Its CRI plugin is switched off: only ctr and nerdctl pull with it.'] : [],
  };
}

/** What is there, whoever has written it. */
export async function installationOf(
  machine: MachineFiles,
): Promise<{ readonly certsD: string; readonly hasCri: boolean }> {
  const { certsD, registry } = readSettings(await machine.read(configToml));
  return { certsD, hasCri: registry !== undefined };
}

async function ownDirectories(target: ClientTarget, certsD: string, machine: MachineFiles) {
  if (target.serves !== 'every') return [];
  const names = new Set([...exactUpstreams(target), 'docker.io']);
  const own = (await machine.list(certsD)).filter((name) => names.has(name) && name !== hostDirectory(target));
  return own.map((name) => mirrorHostsToml(target, `${certsD}/${name}/hosts.toml`, caPathOf(target, certsD)));
}

function readSettings(text: string | undefined): Settings {
  const root = parseToml(text ?? 'version = 2', configToml);
  const version = Number(root['version'] ?? 1);
  const registry = registryTable(version);
  const found = tableAt(root, registry);
  refuseOlderTables(found);
  const path = typeof found['config_path'] === 'string' ? found['config_path'] : '';
  const [first = ''] = path.split(':');
  return {
    text,
    certsD: first === '' ? certsDirectory : first,
    pathIsSet: first !== '',
    registry: isOff(root) ? undefined : registry,
  };
}

/** The CRI's settings moved with every version of the file. containerd 2 understands the older ones, too. */
function registryTable(version: number): readonly string[] {
  if (version >= 3) return ['plugins', 'io.containerd.cri.v1.images', 'registry'];
  return version === 2 ? ['plugins', 'io.containerd.grpc.v1.cri', 'registry'] : ['plugins', 'cri', 'registry'];
}

/** As Docker's package of containerd has it. */
function isOff(root: TomlTable): boolean {
  const disabled = root['disabled_plugins'];
  return Array.isArray(disabled) && disabled.some((name) => name === 'cri' || name === 'io.containerd.grpc.v1.cri');
}

function refuseOlderTables(registry: TomlTable): void {
  const older = ['mirrors', 'configs'].filter((name) => Object.keys(tableAt(registry, [name])).length > 0);
  if (older.length === 0) return;
  throw new RegistryError(
    'UNSUPPORTED',
    `${configToml} has registry.${older.join(' and registry.')}, which containerd allows only without config_path; move them to files below ${certsDirectory}, or remove them, first`,
    { origin: 'operator' },
  );
}

function configEdit({ text, certsD, pathIsSet, registry }: Settings): readonly Edit[] {
  if (registry === undefined || pathIsSet) return [];
  const start = text === undefined || text.trim() === '' ? 'version = 2\n' : text;
  const after = setInToml(start, [...registry, 'config_path'], certsD, configToml);
  return [{ path: configToml, before: text, after }];
}
