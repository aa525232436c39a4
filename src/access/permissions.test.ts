import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AccessRule } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { Action, Asker, Grants } from '../oci/repository.ts';
import { permissionsOf } from './permissions.ts';

const anonymous: Asker = { kind: 'anonymous' };
const ci = user('ci');
const ann = user('ann', 'ops');

function user(name: string, ...groups: string[]): Asker & { kind: 'user' } {
  return { kind: 'user', name, groups };
}

/** As the file has them. */
async function rulesOf(access: unknown): Promise<readonly AccessRule[]> {
  return (await loadConfig({ text: JSON.stringify({ access }), env: {} })).config.access.rules;
}

/** Who may do what there, a letter an action. */
async function table(access: unknown, repository: string, askers: readonly Asker[]): Promise<string> {
  const permissions = permissionsOf(await rulesOf(access));
  const actions: readonly Action[] = ['pull', 'push', 'delete'];
  return askers
    .map((asker) => actions.map((action) => (permissions.may(asker, action, repository) ? action[0] : '-')).join(''))
    .join(' ');
}

describe('rules', () => {
  const everyone = [anonymous, ci, ann];

  test('without any, everybody may do everything', async () => {
    assert.equal(await table(undefined, 'local/app', everyone), 'ppd ppd ppd');
  });

  test('an empty list lets nobody do anything', async () => {
    assert.equal(await table([], 'local/app', everyone), '--- --- ---');
  });

  test('let anybody pull and users push, in two lines and either order', async () => {
    const two = [
      { who: 'anonymous', may: 'pull', on: '**' },
      { who: 'authenticated', may: ['pull', 'push', 'delete'], on: '**' },
    ];
    for (const access of [two, two.toReversed()])
      assert.equal(await table(access, 'local/app', everyone), 'p-- ppd ppd');
  });

  test('are about repositories by their full names, and stars end at slashes', async () => {
    const access = [
      { who: 'anonymous', may: 'pull', on: ['docker.io/**', 'quay.io/team/*', '*'] },
      { who: ['ci', 'group:ops'], may: ['push'], on: ['local/**'] },
    ];
    assert.equal(await table(access, 'docker.io/library/redis', everyone), 'p-- p-- p--');
    assert.equal(await table(access, 'quay.io/team/app', everyone), 'p-- p-- p--');
    assert.equal(await table(access, 'quay.io/team/app/deep', everyone), '--- --- ---');
    assert.equal(await table(access, 'app', everyone), 'p-- p-- p--');
    assert.equal(await table(access, 'local/app', everyone), '--- -p- -p-');
    assert.equal(await table(access, 'local', [user('local')]), 'p--');
  });

  test('with no action forbid, and the first that fits decides', async () => {
    const access = [
      { who: 'ann', may: 'pull', on: 'local/secret' },
      { who: 'anonymous', may: [], on: 'local/secret' },
      { who: '*', may: ['pull', 'push'], on: 'local/**' },
    ];
    assert.equal(await table(access, 'local/secret', everyone), '--- --- p--');
    assert.equal(await table(access, 'local/app', everyone), '--- pp- pp-');
  });

  test('do not take a group for a user, or a user for a group', async () => {
    const access = [{ who: ['ops', 'group:ci'], may: 'pull', on: '**' }];
    assert.equal(await table(access, 'x', everyone), '--- --- ---');
  });

  test('never bind the operator', async () => {
    assert.equal(await table([], 'x', [{ kind: 'operator' }]), 'ppd');
  });

  test('of names that nobody can have are errors that say what to write', async () => {
    for (const who of ['a:b', 'group:', 'b*', '']) {
      await assert.rejects(rulesOf([{ who, may: 'pull', on: '**' }]), /access\[0\]\.who.*nobody's name; write a user/);
    }
  });
});

describe('a token', () => {
  const access = [{ who: 'ci', may: ['pull', 'push'], on: 'local/**' }];
  const grants = (repositories: Readonly<Record<string, readonly Action[]>>): Grants => ({
    allows: (action, repository) => repositories[repository]?.includes(action) ?? false,
    catalog: false,
  });

  test('allows what it was made out for, and nothing that its bearer may not do', async () => {
    const bearer: Asker = { ...ci, grants: grants({ 'local/app': ['pull', 'delete'], other: ['pull'] }) };
    assert.equal(await table(access, 'local/app', [bearer]), 'p--');
    assert.equal(await table(access, 'local/else', [bearer]), '---');
    assert.equal(await table(access, 'other', [bearer]), '---');
  });

  test('binds anonymous, too', async () => {
    const bearer: Asker = { kind: 'anonymous', grants: grants({ a: ['pull'] }) };
    assert.equal(await table(undefined, 'a', [bearer]), 'p--');
    assert.equal(await table(undefined, 'b', [bearer]), '---');
  });
});
