import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { compare } from 'bcryptjs';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { hashOf } from '../../test/support/logins.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { parseHtpasswd } from '../config/value/htpasswd.ts';
import { cli } from './testing.ts';

const clock = new FakeClock();

test('htpasswd prints a line that the server reads', async () => {
  const { code, out } = await cli(['htpasswd', 'ann'], { clock, secret: 'her secret' });
  assert.equal(code, 0);
  assert.equal(await compare('her secret', parseHtpasswd(out).get('ann') ?? ''), true);
});

test('htpasswd --file adds a user, changes a password, and leaves the rest as it is', async () => {
  await using directory = await TempDir.make();
  const file = join(directory.path, 'users');
  await cli(['htpasswd', 'ann', '--file', file], { clock, secret: 'one' });
  const bob = `bob:${hashOf('builder')}`;
  await writeFile(file, `# people\n${await readFile(file, 'utf8')}${bob}\n`);
  const { notes } = await cli(['htpasswd', 'ann', '-f', file], { clock, secret: 'two' });
  assert.match(notes, /ann has a new password/);
  const text = await readFile(file, 'utf8');
  assert.ok(text.startsWith(`# people\n${bob}\nann:`), text);
  assert.equal(await compare('two', parseHtpasswd(text).get('ann') ?? ''), true);
});

test('htpasswd refuses what no user or password can be, and says what to do', async () => {
  for (const [user, secret] of [
    ['a:b', 'x'],
    [' a', 'x'],
    ['#a', 'x'],
    ['ann', ''],
    ['ann', 'x'.repeat(73)],
  ] as const) {
    const { code, notes, out } = await cli(['htpasswd', user], { clock, secret });
    assert.equal(code, 1, user);
    assert.match(notes, /; give [^(]*$/);
    assert.equal(out, '');
  }
});

test('htpasswd says of a file that is none what is wrong with it, and leaves it alone', async () => {
  await using directory = await TempDir.make();
  const file = join(directory.path, 'users');
  await writeFile(file, 'ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n');
  const { code, notes } = await cli(['htpasswd', 'bob', '--file', file], { clock, secret: 'x' });
  assert.equal(code, 1);
  assert.match(notes, /users line 1: the password of "ann" is SHA-1, and only bcrypt is accepted; write [^(]*$/);
  assert.equal(await readFile(file, 'utf8'), 'ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n');
});
