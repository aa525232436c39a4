import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePattern, patternMatcher } from './pattern.ts';
import { ValueError } from './value-error.ts';

describe('a regular expression', () => {
  test('matches anywhere unless it says otherwise, as those of Go do', () => {
    const matches = patternMatcher(['^https://([^/]+\\.)*example\\.com/', 'mirror']);
    assert.deepEqual(['https://a.example.com/x', 'http://example.com/', 'http://mirror/', ''].map(matches), [
      true,
      false,
      true,
      false,
    ]);
  });

  test('may begin with flags', () => {
    assert.ok(patternMatcher([parsePattern('(?i)^HTTPS://')])('https://a'));
    assert.ok(!patternMatcher(['^HTTPS://'])('https://a'));
  });

  test('that is broken is refused with the reason', () => {
    assert.throws(
      () => parsePattern('a('),
      new ValueError(
        String.raw`"a(" is not a regular expression of RE2 (unterminated group); write its ), or \( for the character`,
      ),
    );
  });

  test('matches nothing that is longer than any URL', () => {
    assert.ok(!patternMatcher(['a'])('a'.repeat(4_097)));
  });

  test('of none matches nothing', () => {
    assert.ok(!patternMatcher([])('a'));
  });
});
