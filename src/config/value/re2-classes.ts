/** Sets of characters that RE2 has a name for, as the inside of a class of JavaScript's (flag v). */

/** `\d`: ASCII alone, where those of JavaScript know more spaces, and more letters under the flag i. */
export const perlClasses: Readonly<Record<string, string>> = {
  d: '0-9',
  s: String.raw`\t\n\f\r\x20`,
  w: '0-9A-Za-z_',
};

/** `[[:alpha:]]`. */
export const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: String.raw`\x00-\x7f`,
  blank: String.raw`\t\x20`,
  cntrl: String.raw`\x00-\x1f\x7f`,
  digit: '0-9',
  graph: String.raw`\x21-\x7e`,
  lower: 'a-z',
  print: String.raw`\x20-\x7e`,
  punct: String.raw`\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e`,
  space: String.raw`\t\n\v\f\r\x20`,
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/**
 * `\p{Greek}`: a category or a script. Undefined where there is none of that name, and for C, which has not always been
 * the same in Go.
 */
export function unicodeClass(name: string): string | undefined {
  if (name === 'Any') return String.raw`\p{Any}`;
  if (/^(?:L[lmotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|C[cfos])$/.test(name)) return `\\p{gc=${name}}`;
  const script = `\\p{sc=${name}}`;
  return /^[A-Z][A-Za-z_]{3,}$/.test(name) && isKnown(script) ? script : undefined;
}

function isKnown(property: string): boolean {
  try {
    return new RegExp(property, 'v') instanceof RegExp;
  } catch {
    return false;
  }
}
