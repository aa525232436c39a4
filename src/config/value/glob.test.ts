import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { globMatcher, mayBothMatch, parseGlob } from './glob.ts';

describe('a glob', () => {
  const cases: readonly (readonly [glob: string, text: string, matches: boolean])[] = [
    ['*', 'app', true],
    ['*', 'team/app', false],
    ['**', 'team/sub/app', true],
    ['local/**', 'local/a/b', true],
    ['local/**', 'local', false],
    ['local/**', 'locally/a', false],
    ['docker.io/library/postgres:*', 'docker.io/library/postgres:16-alpine', true],
    ['docker.io/library/postgres:*', 'docker.io/library/postgresql:16', false],
    ['*-rc*', '7.0-rc1', true],
    ['*-rc*', '7.0', false],
    ['v?.*', 'v1.2', true],
    ['{stable,nightly}', 'nightly', true],
    ['[0-9]*', '7.2', true],
    ['[0-9]*', 'latest', false],
    ['docker.io/*/redis', 'dockerxio/library/redis', false],
    ['+(a)', 'aaa', false],
  ];
  for (const [glob, text, matches] of cases) {
    test(`${glob} ${matches ? 'matches' : 'does not match'} ${text}`, () =>
      assert.equal(globMatcher([glob])(text), matches));
  }

  test('of several, any may match', () => {
    const isHosted = globMatcher(['*', 'local/**']);
    assert.deepEqual(['app', 'local/a', 'library/redis'].map(isHosted), [true, true, false]);
  });

  test('of none, none matches', () => assert.equal(globMatcher([])('app'), false));

  const pairs: readonly (readonly [one: string, other: string, may: boolean])[] = [
    ['local/app', 'local/**', true],
    ['prod/**', 'local/**', false],
    ['prod/**', '*', false],
    ['prod/**', '**', true],
    ['*/app', 'local/**', true],
    ['*/app', 'local/web', false],
    ['app', '*', true],
    ['team/app', '*', false],
    ['web-*', 'web-a*', true],
    ['web-*', 'api-*', false],
    ['{prod,local}/app', 'local/**', true],
    ['{prod/app,local/app}', 'local/**', true],
    ['a/b/c', 'a/**/d', true],
  ];
  for (const [one, other, may] of pairs) {
    test(`${one} and ${other} ${may ? 'may both match' : 'cannot both match'} a name`, () => {
      assert.equal(mayBothMatch(one, other), may);
      assert.equal(mayBothMatch(other, one), may);
    });
  }

  for (const text of ['[a-z,]*', '{a,b}', 'v{1,{2,3}.[0-9]}', '[{]a']) {
    test(`${text} is one`, () => assert.equal(parseGlob(text), text));
  }

  for (const text of ['', '  ', '!docker.io/**', 'x'.repeat(513), '[', 'a[b', 'a]', '{a', 'a}', '{a,{b}', 'a,b']) {
    test(`${JSON.stringify(text.slice(0, 20))} is refused`, () =>
      assert.throws(() => parseGlob(text), /; (?:write|use)/u));
  }
});
