/** Range requests (RFC 9110, 14). Positions in bytes, `end` one past the last. */
export interface RangeWanted {
  readonly start: number;
  readonly end: number;
  /** The client asked for everything from `start` on. */
  readonly openEnded: boolean;
}

export type RangeAnswer =
  /** No Range, or one that is to be ignored: the whole, with 200. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'parts'; readonly parts: readonly [RangeWanted, ...RangeWanted[]] }
  /** 416: one ends before it begins, or all lie beyond the end. */
  | { readonly kind: 'unsatisfiable'; readonly why: 'inverted' | 'beyond' };

/**
 * Podman asks for up to 1,024 ranges of a zstd:chunked layer at once, and takes the whole layer as an answer when that is
 * what it gets.
 */
export const rangesMax = 1_024;

const whole: RangeAnswer = { kind: 'whole' };
const form = /^bytes[ \t]*=(.*)$/is;
const rangeForm = /^[ \t]*(\d*)-(\d*)[ \t]*$/;

/**
 * What is malformed is ignored (14.2), and so is what asks for more bytes than there are: overlapping ranges only serve
 * to make servers work. A range that ends before it begins is refused, which 14.2 leaves open and the distribution
 * specification's conformance runner expects. The order asked for is kept. An empty blob has no ranges, and is sent whole.
 */
export function parseRange(header: string | undefined, sizeBytes: number): RangeAnswer {
  const list = header === undefined ? undefined : form.exec(header)?.[1]?.split(',', rangesMax + 1);
  if (list === undefined || sizeBytes === 0) return whole;
  if (list.length > rangesMax) return whole;
  const parts: RangeWanted[] = [];
  let specs = 0;
  let bytes = 0;
  for (const text of list) {
    if (text.trim() === '') continue;
    const spec = parseSpec(text);
    if (spec === undefined) return whole;
    if (isInverted(spec)) return { kind: 'unsatisfiable', why: 'inverted' };
    specs += 1;
    const part = resolve(spec, sizeBytes);
    if (part === undefined) continue;
    parts.push(part);
    bytes += part.end - part.start;
  }
  if (specs === 0) return whole;
  const [first, ...others] = parts;
  if (first === undefined) return { kind: 'unsatisfiable', why: 'beyond' };
  return bytes > sizeBytes ? whole : { kind: 'parts', parts: [first, ...others] };
}

/** `first` undefined: the last `last` bytes. */
interface Spec {
  readonly first: number | undefined;
  readonly last: number | undefined;
}

function parseSpec(text: string): Spec | undefined {
  const match = rangeForm.exec(text);
  if (match === null) return undefined;
  const first = match[1] === '' ? undefined : Number(match[1]);
  const last = match[2] === '' ? undefined : Number(match[2]);
  return first === undefined && last === undefined ? undefined : { first, last };
}

function isInverted({ first, last }: Spec): boolean {
  return first !== undefined && last !== undefined && last < first;
}

function resolve({ first, last }: Spec, size: number): RangeWanted | undefined {
  if (first === undefined) {
    const length = Math.min(last ?? 0, size);
    return length === 0 ? undefined : { start: size - length, end: size, openEnded: false };
  }
  if (first >= size) return undefined;
  return { start: first, end: last === undefined ? size : Math.min(last + 1, size), openEnded: last === undefined };
}
