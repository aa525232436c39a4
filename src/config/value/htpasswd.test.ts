import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseHtpasswd } from './htpasswd.ts';

const rest = 'abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234'.slice(0, 53);

describe('a file of users', () => {
  test('has a line a user, in every spelling of bcrypt, with comments between', () => {
    const text = `# ours\n\na:$2a$10$${rest}\r\n  b:$2b$05$${rest}\nc:$2y$16$${rest}\nd:$2x$05$${rest}\ne:$2$05$${rest}\na:$2y$04$${rest}\n`;
    const users = parseHtpasswd(text);
    assert.deepEqual([...users.keys()], ['a', 'b', 'c', 'd', 'e']);
    assert.equal(users.get('a'), `$2b$04$${rest}`);
    assert.deepEqual([users.get('d'), users.get('e')], [`$2b$05$${rest}`, `$2b$05$${rest}`]);
    assert.equal(parseHtpasswd('').size, 0);
  });

  const wrong: Readonly<Record<string, RegExp>> = {
    'ann:$apr1$x$yyyyyyyyyyyyyyyyyyyyy.': /line 2: the password of "ann" is Apache's MD5, and only bcrypt/,
    'ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=': /SHA-1/,
    'ann:$6$salt$hash': /crypt/,
    [`ann:$2z$10$${rest}`]: /an unknown kind of bcrypt/,
    [`ann:$2y$03$${rest}`]: /an unknown kind of bcrypt/,
    [`ann:$2y$10$${rest}x`]: /an unknown kind of bcrypt/,
    [`ann:$2y$17$${rest}`]: /line 2: the password of "ann" has cost 17, and more than 16/,
    'ann:plain-text-password': /no hash that is known here/,
    ann: /line 2: is not user:hash/,
    ':x': /line 2: is not user:hash/,
  };
  for (const [line, said] of Object.entries(wrong)) {
    test(`refuses ${line.slice(0, 12)} with the line and what to write, and never shows what may be a password`, () => {
      const read = (): unknown => parseHtpasswd(`\n${line}\n`);
      assert.throws(read, said);
      assert.throws(read, /entrepot htpasswd USER/);
      assert.throws(read, (error: Error) => !error.message.includes('plain-text') && !error.message.includes(rest));
    });
  }
});
