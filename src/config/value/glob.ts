import picomatch from 'picomatch';
import { quoted, ValueError } from './value-error.ts';

/**
 * A glob: `*` and `?` within a part of a name, `**` across slashes, `[a-z]`, `{a,b}`. No regular expressions and no
 * negation, so that a pattern can be neither slow nor surprising.
 * @throws ValueError when empty or too long
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
  return glob;
}

/** Whether a text matches any of the globs. Compile once, ask often. */
export function globMatcher(globs: readonly string[]): (text: string) => boolean {
  if (globs.length === 0) return () => false;
  if (globs.includes('**')) return () => true;
  return picomatch([...globs], { dot: true, nonegate: true, noextglob: true, strictSlashes: true });
}

const globCharactersMax = 512;
