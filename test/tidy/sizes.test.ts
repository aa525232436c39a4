import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileExceptions, functionExceptions, interfaceExceptions } from './exceptions.ts';
import { parseModules, readModules } from './modules.ts';
import { longFiles, longFunctions, wideInterfaces } from './size-rules.ts';

const everything = readModules('src', 'test', 'bench', 'scripts');
const house = everything.filter(({ path }) => path.startsWith('src/'));

describe('sizes', () => {
  test('of files stay within reach of one look', () => none(longFiles(everything, fileExceptions)));
  test('of functions stay within a screen', () => none(longFunctions(everything, functionExceptions)));
  test('of interfaces stay at what their callers need', () => none(wideInterfaces(house, interfaceExceptions)));
});

describe('the rule of sizes', () => {
  const made = (text: string) => parseModules(new Map([['src/a.ts', text]]));
  const body = (lines: number): string => '{\n' + '  run();\n'.repeat(lines - 2) + '}';

  test('counts the lines of a file', () => {
    assert.deepEqual(longFiles(made('//\n'.repeat(300)), {}), []);
    assert.deepEqual(longFiles(made('//\n'.repeat(301)), {}), [
      'src/a.ts has 301 lines, at most 300 are allowed: divide it',
    ]);
  });

  test('measures every kind of function', () => {
    const long = [
      `function f() ${body(61)}`,
      `const f = () => ${body(61)};`,
      `const o = { f: function () ${body(61)} };`,
      `class C { f() ${body(61)} }`,
      `class C { get f() ${body(61)} }`,
    ];
    for (const text of long) {
      assert.deepEqual(
        longFunctions(made(text), {}),
        ['src/a.ts f has 61 lines, at most 60 are allowed: divide it'],
        text,
      );
    }
    assert.deepEqual(longFunctions(made(`function f() ${body(60)}`), {}), []);
  });

  test('measures a function without those that it declares, and these by themselves', () => {
    const inner = `function inner() ${body(50)}\n`;
    assert.deepEqual(longFunctions(made(`function outer() {\n${inner}${inner}}`), {}), []);
    assert.equal(longFunctions(made(`function outer() {\n${inner}${'run();\n'.repeat(59)}}`), {}).length, 1);
    assert.equal(longFunctions(made(`function outer() {\nfunction inner() ${body(61)}\n}`), {}).length, 1);
    assert.equal(longFunctions(made(`function outer() {\nconst inner = () => ${body(61)};\n}`), {}).length, 2);
  });

  test('does not measure chapters of tests', () => {
    const chapter = body(200).replace('run()', "test('does it', () => { run(); })");
    assert.deepEqual(longFunctions(made(`describe('a chapter', () => ${chapter});`), {}), []);
    assert.deepEqual(longFunctions(made(`function chapter() ${chapter}`), {}), []);
    assert.equal(longFunctions(made(`test('a long one', () => ${body(61)});`), {}).length, 1);
  });

  test('counts the methods of an interface, those it inherits included', () => {
    const six = 'a(): void; b(): void; c(): void; d(): void; e(): void; f: () => void;';
    const text = `interface Six { ${six} size: number; [Symbol.dispose](): void }\n`;
    assert.deepEqual(wideInterfaces(made(`${text}interface Seven extends Six { g(): void; g(a: 1): void }`), {}), []);
    assert.deepEqual(wideInterfaces(made(`${text}interface Eight extends Six { g(): void; h(): void }`), {}), [
      'src/a.ts Eight has 8 methods, at most 7 are allowed: divide it',
    ]);
  });

  test('lets nothing grow beyond its exception, nor keep one that it does not need', () => {
    const file = made('//\n'.repeat(310));
    assert.deepEqual(longFiles(file, { 'src/a.ts': 310 }), []);
    assert.deepEqual(longFiles(file, { 'src/a.ts': 309 }), [
      'src/a.ts has 310 lines, at most 309 are allowed: divide it',
    ]);
    assert.deepEqual(longFiles(file, { 'src/a.ts': 311 }), []);
    assert.deepEqual(longFiles(made('//\n'.repeat(300)), { 'src/a.ts': 310, 'src/gone.ts': 400 }), [
      'src/a.ts needs no exception any more: take it off the list',
      'src/gone.ts needs no exception any more: take it off the list',
    ]);
  });
});

function none(violations: readonly string[]): void {
  assert.equal(violations.join('\n'), '');
}
