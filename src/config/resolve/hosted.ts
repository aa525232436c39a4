import type { HostedConfig, ListsConfig, ManifestRules, Mode, UploadsConfig } from '../config.ts';
import type { FileConfig } from '../schema/schema.ts';
import { treeAt } from '../tree/tree.ts';
import type { Resolving } from './resolving.ts';

type Sections = Pick<FileConfig, 'hosted' | 'storage' | 'validation'>;

const hostedNames: Readonly<Record<Mode, readonly string[]>> = {
  entrepot: ['*', 'local/**'],
  registry: ['**'],
  'registry-proxy': [],
};

export function resolveHosted(sections: Sections, mode: Mode, resolving: Resolving): HostedConfig {
  const { hosted, storage } = sections;
  const names = hosted.names ?? hostedNames[mode];
  if (hosted.names === undefined) resolving.derive('hosted.names', JSON.stringify(names));
  return {
    names,
    immutable: hosted.immutable,
    sparse: hosted.sparse,
    deletes: storage.delete?.enabled ?? mode === 'entrepot',
    readOnly: storage.maintenance?.readonly?.enabled ?? false,
    uploads: resolveUploads(storage.maintenance?.uploadpurging, mode, resolving),
    manifests: resolveManifests(sections.validation, mode, resolving),
  };
}

type Purging = NonNullable<FileConfig['storage']['maintenance']>['uploadpurging'];

const hourMs = 3_600_000;
/** What registry does when nobody says, and what we do. */
const purging = {
  registry: { ageMs: 168 * hourMs, everyMs: 24 * hourMs, ageText: '168h', everyText: '24h' },
  ours: { ageMs: 24 * hourMs, everyMs: hourMs, ageText: '24h', everyText: '1h' },
};
const everyMsMin = 1_000;

function resolveUploads(given: Purging, mode: Mode, resolving: Resolving): UploadsConfig {
  const path = ['storage', 'maintenance', 'uploadpurging'];
  const fallback = mode === 'entrepot' ? purging.ours : purging.registry;
  if (given?.age === undefined) resolving.derive([...path, 'age'].join('.'), fallback.ageText);
  if (given?.interval === undefined) resolving.derive([...path, 'interval'].join('.'), fallback.everyText);
  const everyMs = given?.interval ?? fallback.everyMs;
  if (everyMs < everyMsMin) resolving.problem([...path, 'interval'], 'is too short; write 1s or more');
  const isOff = given?.enabled === false;
  return {
    idleMsMax: isOff ? Number.POSITIVE_INFINITY : (given?.age ?? fallback.ageMs),
    everyMs,
    dryRun: given?.dryrun ?? false,
  };
}

/** registry lets nobody push a manifest with URLs in it unless its operator says which; we do so in its stead only. */
function resolveManifests(validation: Sections['validation'], mode: Mode, resolving: Resolving): ManifestRules {
  if (validation?.disabled === true && validation.enabled !== true)
    return { urls: { allow: undefined, deny: [] }, platforms: [] };
  const { urls, indexes } = validation?.manifests ?? {};
  const anyUrl = urls?.deny !== undefined || mode === 'entrepot';
  return {
    urls: { allow: urls?.allow ?? (anyUrl ? undefined : []), deny: urls?.deny ?? [] },
    platforms: resolvePlatforms(indexes, resolving),
  };
}

type Indexes = NonNullable<NonNullable<NonNullable<Sections['validation']>['manifests']>['indexes']>;

function resolvePlatforms(indexes: Indexes | undefined, resolving: Resolving): readonly string[] | undefined {
  const listed = indexes?.platformlist ?? [];
  if (indexes?.platforms === 'none') return [];
  if (indexes?.platforms !== 'list') {
    if (listed.length > 0) resolving.notices.push(unused);
    return undefined;
  }
  const path = ['validation', 'manifests', 'indexes'];
  if (treeAt(resolving.tree, [...path, 'platformlist']) === undefined)
    resolving.problem([...path, 'platforms'], 'needs a list; write validation.manifests.indexes.platformlist, too');
  return listed.map(({ os, architecture }) => `${os}/${architecture}`);
}

const unused =
  'validation.manifests.indexes.platformlist counts only where platforms is "list"; write that, or remove the list';

/** registry's own numbers: pages of its catalog are shorter than they may be, and all tags come at once unless asked otherwise. */
const registryPage = 100;
const entries = 1_000;
/** More than this nobody gets at once, whoever asks; the rest comes with the next page. */
const allTags = 100_000;

export function resolveLists(
  { catalog, tags }: Pick<FileConfig, 'catalog' | 'tags'>,
  mode: Mode,
  resolving: Resolving,
): ListsConfig {
  const isRegistrys = mode !== 'entrepot' || catalog?.maxentries !== undefined;
  const given = catalog?.maxentries ?? 0;
  const catalogMax = given > 0 ? given : entries;
  if (catalog?.maxentries === undefined) resolving.derive('catalog.maxentries', String(entries));
  const tagsMax = tags?.maxtags === undefined || tags.maxtags === 0 ? entries : tags.maxtags;
  if (tags?.maxtags === undefined) resolving.derive('tags.maxtags', String(entries));
  return {
    catalog: {
      entriesMax: catalogMax,
      entriesDefault: isRegistrys ? Math.min(registryPage, catalogMax) : catalogMax,
      beyond: isRegistrys ? 'refuse' : 'clamp',
    },
    tags: { entriesMax: tagsMax, entriesDefault: mode === 'registry' ? allTags : tagsMax, beyond: 'clamp' },
  };
}
