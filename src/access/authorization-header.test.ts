import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseAuthorization } from './authorization-header.ts';

const encoded = (text: string): string => Buffer.from(text).toString('base64');

test('a password is everything after the first colon, in UTF-8', () => {
  assert.deepEqual(parseAuthorization(`Basic ${encoded('ann:a:b:ü')}`), {
    kind: 'password',
    user: 'ann',
    password: 'a:b:ü',
  });
  assert.deepEqual(parseAuthorization('bEaReR abc.def-_~'), { kind: 'token', token: 'abc.def-_~' });
  assert.equal(parseAuthorization(`Basic ${encoded(':')}`).kind, 'nothing');
  assert.equal(parseAuthorization(undefined).kind, 'nothing');
});

test('odd headers are nonsense, whatever is in them', () => {
  const odd = [
    'Basic',
    'Basic ',
    'Basic !',
    `Basic ${encoded('nocolon')}`,
    `Basic ${encoded(':x')}`,
    'Negotiate abc',
    'Bearer a b',
  ];
  odd.push(
    `Basic ${encoded('a:b')}, Bearer x`,
    `Basic ${encoded(`${'u'.repeat(300)}:x`)}`,
    `Basic ${encoded(`u:${'x'.repeat(2_000)}`)}`,
  );
  odd.push(`Basic ${encoded('a\0b:c')}`, 'Bearer');
  for (const header of odd) assert.equal(parseAuthorization(header).kind, 'nonsense', header.slice(0, 40));
  fc.assert(fc.property(fc.string(), (header) => void parseAuthorization(header)));
});
