/** Deeper than any manifest; what is nested deeper is meant to exhaust whoever reads it. */
export const jsonDepthMax = 32;
/** Objects, lists and what stands in them. An index of hundreds of entries, each with platform and annotations, has some thousands. */
export const jsonValuesMax = 50_000;

/**
 * Why a JSON text would take its reader longer than it is worth, seen in one pass before anything is made of it;
 * `undefined` when it would not. What is no JSON may be too much, too.
 */
export function excessOf(bytes: Uint8Array): string | undefined {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case sign.quote:
        at = endOfString(bytes, at);
        break;
      case sign.brace:
      case sign.bracket:
        depth += 1;
        values += 1;
        break;
      case sign.braceEnd:
      case sign.bracketEnd:
        depth -= 1;
        break;
      case sign.comma:
        values += 1;
        break;
    }
    if (depth > jsonDepthMax) return `nested deeper than ${jsonDepthMax}`;
    if (values > jsonValuesMax) return `more than ${jsonValuesMax} values`;
  }
  return undefined;
}

const sign = {
  quote: 0x22,
  comma: 0x2c,
  bracket: 0x5b,
  backslash: 0x5c,
  bracketEnd: 0x5d,
  brace: 0x7b,
  braceEnd: 0x7d,
} as const;

/** Where the string that begins at `start` has its other quotation mark, or past the end. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== sign.quote) at += bytes[at] === sign.backslash ? 2 : 1;
  return at;
}

/** A string, or what opens, closes or follows a key; all else means nothing here. */
const token = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/**
 * Why readers may disagree about a JSON text that is valid: a key that stands twice in an object, of which some take the
 * first and some the last; or one that differs from another only in case, which is the same to readers written in Go.
 * `undefined` when there is nothing of the kind.
 */
export function ambiguityOf(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let string = '';
  for (const [piece] of text.matchAll(token)) {
    if (piece === '{' || piece === '[') {
      open.push(piece === '{' ? new Set() : undefined);
    } else if (piece === '}' || piece === ']') {
      open.pop();
    } else if (piece === ':') {
      const keys = open.at(-1);
      const key = (JSON.parse(string) as string).toLowerCase();
      if (keys?.has(key) === true) return `the key ${string.slice(0, shownMax)} stands twice in an object`;
      keys?.add(key);
    } else {
      string = piece;
    }
  }
  return undefined;
}

const shownMax = 80;
