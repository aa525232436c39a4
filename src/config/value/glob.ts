import picomatch from 'picomatch';
import { quoted, ValueError } from './value-error.ts';

/**
 * A glob: `*` and `?` within a part of a name, `**` across slashes, `[a-z]`, `{a,b}`. No regular expressions and no
 * negation, so that a pattern can be neither slow nor surprising.
 * @throws ValueError when empty, too long, or such that it matches nothing
 */
export function parseGlob(text: string): string {
  const glob = text.trim();
  if (glob === '') throw new ValueError('an empty pattern matches nothing; write * or ** for everything, or remove it');
  if (glob.length > globCharactersMax)
    throw new ValueError(`${quoted(glob)} is longer than ${globCharactersMax} characters; write a shorter pattern`);
  if (glob.startsWith('!'))
    throw new ValueError(
      `${quoted(glob)} starts with !, which means nothing here; use the deny list or turn the pattern round`,
    );
  const bare = outsideBraces(glob);
  if (/[[\]{}]/u.test(bare))
    throw new ValueError(
      `${quoted(glob)} has a bracket or brace without its other half; write both, as in [a-z] and {a,b}`,
    );
  if (bare.includes(','))
    throw new ValueError(
      `${quoted(glob)} has a comma, and no name has one; write {a,b}, or a list of patterns: [a, b]`,
    );
  return glob;
}

/** Whether a text matches any of the globs. Compile once, ask often. */
export function globMatcher(globs: readonly string[]): (text: string) => boolean {
  if (globs.length === 0) return () => false;
  if (globs.includes('**')) return () => true;
  return picomatch([...globs], { dot: true, nonegate: true, noextglob: true, strictSlashes: true });
}

export function hasGlob(text: string): boolean {
  return /[*?[\]{}]/.test(text);
}

/** False where no name can match both globs. True where some may, though it may turn out that none does. */
export function mayBothMatch(one: string, other: string): boolean {
  if (acrossParts.test(one) || acrossParts.test(other)) return true;
  return mayMeet(one.split('/'), other.split('/'));
}

/** Alternatives with slashes in them are not looked into. */
const acrossParts = /\{[^}]*\/|\[[^\]]*\//;

function mayMeet([first, ...rest]: readonly string[], [second, ...others]: readonly string[]): boolean {
  // At the end of a glob it stands for one part at least.
  if (first === '**') return rest.length > 0 || second !== undefined;
  if (second === '**') return others.length > 0 || first !== undefined;
  if (first === undefined || second === undefined) return first === second;
  return mayPartsMeet(first, second) && mayMeet(rest, others);
}

function mayPartsMeet(one: string, other: string): boolean {
  if (!hasGlob(one)) return globMatcher([other])(one);
  if (!hasGlob(other)) return globMatcher([one])(other);
  const [beginning, otherBeginning] = [literalBeginning(one), literalBeginning(other)];
  return beginning.startsWith(otherBeginning) || otherBeginning.startsWith(beginning);
}

function literalBeginning(glob: string): string {
  return /^[^*?[{\\]*/.exec(glob)?.[0] ?? '';
}

const globCharactersMax = 512;

/** Without sets of characters, and without alternatives, innermost first. */
function outsideBraces(glob: string): string {
  let rest = glob.replaceAll(/\[[^\]]+\]/gu, '');
  for (let before = ''; rest !== before;) {
    before = rest;
    rest = rest.replaceAll(/\{[^{}]*\}/gu, '');
  }
  return rest;
}
