import { fromRe2 } from './re2.ts';

/** Longer texts match no pattern: a bound on what an expression of the operator's can cost. */
export const matchedCharactersMax = 4_096;

/**
 * A regular expression as Go writes it.
 * @throws ValueError
 */
export function parsePattern(text: string): string {
  fromRe2(text);
  return text;
}

/** Whether any of the expressions matches somewhere in a text. */
export function patternMatcher(patterns: readonly string[]): (text: string) => boolean {
  const expressions = patterns.map(fromRe2);
  return (text) => text.length <= matchedCharactersMax && expressions.some((expression) => expression.test(text));
}
