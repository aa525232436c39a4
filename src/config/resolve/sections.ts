import type { z } from 'zod';
import { issueText } from '../issue-text.ts';
import { fileSchema, type FileConfig } from '../schema/schema.ts';
import { keyAt, type KeyNode } from '../tree/keys.ts';
import type { Plain } from '../tree/plain.ts';
import type { Path } from '../tree/tree.ts';
import type { Resolving } from './resolving.ts';

type Section = keyof FileConfig;
type PlainMap = Readonly<Record<string, Plain>>;

/**
 * The sections of the file, each read by itself, so that one mistake hides no other: a section that is wrong becomes
 * problems and stands at its defaults from there on. Upstreams are read one by one (`upstreams.ts`).
 */
export function readSections(plain: PlainMap, keys: KeyNode, resolving: Resolving): Omit<FileConfig, 'upstreams'> {
  const { shape } = fileSchema;
  const read = <Schema extends z.ZodType>(name: Section, schema: Schema) =>
    readValue(schema, { value: plain[name], path: [name], keys, resolving });
  return {
    version: read('version', shape.version),
    http: read('http', shape.http),
    storage: read('storage', shape.storage),
    index: read('index', shape.index),
    hosted: read('hosted', shape.hosted),
    defaultupstream: read('defaultupstream', shape.defaultupstream),
    cache: read('cache', shape.cache),
    intercept: read('intercept', shape.intercept),
    access: read('access', shape.access),
    admin: read('admin', shape.admin),
    collect: read('collect', shape.collect),
    mirror: read('mirror', shape.mirror),
    log: read('log', shape.log),
    loglevel: read('loglevel', shape.loglevel),
    proxy: read('proxy', shape.proxy),
    auth: read('auth', shape.auth),
    notifications: read('notifications', shape.notifications),
    health: read('health', shape.health),
    validation: read('validation', shape.validation),
    catalog: read('catalog', shape.catalog),
    tags: read('tags', shape.tags),
    policy: read('policy', shape.policy),
    middleware: read('middleware', shape.middleware),
    redis: read('redis', shape.redis),
    reporting: read('reporting', shape.reporting),
    compatibility: read('compatibility', shape.compatibility),
  };
}

export interface ValueToRead {
  readonly value: unknown;
  readonly path: Path;
  /** Of the whole file. */
  readonly keys: KeyNode;
  readonly resolving: Resolving;
  /** What stands in for a value that is wrong. */
  readonly instead?: unknown;
}

/** What `schema` makes of the value; of what is right in it, once what is wrong has been noted. */
export function readValue<Schema extends z.ZodType>(
  schema: Schema,
  { value, path, keys, resolving, instead }: ValueToRead,
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const place = [...path, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
    const { path: rest, text } = issueText(issue, keyAt(keys, place));
    resolving.problem([...path, ...rest], text);
  }
  const wrong = new Set(result.error.issues.map((issue) => issue.path[0]));
  const right = schema.safeParse(without(value, wrong));
  return right.success ? right.data : schema.parse(instead);
}

function without(value: unknown, keys: ReadonlySet<PropertyKey | undefined>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.has(key)));
}
