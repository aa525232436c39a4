import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHeaders } from './headers.ts';

test('headers that HTTP can carry are taken as they are, and what goes over several lines as one', () => {
  const headers = { 'X-Content-Type-Options': ['nosniff'], 'X-Text': ['a\r\n b\n', 'é'] };
  assert.deepEqual(parseHeaders(headers), { 'X-Content-Type-Options': ['nosniff'], 'X-Text': ['a  b', 'é'] });
});

test('others are refused by their names', () => {
  const refused: [Record<string, string[]>, RegExp][] = [
    [{ 'X Bad': ['a'] }, /"X Bad" is not the name of a header; write one such as X-Content-Type-Options$/],
    [{ '': ['a'] }, /is not the name of a header/],
    [{ 'X-A': ['a', 'b\0'] }, /of X-A has a character that no header may have; leave it out$/],
    [{ 'X-A': ['\u{20ac}'] }, /of X-A has a character that no header may have; leave it out$/],
  ];
  for (const [headers, message] of refused) assert.throws(() => parseHeaders(headers), { message });
});
