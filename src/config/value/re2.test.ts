import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromRe2 } from './re2.ts';
import { ValueError } from './value-error.ts';

/** What Go 1.26 said of each: the texts that match, and those that do not. */
const meanings: readonly (readonly [what: string, pattern: string, yes: readonly string[], no: readonly string[]])[] = [
  ['the ends of the text', String.raw`\Aa\z`, ['a'], ['Aaz', 'a\n', 'ba']],
  ['^ and $ as the ends of the text', '^a$', ['a'], ['a\n', '\na']],
  ['^ and $ as the ends of lines', '(?m)^a$', ['b\na\nc'], ['b\ra\rc', 'b\u2028a']],
  ['a quotation', String.raw`^\Qa.[b\E+$`, ['a.[b', 'a.[bb'], ['a_[b', 'Qa.[bE']],
  ['a quotation without an end', String.raw`\Qa|b`, ['a|b'], ['a', 'b']],
  ['POSIX classes', '^[[:alpha:]_]+[[:^digit:]]$', ['ab_!'], ['ab1', ':]', '1a']],
  ['a class that begins with its bracket', '^[]a]$', [']', 'a'], ['[]a]']],
  ['a dot', '^.$', ['\r', '\u2028', '😀'], ['\n', '']],
  ['a dot that is everything', '(?s)^.$', ['\n'], ['']],
  ['classes of Perl as ASCII', String.raw`^\s\w\d$`, [' a1', '\t_0'], ['\u{a0}a1', '\va1', ' é1']],
  ['classes of Perl in brackets', String.raw`^[\W_]$`, ['_', 'é', ' '], ['a', '0']],
  ['categories and scripts', String.raw`^\pL\p{Lu}\P{Greek}\p{^Nd}$`, ['aBcd'], ['abcd', 'pL', 'aBσd', 'aBc1']],
  ['characters by number', String.raw`^\x41\x{1F600}\101\07$`, ['A😀A\x07'], ['x41']],
  ['punctuation after a backslash', String.raw`^\/\-\_\"\ $`, ['/-_" '], ['']],
  ['braces that count nothing', '^a{,2}{$', ['a{,2}{'], ['a', 'aa']],
  ['a position repeated', String.raw`^*a(?:\b)+$`, ['a', 'ba'], ['b']],
  ['flags from there on', 'a(?i)b|c', ['aB', 'C'], ['AB']],
  ['flags of a group alone', '^(?i:a)b$', ['Ab'], ['AB']],
  ['flags taken back', '(?i)a(?-i)b', ['Ab'], ['AB']],
  ['a flag for greed', '^(?U)a+$', ['aa'], ['']],
  ['groups with names', '^(?P<one>a)(?<two>b)$', ['ab'], ['a']],
  ['letters that fold to others', '(?i)^k\u{17f}$', ['KS', '\u{212a}s'], ['k']],
  ['the complement of what folds', '(?i)^[[:^upper:]k]+$', ['K1é'], ['b', 'B', '\u{17f}']],
  ['words as ASCII', String.raw`(?i)a\b`, ['aé', 'a\u{17f}'], ['ab']],
];

const refusals: readonly (readonly [pattern: string, why: string, advice: string])[] = [
  [String.raw`a\Z`, String.raw`\Z means nothing in it`, String.raw`write \z for the end of the text`],
  [String.raw`\C`, String.raw`\C means nothing in it`, 'write . for a character; bytes cannot be matched'],
  [String.raw`a\E`, String.raw`\E means nothing in it`, String.raw`write \Q where the quotation begins`],
  [String.raw`(a)\1`, String.raw`\1 means nothing in it`, 'write once more what it refers to'],
  [String.raw`\u0041`, String.raw`\u means nothing in it`, String.raw`write \x{...} with the number of the character`],
  [
    String.raw`[\b]`,
    String.raw`\b means nothing in it`,
    'write the character alone, or what it is to match as a class in brackets',
  ],
  ['a\\', '\\ means nothing in it', String.raw`write \\ for a backslash`],
  ['(?!a)', 'it cannot look ahead or behind', 'write what is to match, and the rest with allow and deny'],
  ['(?<=a)b', 'it cannot look ahead or behind', 'write what is to match, and the rest with allow and deny'],
  ['(?x)a', 'it has no such group', 'write (?: for a group, (?P<name> for one with a name, or flags of imsU'],
  ['a(', 'unterminated group', String.raw`write its ), or \( for the character`],
  ['a)', 'unmatched )', String.raw`write \) for the character`],
  ['[a', 'unterminated character class', String.raw`write its ], or \[ for the character`],
  ['[z-a]', 'z-a is no range', String.raw`write the smaller one first, or \- for the character`],
  ['a|*', 'nothing before *', String.raw`write \* for the character`],
  ['a+*', '* repeats a repetition', 'leave one of them, or put the first into a group'],
  ['a{2}{3}', '{3} repeats a repetition', 'leave one of them, or put the first into a group'],
  ['a{1001}', '{1001} is too often', 'write at most 1000 times, and the smaller number first'],
  [
    String.raw`\p{C}`,
    String.raw`\p{C} is no class that is known here`,
    String.raw`write a category such as \p{Lu}, or a script such as \p{Greek}`,
  ],
];

describe('an expression of RE2', () => {
  for (const [what, pattern, yes, no] of meanings) {
    test(`has ${what}: ${pattern}`, () => {
      const expression = fromRe2(pattern);
      for (const text of yes) assert.ok(expression.test(text), `${JSON.stringify(text)} should match`);
      for (const text of no) assert.ok(!expression.test(text), `${JSON.stringify(text)} should not match`);
    });
  }

  for (const [pattern, why, advice] of refusals) {
    test(`that is none is refused with what to write: ${pattern}`, () => {
      const message = `"${pattern}" is not a regular expression of RE2 (${why}); ${advice}`;
      assert.throws(() => fromRe2(pattern), new ValueError(message));
    });
  }

  test('that names no POSIX class is refused with those that there are', () => {
    assert.throws(
      () => fromRe2('[[:letters:]]'),
      /no class is called \[:letters:\]\); write one of alnum, alpha, .*xdigit$/,
    );
  });
});
