import type { z } from 'zod';

/**
 * The schema as a tree of keys: what may stand where, what a key means, what it is when it isn't given. One walk over
 * zod's definitions, so that everything else (unknown keys, the environment, the reference) need not know zod.
 */
export interface KeyNode {
  /** Which scalars may stand here; `any` is whatever there is. */
  readonly scalars: ReadonlySet<'string' | 'number' | 'boolean' | 'any'>;
  /** A map with these keys and no others. */
  readonly fields: ReadonlyMap<string, KeyNode> | undefined;
  /** A map with keys of the operator's own. */
  readonly values: KeyNode | undefined;
  readonly items: KeyNode | undefined;
  readonly description: string | undefined;
  /** The default as one would write it; undefined without one. */
  readonly fallback: unknown;
  /** Never shown. */
  readonly secret: boolean;
  /** The words that are understood, where there's a closed list. */
  readonly words: readonly string[];
}

const unknownNode: KeyNode = {
  scalars: new Set(),
  fields: undefined,
  values: undefined,
  items: undefined,
  description: undefined,
  fallback: undefined,
  secret: false,
  words: [],
};

export function keysOf(schema: z.core.$ZodType): KeyNode {
  const meta = (schema as z.ZodType).meta();
  const inner = shapeOf(schema as z.core.$ZodTypes);
  return {
    ...inner,
    description: meta?.description ?? inner.description,
    secret: meta?.['secret'] === true || inner.secret,
  };
}

function shapeOf(schema: z.core.$ZodTypes): KeyNode {
  const def = schema._zod.def;
  switch (def.type) {
    case 'optional':
      return keysOf(def.innerType);
    case 'prefault':
      return { ...keysOf(def.innerType), fallback: def.defaultValue };
    case 'pipe':
      return keysOf(def.in);
    case 'union':
      return def.options.map((option) => keysOf(option)).reduce(either);
    case 'object':
      return { ...unknownNode, fields: new Map(Object.entries(def.shape).map(([key, value]) => [key, keysOf(value)])) };
    case 'record':
      return { ...unknownNode, values: keysOf(def.valueType) };
    case 'array':
      return { ...unknownNode, items: keysOf(def.element) };
    case 'string':
    case 'number':
    case 'boolean':
      return { ...unknownNode, scalars: new Set([def.type]) };
    case 'enum':
      return { ...unknownNode, scalars: new Set(['string']), words: Object.values(def.entries).map(String) };
    case 'unknown':
      return { ...unknownNode, scalars: new Set(['any']) };
    default:
      throw new Error(`the schema has a ${def.type}, which keys.ts does not know`);
  }
}

function either(one: KeyNode, other: KeyNode): KeyNode {
  return {
    ...one,
    scalars: new Set([...one.scalars, ...other.scalars]),
    fields: one.fields ?? other.fields,
    values: one.values ?? other.values,
    items: one.items ?? other.items,
    words: [...one.words, ...other.words],
  };
}

/** What the schema knows of one key; nothing, below values of any kind. */
export function keyAt(keys: KeyNode, path: readonly (string | number)[]): KeyNode {
  return path.reduce<KeyNode>((node, step) => {
    const next = typeof step === 'number' ? node.items : (node.fields?.get(step) ?? node.values);
    return next ?? unknownNode;
  }, keys);
}
