import { RegistryError } from '../../oci/errors.ts';
import { parseToml } from '../merge/toml.ts';
import { planOf } from '../plan.ts';
import type { MachineFiles, Plan } from '../plan.ts';
import type { ClientTarget } from '../target.ts';
import { containersCertificate, registriesFile } from './podman.ts';
import { blockText, ourBlocks } from './registries-conf.ts';
import type { RegistryBlock } from './registries-conf.ts';

const mainFile = '/etc/containers/registries.conf';
const directory = '/etc/containers/registries.conf.d';

/** A block that somebody has written for one of the registries. */
interface Found {
  readonly path: string;
  readonly block: RegistryBlock;
}

/**
 * A file of ours beside the others. A block in it takes the place of one for the same registry in the files before it, so it
 * says what that one says, with us as the first mirror; and files that come after ours have the last word.
 */
export async function planContainersImage(target: ClientTarget, machine: MachineFiles): Promise<Plan> {
  const found = await blocksOf(machine);
  const later = (path: string): boolean => path > registriesFile && path !== mainFile;
  const blocks: RegistryBlock[] = [];
  const notes: string[] = [];
  for (const ours of ourBlocks(target)) {
    const there = found.findLast(({ block }) => nameOf(block) === ours.location);
    if (there !== undefined && later(there.path)) {
      notes.push(
        `${there.path} comes after ${registriesFile} and has its own word on ${ours.location}: put this there:`,
      );
      notes.push(...(ours.mirror ?? []).map(({ location }) => `  [[registry.mirror]] location = "${location}"`));
    } else blocks.push(there === undefined ? ours : joined(there.block, ours));
  }
  const content = blocks.map(blockText).join('\n');
  const file = { path: registriesFile, action: 'create', when: undefined, content } as const;
  const files = [file, ...containersCertificate(target)];
  return { ...(await planOf({ files, commands: [] }, machine)), notes };
}

/** In the order in which they count. */
async function blocksOf(machine: MachineFiles): Promise<readonly Found[]> {
  const names = (await machine.list(directory)).filter((name) => name.endsWith('.conf'));
  const paths = [mainFile, ...names.map((name) => `${directory}/${name}`)].filter((path) => path !== registriesFile);
  const found: Found[] = [];
  for (const path of paths) {
    const { registry = [], registries } = parseToml((await machine.read(path)) ?? '', path);
    if (registries !== undefined) {
      throw new RegistryError(
        'UNSUPPORTED',
        `${path} is of the format's first version, which nothing else can be added to; rewrite its [registries...] tables as [[registry]] first`,
        { origin: 'operator' },
      );
    }
    for (const block of registry as unknown as readonly RegistryBlock[]) found.push({ path, block });
  }
  return found;
}

function nameOf({ prefix, location }: RegistryBlock): unknown {
  return prefix ?? location;
}

function joined(theirs: RegistryBlock, ours: RegistryBlock): RegistryBlock {
  const locations = new Set((ours.mirror ?? []).map(({ location }) => location));
  const others = (theirs.mirror ?? []).filter(({ location }) => !locations.has(location));
  const mirrors = [...(ours.mirror ?? []), ...others];
  return { ...ours, ...theirs, ...(mirrors.length === 0 ? {} : { mirror: mirrors }) };
}
