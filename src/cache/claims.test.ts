import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Extents } from '../bytes/extents.ts';
import { nextClaim, pieceBytes, piecesFromBytes } from './claims.ts';
import type { Claim, Situation } from './claims.ts';

const MiB = 1024 * 1024;

function situation(changes: Partial<Situation>): Situation {
  const none: Situation = {
    size: 100 * MiB,
    extents: new Extents(),
    claims: [],
    wanted: [],
    ranges: 4,
    rangesHonoured: true,
  };
  return { ...none, ...changes };
}

function claim(start: number, end: number, position = start): Claim {
  return { start, position, end };
}

function extents(...list: readonly (readonly [start: number, end: number])[]): Extents {
  return Extents.from(list.map(([start, end]) => ({ start, end })));
}

describe('what to fetch next', () => {
  test('is all of a small blob', () => {
    const size = piecesFromBytes - 1;
    assert.deepEqual(nextClaim(situation({ size })), claim(0, size));
    assert.equal(nextClaim(situation({ size, claims: [claim(0, size)], wanted: [size - 1] })), undefined);
  });

  test('is a piece of a big one, as long as ranges are free', () => {
    const claims: Claim[] = [];
    for (let next = nextClaim(situation({ claims })); next !== undefined; next = nextClaim(situation({ claims }))) {
      claims.push(next);
    }
    const piece = pieceBytes(100 * MiB, 4);
    assert.deepEqual(
      claims,
      [0, 1, 2, 3].map((index) => claim(index * piece, (index + 1) * piece)),
    );
  });

  test('is all of a big one where one range is all there may be', () => {
    assert.deepEqual(nextClaim(situation({ ranges: 1 })), claim(0, 100 * MiB));
    assert.equal(nextClaim(situation({ ranges: 1, claims: [claim(0, 100 * MiB)] })), undefined);
  });

  test('is what is missing between what is there', () => {
    const there = extents([0, 10 * MiB], [12 * MiB, 100 * MiB]);
    assert.deepEqual(nextClaim(situation({ extents: there })), claim(10 * MiB, 12 * MiB));
    assert.equal(nextClaim(situation({ extents: extents([0, 100 * MiB]) })), undefined);
  });

  test('begins where a reader waits, and the transfer that would have come by ends before it', () => {
    const running = claim(0, 100 * MiB, 5 * MiB);
    const next = nextClaim(situation({ claims: [running], wanted: [50 * MiB], extents: extents([0, 5 * MiB]) }));
    assert.equal(next?.start, 50 * MiB);
    assert.equal(running.end, 50 * MiB);
  });

  test('is nothing for a reader whom a transfer will soon reach', () => {
    const running = claim(0, 100 * MiB, 49 * MiB);
    const there = extents([0, 49 * MiB]);
    assert.equal(nextClaim(situation({ ranges: 1, claims: [running], wanted: [50 * MiB], extents: there })), undefined);
    assert.equal(running.end, 100 * MiB);
  });

  test('serves readers who wait elsewhere beyond the ranges for progress, up to as many again', () => {
    const claims = [0, 20, 40, 60].map((start) => claim(start * MiB, (start + 20) * MiB));
    const wanted = [10, 30, 50, 70, 90].map((position) => position * MiB);
    for (const position of wanted.slice(0, 4)) {
      const next = nextClaim(situation({ claims, wanted }));
      assert.equal(next?.start, position);
      claims.push(claim(next.start, next.end));
    }
    assert.equal(nextClaim(situation({ claims, wanted })), undefined);
  });

  test('is the rest, once, from an upstream that ignores ranges or does not say the size', () => {
    const there = extents([0, 30 * MiB], [50 * MiB, 60 * MiB]);
    for (const blind of [{ rangesHonoured: false }, { size: Infinity }]) {
      const size = blind.size ?? 100 * MiB;
      assert.deepEqual(nextClaim(situation({ ...blind, extents: there })), claim(30 * MiB, size));
      assert.equal(nextClaim(situation({ ...blind, claims: [claim(0, size)], wanted: [90 * MiB] })), undefined);
    }
  });

  test('is nothing of a blob that has no bytes', () => {
    assert.equal(nextClaim(situation({ size: 0 })), undefined);
    assert.equal(nextClaim(situation({ size: 0, rangesHonoured: false })), undefined);
  });
});

type Step =
  | { readonly do: 'arrive'; readonly which: number; readonly bytes: number }
  | { readonly do: 'break'; readonly which: number }
  | { readonly do: 'read'; readonly where: number }
  | { readonly do: 'leave'; readonly which: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('arrive'), which: fc.nat(), bytes: fc.integer({ min: 1, max: 6 * MiB }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break'), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read'), where: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave'), which: fc.nat() }) },
);

/** Transfers that bring bytes at any pace, break off, and readers who come, wait and go. */
class Simulation {
  readonly #size: number;
  readonly #ranges: number;
  readonly #extents: Extents;
  readonly #claims: Claim[] = [];
  #readers: number[] = [];
  #missing: number;

  constructor(size: number, ranges: number, there: Extents) {
    this.#size = size;
    this.#ranges = ranges;
    this.#extents = there;
    this.#missing = size - there.bytes;
    this.#pump();
  }

  get isComplete(): boolean {
    return this.#extents.covers(0, this.#size);
  }

  step(step: Step): void {
    if (step.do === 'arrive') this.#arrive(pick(this.#claims, step.which), step.bytes);
    if (step.do === 'break') this.#end(pick(this.#claims, step.which));
    if (step.do === 'read') this.#readers.push(Math.min(Math.floor(step.where * this.#size), this.#size - 1));
    if (step.do === 'leave') this.#readers = this.#readers.filter((_, at) => at !== step.which % this.#readers.length);
    this.#pump();
  }

  /** Everything that runs goes on until nothing runs any more. */
  finish(): void {
    for (let turns = 0; this.#claims.length > 0; turns += 1) {
      assert.ok(turns < 10_000, 'it never ends');
      for (const each of this.#claims.slice()) this.#arrive(each, 4 * MiB);
      this.#pump();
    }
  }

  #arrive(from: Claim | undefined, bytes: number): void {
    if (from === undefined) return;
    const end = Math.min(from.position + bytes, from.end);
    this.#missing -= end - from.position;
    this.#extents.add(from.position, end);
    assert.equal(this.#size - this.#extents.bytes, this.#missing, 'a byte was fetched that was there already');
    from.position = end;
    this.#readers = this.#readers.filter((position) => this.#extents.endOfRunAt(position) === position);
    if (end >= from.end) this.#end(from);
  }

  #end(ended: Claim | undefined): void {
    if (ended !== undefined) this.#claims.splice(this.#claims.indexOf(ended), 1);
  }

  #pump(): void {
    const wanted = [...new Set(this.#readers)].sort((a, b) => a - b);
    for (;;) {
      const next = nextClaim({
        size: this.#size,
        extents: this.#extents,
        claims: this.#claims,
        wanted,
        ranges: this.#ranges,
        rangesHonoured: true,
      });
      if (next === undefined) break;
      assert.ok(next.start === next.position && next.start < next.end && next.end <= this.#size, 'it makes sense');
      assert.equal(this.#extents.gapFrom(next.start, next.end)?.start, next.start, 'its first byte is missing');
      this.#claims.push(next);
    }
    assert.ok(this.#claims.length <= this.#ranges * 2, 'there are not too many');
    assert.ok(this.isComplete || this.#claims.length > 0, 'somebody fetches what is missing');
    const apart = this.#claims.toSorted((a, b) => a.position - b.position);
    for (const [at, each] of apart.entries()) {
      assert.ok(each.position < each.end, 'nobody is left without work');
      assert.ok(each.end <= (apart[at + 1]?.position ?? this.#size), 'nobody fetches what another does');
    }
  }
}

function pick<T>(list: readonly T[], which: number): T | undefined {
  return list.length === 0 ? undefined : list[which % list.length];
}

describe('transfers that follow it', () => {
  const holes = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(8 * MiB)), { maxLength: 4 });
  const size = fc.oneof(fc.integer({ min: 1, max: 300 * MiB }), fc.constantFrom(piecesFromBytes, piecesFromBytes - 1));

  test('bring every byte exactly once, whoever reads where and whatever breaks off', () => {
    fc.assert(
      fc.property(
        size,
        fc.integer({ min: 1, max: 8 }),
        holes,
        fc.array(steps, { maxLength: 200 }),
        (bytes, ranges, left, story) => {
          const there = Extents.from(
            left.map(([where, length]) => {
              const start = Math.floor(where * bytes);
              return { start, end: Math.min(start + length, bytes) };
            }),
          );
          const simulation = new Simulation(bytes, ranges, there);
          for (const step of story) simulation.step(step);
          simulation.finish();
          assert.ok(simulation.isComplete);
        },
      ),
      { numRuns: 300 },
    );
  });
});
