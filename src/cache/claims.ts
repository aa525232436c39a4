import type { Extents } from '../bytes/extents.ts';

/** A part of a blob that one transfer is fetching. Positions are bytes from the blob's start. */
export interface Claim {
  readonly start: number;
  /** The next byte to arrive. */
  position: number;
  /** One past the last byte; moves down when somebody else takes the rest over. */
  end: number;
}

/** Smaller blobs are fetched in one piece, in bytes: more requests would cost more than they bring. */
export const piecesFromBytes = 16 * 1024 * 1024;
const pieceBytesMin = 8 * 1024 * 1024;
const pieceBytesMax = 64 * 1024 * 1024;
/** A reader this close behind a running transfer waits for it, in bytes. */
const nearBytes = 2 * 1024 * 1024;

export interface Situation {
  readonly size: number;
  readonly extents: Extents;
  readonly claims: readonly Claim[];
  /** Positions that readers wait for, ascending. */
  readonly wanted: readonly number[];
  /** How many transfers may run for progress; readers who wait elsewhere may add as many again. 1 = no pieces. */
  readonly ranges: number;
  /** False once the upstream has ignored a Range. */
  readonly rangesHonoured: boolean;
}

/** What to fetch next, if anything; may shorten a claim of the situation to make room for a reader. */
export function nextClaim(situation: Situation): Claim | undefined {
  const { size, extents, claims, ranges, rangesHonoured } = situation;
  if (!rangesHonoured || size === Infinity) return claims.length > 0 ? undefined : rest(extents.endOfRunAt(0), size);
  const divisible = size >= piecesFromBytes;
  if (divisible && claims.length < ranges * 2) {
    const claim = demanded(situation);
    if (claim !== undefined) return claim;
  }
  if (claims.length >= (divisible ? ranges : 1)) return undefined;
  if (!divisible || ranges === 1) return firstGap(situation, size);
  const claim = firstGap(situation, pieceBytes(size, ranges));
  return claim && { ...claim, end: Math.min(claim.end, nextWanted(situation.wanted, claim.start)) };
}

export function pieceBytes(size: number, ranges: number): number {
  return Math.min(pieceBytesMax, Math.max(pieceBytesMin, Math.ceil(size / (ranges * 4))));
}

function rest(start: number, size: number): Claim | undefined {
  return start >= size ? undefined : { start, position: start, end: size };
}

/** A reader waits where nobody will be soon: begin there, and let a claim that would have come by end before it. */
function demanded({ size, extents, claims, wanted, ranges }: Situation): Claim | undefined {
  for (const position of wanted) {
    const running = claims.find((claim) => claim.position <= position && position < claim.end);
    if (running !== undefined && position - running.position < nearBytes) continue;
    const gap = extents.gapFrom(position, size);
    if (gap === undefined || gap.start !== position) continue;
    const next = Math.min(gap.end, running?.end ?? Infinity, ...claims.map((claim) => startAfter(claim, position)));
    if (running !== undefined) running.end = position;
    const end = Math.min(next, position + pieceBytes(size, ranges), nextWanted(wanted, position));
    return { start: position, position, end };
  }
  return undefined;
}

/** Where another reader will have a transfer of its own: to end before it is cheaper than to be shortened later. */
function nextWanted(wanted: readonly number[], position: number): number {
  return wanted.find((other) => other - position >= nearBytes) ?? Infinity;
}

function startAfter(claim: Claim, position: number): number {
  return claim.position > position ? claim.position : Infinity;
}

function firstGap({ size, extents, claims }: Situation, atMost: number): Claim | undefined {
  let from = 0;
  for (;;) {
    const gap = extents.gapFrom(from, size);
    if (gap === undefined) return undefined;
    const taken = claims.find((claim) => claim.position <= gap.start && gap.start < claim.end);
    if (taken === undefined) {
      const end = Math.min(gap.end, gap.start + atMost, ...claims.map((claim) => startAfter(claim, gap.start)));
      return { start: gap.start, position: gap.start, end };
    }
    from = taken.end;
  }
}
