import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { codeBlocks, drawnEntries, linksOf, pages, readText } from './markdown.ts';
import { repositoryRoot } from './modules.ts';

describe('ARCHITECTURE.md', () => {
  const blocks = codeBlocks(readText('ARCHITECTURE.md'));

  test('draws the tree that there is', () => {
    const drawing = blocks.find(({ text }) => text.startsWith('src/\n'));
    const found = readdirSync(join(repositoryRoot, 'src')).filter((name) => !name.endsWith('.test.ts'));
    assert.deepEqual(drawnEntries(drawing?.text ?? '').toSorted(), found.toSorted());
  });

  test('says of every directory of tests what it is for', () => {
    const found = readdirSync(join(repositoryRoot, 'test'), { withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    );
    const rows = [...readText('ARCHITECTURE.md').matchAll(/^\| `test\/(\w+)\/` \|/gm)].map(([, name = '']) => name);
    assert.deepEqual(rows.toSorted(), found.map(({ name }) => name).toSorted());
  });

  test('shows the picture of the download as the code has it', () => {
    const drawn = blocks.find(({ text }) => text.includes('seeking ──'))?.text ?? 'nothing';
    const source = readText('src/cache/download.ts').replaceAll(/^ \* ?/gm, '');
    const inCode = codeBlocks(source).find(({ text }) => text.includes('seeking ──'))?.text;
    assert.equal(drawn, inCode);
  });
});

describe('links', () => {
  for (const page of pages()) {
    test(`of ${page} lead somewhere`, () => {
      const dead = linksOf(readText(page)).filter((target) => !leadsSomewhere(page, target));
      assert.deepEqual(dead, []);
    });
  }

  test('would be caught leading nowhere', () => {
    assert.deepEqual(linksOf('[a](b.md) `[c](d)` ![e](f.png)\n```\n[g](h)\n```\n'), ['b.md', 'f.png']);
    assert.equal(leadsSomewhere('docs/metrics.md', 'nowhere.md'), false);
    assert.equal(leadsSomewhere('docs/metrics.md', 'configuration.md#nothing-of-that-name'), false);
    assert.equal(leadsSomewhere('docs/metrics.md', '../README.md#start-it'), true);
  });
});

describe('decisions', () => {
  const files = readdirSync(join(repositoryRoot, 'docs/decisions')).toSorted();

  test('are numbered one by one', () => {
    assert.deepEqual(
      files.map((name) => name.slice(0, 5)),
      files.map((_, index) => `${String(index + 1).padStart(4, '0')}-`),
    );
  });

  for (const [index, name] of files.entries()) {
    test(`${name.slice(5, -3).replaceAll('-', ' ')}: has a context, a choice and consequences, on a page`, () => {
      const text = readText(`docs/decisions/${name}`);
      const headings = [...text.matchAll(/^#+ .*$/gm)].map(([line]) => line);
      assert.equal(headings[0]?.startsWith(`# ${index + 1}. `), true);
      assert.deepEqual(headings.slice(1), ['## Context', '## Choice', '## Consequences']);
      assert.ok(text.split('\n').length <= 60);
    });
  }
});

describe('the lock file', () => {
  test('names no host to install from: that is for the machine that installs', () => {
    const lock: unknown = JSON.parse(readText('package-lock.json'));
    assert.deepEqual(hostsIn(lock), []);
    assert.doesNotMatch(readText('.npmrc'), /^\s*(?:@[^=]*:)?registry\s*=/m);
  });

  test('would be caught naming one', () => {
    const entry = (resolved: string): unknown => ({ packages: { 'node_modules/a': { version: '1.0.0', resolved } } });
    assert.deepEqual(hostsIn(entry('https://registry.example/a/-/a-1.0.0.tgz')), [
      'node_modules/a comes from https://registry.example/a/-/a-1.0.0.tgz',
    ]);
    assert.deepEqual(hostsIn({ packages: { 'node_modules/a': { version: '1.0.0' } } }), []);
  });
});

/** Links to elsewhere are believed: no test needs the network. */
function leadsSomewhere(page: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(repositoryRoot, file))) return false;
  return anchor === undefined || anchorsOf(readText(file)).includes(anchor);
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function hostsIn(lock: unknown): readonly string[] {
  const { packages = {} } = lock as { readonly packages?: Readonly<Record<string, { readonly resolved?: string }>> };
  return Object.entries(packages).flatMap(([name, { resolved }]) =>
    resolved?.includes('://') ? [`${name} comes from ${resolved}`] : [],
  );
}
