import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { importRings, namedDrivers, networkUses, roomOf, rows, upwardImports } from './import-rules.ts';
import { parseModules, readModules } from './modules.ts';

const house = readModules('src');

describe('the house', () => {
  test('has no room that the import rule does not know', () => {
    const rooms = new Set(house.map(({ path }) => roomOf(path)));
    const unknown = [...rooms].filter((room) => !rows.some((row) => room !== undefined && row.includes(room)));
    assert.deepEqual(unknown, []);
  });

  test('imports only down', () => none(upwardImports(house)));
  test('has no files that need one another before they run', () => none(importRings(house)));
  test('names drivers in its composition root only', () => none(namedDrivers(house)));
  test('reaches for the network in the rooms for it only', () => none(networkUses(house)));
});

describe('the import rule', () => {
  const made = (files: Readonly<Record<string, string>>) => parseModules(new Map(Object.entries(files)));

  test('prints the chain to an import that goes up', () => {
    const modules = made({
      'src/main.ts': `import { run } from './cli/run.ts';`,
      'src/cli/run.ts': `import { find } from '../index/find.ts';`,
      'src/index/find.ts': `import type { Cache } from '../cache/contract.ts';`,
      'src/cache/contract.ts': '',
    });
    assert.deepEqual(upwardImports(modules), [
      'src/index/find.ts:1 imports src/cache/contract.ts (reached by src/main.ts → src/cli/run.ts → src/index/find.ts)',
    ]);
  });

  test('sees every way of importing', () => {
    const ways = [
      `import { a } from '../upstream/a.ts';`,
      `import * as all from '../upstream/a.ts';`,
      `import '../upstream/a.ts';`,
      `import { type A } from '../upstream/a.ts';`,
      `export { a } from '../upstream/a.ts';`,
      `export * from '../upstream/a.ts';`,
      `const a = await import('../upstream/a.ts');`,
      `let a: import('../upstream/a.ts').A;`,
    ];
    for (const way of ways) {
      assert.deepEqual(
        upwardImports(made({ 'src/store/b.ts': way })),
        ['src/store/b.ts:1 imports src/upstream/a.ts'],
        way,
      );
    }
  });

  test('is not taken in by strings and comments', () => {
    const text = `// import { a } from '../cache/a.ts';\nconst text = "import { a } from '../cache/a.ts'";\n`;
    assert.deepEqual(upwardImports(made({ 'src/store/b.ts': text })), []);
  });

  test('keeps what runs from importing what is for tests', () => {
    const text = `import { b } from '../../test/support/b.ts';\nimport { stage } from './testing.ts';`;
    assert.deepEqual(upwardImports(made({ 'src/oci/a.ts': text })), [
      'src/oci/a.ts:1 imports test/support/b.ts',
      'src/oci/a.ts:2 imports src/oci/testing.ts',
    ]);
  });

  test('lets tests import anything', () => {
    const modules = made({ 'src/oci/a.test.ts': `import { b } from '../server.ts'; import undici from 'undici';` });
    assert.deepEqual([...upwardImports(modules), ...namedDrivers(modules), ...networkUses(modules)], []);
  });

  test('finds rings, but lets types go round', () => {
    const ring = { 'src/a/x.ts': `import { y } from './y.ts';`, 'src/a/y.ts': `import { x } from './x.ts';` };
    assert.deepEqual(importRings(made(ring)), ['src/a/x.ts → src/a/y.ts → src/a/x.ts']);
    assert.deepEqual(importRings(made({ ...ring, 'src/a/y.ts': `import type { x } from './x.ts';` })), []);
  });

  test('keeps drivers behind their contract', () => {
    const modules = made({
      'src/furnish.ts': `import { open } from './store/memory/store.ts';`,
      'src/store/memory/store.ts': `import { blob } from './blob.ts';`,
      'src/cache/cache.ts': `import type { Contract } from '../store/blob-store.ts';\nimport { open } from '../store/memory/store.ts';`,
    });
    assert.deepEqual(namedDrivers(modules), [
      'src/cache/cache.ts:2 names the driver src/store/memory/store.ts: only src/furnish.ts does',
    ]);
  });

  test('keeps the network in its rooms', () => {
    const reach = `import { connect } from 'node:net';\nimport http from 'node:http';\nimport { Pool } from 'undici';\nfetch('/');\n`;
    const listen = `import { createServer } from 'node:https';\n`;
    const harmless = `import type { Socket } from 'node:net';\nimport { isIP } from 'node:net';\nimport { STATUS_CODES } from 'node:http';\n`;
    const found = (path: string, text: string): number => networkUses(made({ [path]: text })).length;
    assert.equal(found('src/cache/a.ts', reach), 5, 'all of node:http both reaches out and listens');
    assert.equal(found('src/cache/a.ts', listen), 1);
    assert.equal(found('src/cache/a.ts', harmless), 0);
    assert.equal(found('src/http/a.ts', reach), 4);
    assert.equal(found('src/http/a.ts', listen), 0);
    assert.equal(found('src/upstream/a.ts', reach), 1);
    assert.equal(found('src/upstream/a.ts', listen), 1);
    assert.equal(found('src/admin/socket.ts', listen), 0);
    assert.equal(found('src/admin/admin.ts', listen), 1);
  });
});

function none(violations: readonly string[]): void {
  assert.equal(violations.join('\n'), '');
}
