import { globMatcher } from '../../config/value/glob.ts';

/**
 * What a pin means. It is a glob over `repository:tag`, or over `repository@digest` when it contains an @; without
 * either it means every tag. Repositories are written as displayed: `docker.io/library/postgres:*`.
 */
export interface Pin {
  /** What it is compared with besides the repository. */
  readonly kind: 'tag' | 'digest';
  matches(display: string, tagOrDigest: string): boolean;
  /** Displayed names outside this range of texts never match; the end is not in it. */
  readonly displayFrom: string;
  readonly displayTo: string;
}

/** Compiled pins that are remembered. */
const rememberedMax = 1_000;
const remembered = new Map<string, Pin>();

export function compilePin(pattern: string): Pin {
  let pin = remembered.get(pattern);
  if (pin === undefined) {
    if (remembered.size >= rememberedMax) remembered.clear();
    pin = compile(pattern);
    remembered.set(pattern, pin);
  }
  return pin;
}

function compile(pattern: string): Pin {
  const kind = pattern.includes('@') ? 'digest' : 'tag';
  const separator = kind === 'digest' ? '@' : ':';
  const at = pattern.lastIndexOf(separator);
  const split = at > pattern.lastIndexOf('/') && !/^[^{]*\}/.test(pattern.slice(at));
  const range = displayRange(pattern);
  // A separator inside braces, as in {redis:7,postgres:*}, leaves nothing to split: the whole is compared at once.
  if (!split && at > pattern.lastIndexOf('/')) {
    const whole = globMatcher([pattern]);
    return { kind, ...range, matches: (display, other) => whole(`${display}${separator}${other}`) };
  }
  const repository = globMatcher([split ? pattern.slice(0, at) : pattern]);
  const other = globMatcher([split ? pattern.slice(at + 1) : '*']);
  return { kind, ...range, matches: (display, text) => other(text) && repository(display) };
}

/** All names that share the pattern's literal beginning. */
function displayRange(pattern: string): Pick<Pin, 'displayFrom' | 'displayTo'> {
  const literal = /^[a-z0-9](?:[a-z0-9._/-]*[a-z0-9])?/.exec(pattern)?.[0] ?? '';
  return { displayFrom: literal, displayTo: `${literal}\u{10ffff}` };
}
