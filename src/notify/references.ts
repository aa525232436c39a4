/** A descriptor as it stands in a manifest, without what is not registry's to tell. */
export type ReferenceRecord = Readonly<Record<string, unknown>>;

const told = ['mediaType', 'size', 'digest', 'urls', 'annotations', 'platform'] as const;

/** What a manifest refers to, in its order; `bytes` have been parsed as a manifest before. */
export function referencesOf(bytes: Uint8Array): readonly ReferenceRecord[] {
  const content = JSON.parse(Buffer.from(bytes).toString()) as Readonly<Record<string, unknown>>;
  const descriptors = [content['config'], content['layers'], content['manifests']].flat();
  return descriptors.map(recordOf).filter((record) => record !== undefined);
}

function recordOf(value: unknown): ReferenceRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const descriptor = value as ReferenceRecord;
  const known = told.filter((name) => descriptor[name] !== undefined);
  return Object.fromEntries(known.map((name) => [name, descriptor[name]]));
}
