import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { anys, consoles, defaultExports, ownClocks, unfinished } from './habit-rules.ts';
import { filesBelow, parseModules, readModules, repositoryRoot } from './modules.ts';

const everything = readModules('src', 'test', 'bench', 'scripts');

describe('no file', () => {
  test('says any', () => none(anys(everything)));
  test('exports a default', () => none(defaultExports(everything)));
  test('uses the console, but those that speak to people', () => none(consoles(everything)));
  test('has a clock of its own', () => none(ownClocks(everything)));

  test('puts something off or silences a tool', () => {
    const directories = ['src', 'test', 'bench', 'scripts', 'docs', '.ci'];
    const paths = [
      ...filesBelow('.', '.md').filter((path) => !path.slice(2).includes('/')),
      ...directories.flatMap((directory) => filesBelow(directory, '')),
    ];
    const texts = paths.filter(
      (path) => /\.(?:ts|md|sh|json|yml|html|css)$|^\.ci\//.test(path) && !path.startsWith('test/tidy/'),
    );
    none(texts.flatMap((path) => unfinished(path, readFileSync(join(repositoryRoot, path), 'utf8'))));
  });
});

describe('the rule of habits', () => {
  const made = (text: string, path = 'src/oci/a.ts') => parseModules(new Map([[path, text]]));

  test('tells the type any from the word', () => {
    assert.equal(anys(made('let a: any; let b = a as any; type C = any[];')).length, 3);
    assert.equal(anys(made('// any\nconst any = "any";')).length, 0);
  });

  test('sees every way of exporting a default', () => {
    assert.equal(defaultExports(made('export default 1;')).length, 1);
    assert.equal(defaultExports(made('export default function f() {}')).length, 1);
    assert.equal(defaultExports(made('export default class C {}')).length, 1);
    assert.equal(defaultExports(made('const a = 1; export { a as default };')).length, 1);
    assert.equal(defaultExports(made('switch (a) { default: b(); }\nexport const c = 1;')).length, 0);
  });

  test('leaves the console to those that speak to people', () => {
    assert.equal(consoles(made('console.log(1);')).length, 1);
    assert.equal(consoles(made('console.log(1);', 'src/cli/a.ts')).length, 0);
  });

  test('leaves time to the clock', () => {
    assert.equal(ownClocks(made('Date.now(); new Date(); performance.now(); setTimeout(f, 1);')).length, 4);
    assert.equal(ownClocks(made('new Date(ms); Date.parse(text); clock.now();')).length, 0);
    assert.equal(ownClocks(made('Date.now();', 'src/observe/clock.ts')).length, 0);
    assert.equal(ownClocks(made('Date.now();', 'src/oci/a.test.ts')).length, 0);
  });

  test('finds what was put off', () => {
    assert.equal(unfinished('a.md', 'TODO: later\nFIXME\n// @ts-ignore').length, 3);
    assert.equal(unfinished('a.ts', '// oxlint-disable-next-line no-void').length, 1);
    assert.equal(unfinished('a.ts', '// oxlint-disable-next-line no-void -- nobody waits').length, 0);
    assert.equal(unfinished('a.ts', 'const todos = todo;').length, 0);
  });
});

function none(violations: readonly string[]): void {
  assert.equal(violations.join('\n'), '');
}
