import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { test } from 'node:test';
import { ConfigError } from './error.ts';
import { explain } from './explain.ts';
import { fileKeys } from './load.ts';
import { loadText } from './testing.ts';
import type { KeyNode } from './tree/keys.ts';

function names(keys: KeyNode): readonly string[] {
  const below = [...(keys.fields?.values() ?? []), keys.values, keys.items].flatMap((each) =>
    each === undefined ? [] : names(each),
  );
  return [...(keys.fields?.keys() ?? []), ...below];
}

const word = fc.oneof(
  fc.constantFrom(
    ...new Set(names(fileKeys)),
    '__proto__',
    'constructor',
    'toString',
    'docker.io',
    '*.gcr.io',
    '*',
    '<<',
    '',
  ),
  fc.string({ maxLength: 12 }),
);
const scalar = fc.oneof(
  fc.constantFrom('60s', '5%', '100GB', ':5000', 'forever', 'https://a.b', '10.0.0.0/8', '**', 'inmemory', 'yes', '~'),
  fc.string({ maxLength: 12 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4 }),
  ),
}));

/** Values where the schema has keys for them, mostly of the right kind. */
function fitting(keys: KeyNode): fc.Arbitrary<unknown> {
  const { fields, values, items, words } = keys;
  const below: fc.Arbitrary<unknown>[] = [];
  if (fields !== undefined) {
    const some = fc.subarray([...fields], { maxLength: Math.min(4, fields.size) });
    below.push(
      some.chain((chosen) => fc.record(Object.fromEntries(chosen.map(([name, each]) => [name, fitting(each)])))),
    );
  }
  if (values !== undefined)
    below.push(fc.constant(values).chain((each) => fc.dictionary(word, fitting(each), { maxKeys: 3 })));
  if (items !== undefined) below.push(fc.constant(items).chain((each) => fc.array(fitting(each), { maxLength: 2 })));
  const right = words.length > 0 ? [fc.constantFrom(...words)] : below;
  return fc.oneof(
    { weight: 1, arbitrary: value },
    ...(right.length > 0 ? right : [scalar]).map((arbitrary) => ({ weight: 8, arbitrary })),
  );
}

/** Anything but a configuration or a ConfigError is a mistake of ours. */
async function loadsOrSays(text: string, env: Record<string, string>): Promise<void> {
  try {
    const loaded = await loadText(text, env);
    assert.ok(explain(loaded).every((row) => row.key !== ''));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.ok(error.problems.length > 0);
    assert.ok(
      error.problems.every((problem) => /[;,] \S/u.test(problem.text)),
      error.message,
    );
  }
}

test('any tree of values is a configuration, or a list of what is wrong and what to do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fitting(fileKeys), fc.dictionary(word, value, { maxKeys: 6 })),
      async (file) => await loadsOrSays(JSON.stringify(file), {}),
    ),
    // A map where a word is asked for, with a key that is in the way of making a text of it.
    { numRuns: 300, examples: [[{ log: { formatter: { toString: 0 } } }]] },
  );
});

test('any text is one, too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), async (text) => await loadsOrSays(text, {})),
    { numRuns: 50 },
  );
});

test('any variable is one, too', async () => {
  const name = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('_').toUpperCase());
  const prefix = fc.constantFrom('REGISTRY_', 'ENTREPOT_');
  const variables = fc.dictionary(
    fc.tuple(prefix, name).map((parts) => parts.join('')),
    fc.oneof(
      scalar.map(String),
      value.map((each) => JSON.stringify(each)),
      fc.string(),
    ),
    { maxKeys: 4 },
  );
  await fc.assert(
    fc.asyncProperty(variables, async (env) => await loadsOrSays('upstreams: { a.b: {} }', env)),
    { numRuns: 300 },
  );
});
