/** Deeper than any manifest; what is nested deeper is meant to exhaust whoever reads it. */
export const jsonDepthMax = 32;

/** A string, or what opens, closes or divides; numbers and words mean nothing here. */
const token = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/g;

/**
 * Why readers may disagree about a JSON text that is valid: a key that stands twice in an object, of which some take the
 * first and some the last; or one that differs from another only in case, which is the same to readers written in Go.
 * Also when it is nested too deep. `undefined` when there is nothing of the kind.
 */
export function ambiguityOf(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let string = '';
  for (const [piece] of text.matchAll(token)) {
    if (piece === '{' || piece === '[') {
      if (open.push(piece === '{' ? new Set() : undefined) > jsonDepthMax) return `nested deeper than ${jsonDepthMax}`;
    } else if (piece === '}' || piece === ']') {
      open.pop();
    } else if (piece === ':') {
      const keys = open.at(-1);
      const key = (JSON.parse(string) as string).toLowerCase();
      if (keys?.has(key) === true) return `the key ${string.slice(0, shownMax)} stands twice in an object`;
      keys?.add(key);
    } else if (piece !== ',') {
      string = piece;
    }
  }
  return undefined;
}

const shownMax = 80;
