import { quoted, ValueError } from './value-error.ts';

/** Longer texts match no pattern: a bound on what an expression of the operator's can cost. */
const textCharactersMax = 4_096;

/**
 * A regular expression as Go writes it: of that syntax, inline flags at its start are what JavaScript lacks and people use.
 * @throws ValueError
 */
export function parsePattern(text: string): string {
  try {
    expressionOf(text);
    return text;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^.*: /u, '').toLowerCase() : String(error);
    throw new ValueError(`${quoted(text)} is not a regular expression (${why}); correct it`);
  }
}

/** Whether any of the expressions matches somewhere in a text. */
export function patternMatcher(patterns: readonly string[]): (text: string) => boolean {
  const expressions = patterns.map(expressionOf);
  return (text) => text.length <= textCharactersMax && expressions.some((expression) => expression.test(text));
}

function expressionOf(pattern: string): RegExp {
  const [, flags = '', rest = pattern] = /^\(\?([ims]+)\)(.*)$/su.exec(pattern) ?? [];
  return new RegExp(rest, flags);
}
