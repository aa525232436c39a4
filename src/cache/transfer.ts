import type { Clock } from '../observe/clock.ts';
import { algorithmOf, digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { asError, RegistryError } from '../oci/errors.ts';
import type { BlobHead, BlobSink } from '../upstream/contract.ts';
import { nextClaim, piecesFromBytes } from './claims.ts';
import type { Claim } from './claims.ts';
import { Intake } from './intake.ts';
import type { Target } from './intake.ts';
import type { Source, Sources } from './sources.ts';

/** How long to wait before asking again after so many failures in a row without a byte between them, in milliseconds. */
const retryDelaysMs = [0, 100, 300, 1000, 2000, 4000, 8000, 15_000];
/** After so many answers that are not the range that was asked for, the whole is asked for. */
const wrongRangesMax = 2;
/** However much patience an upstream asks for: clients wait, and have time limits of their own. In milliseconds. */
const retryAfterMsMax = 30_000;

/** What an earlier transfer left was said to be of another size: nothing can be added to it. */
export class OtherSize extends RegistryError {}

/**
 * Fetches what is missing of one blob, in as many ranges at once as the upstream and the configuration allow, where
 * readers wait first. A range that breaks off is taken up again where it ended; readers notice nothing.
 */
export class Transfer {
  readonly #digest: Digest;
  readonly #sources: Sources;
  readonly #expectedSize: number | undefined;
  readonly #begin: (size: number | undefined) => Promise<Target>;
  readonly #clock: Clock;
  readonly #claims: Claim[] = [];
  readonly #abort = new AbortController();
  readonly #outcome = Promise.withResolvers<'complete' | 'absent'>();
  #target: Target | undefined;
  #beginning: Promise<Target> | undefined;
  #rangesHonoured = true;
  /** Answers to a Range that were another one, or none. */
  #wrongRanges = 0;
  #etag: string | undefined;
  /** The upstream has given an answer that could be used. */
  #heard = false;
  #failures = 0;
  #paused = false;
  #ended = false;

  /**
   * @param expectedSize in bytes, where a manifest tells
   * @param target what an earlier transfer left, to go on with
   * @param begin called once with the size, when the upstream has answered and nothing was left
   */
  constructor(
    digest: Digest,
    sources: Sources,
    expectedSize: number | undefined,
    target: Target | undefined,
    begin: (size: number | undefined) => Promise<Target>,
    clock: Clock,
  ) {
    this.#digest = digest;
    this.#sources = sources;
    this.#expectedSize = expectedSize;
    this.#target = target;
    this.#begin = begin;
    this.#clock = clock;
  }

  /**
   * Resolves to `absent` when the upstream does not have the blob.
   * @throws RegistryError when the upstream gave up on us, or `write` failed
   */
  run(): Promise<'complete' | 'absent'> {
    this.pump();
    return this.#outcome.promise;
  }

  /** Looks for something to fetch: called again when readers want something else. */
  pump(): void {
    if (this.#ended || this.#paused) return;
    if (this.#target === undefined) {
      if (this.#claims.length === 0 && this.#beginning === undefined) this.#start(this.#firstClaim());
      return;
    }
    const { growth } = this.#target;
    if (growth.complete) return this.#end('complete');
    for (;;) {
      const claim = nextClaim({
        size: growth.size,
        extents: growth.extents,
        claims: this.#claims,
        wanted: growth.wanted(),
        ranges: this.#sources.current.ranges,
        rangesHonoured: this.#rangesHonoured,
      });
      if (claim === undefined) return;
      this.#start(claim);
    }
  }

  stop(reason: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#abort.abort(reason);
    this.#outcome.reject(reason);
  }

  /** Before the size is known a range asks for no more than would be fetched in one piece anyway. */
  #firstClaim(): Claim {
    const size = this.#expectedSize;
    if (size === undefined || (size >= piecesFromBytes && this.#sources.current.ranges > 1)) {
      return { start: 0, position: 0, end: piecesFromBytes };
    }
    return { start: 0, position: 0, end: size };
  }

  #start(claim: Claim): void {
    const source = this.#sources.current;
    this.#claims.push(claim);
    this.#fetch(claim, source).then(
      (found) => this.#fetched(claim, source, found),
      (error: unknown) => this.#broke(claim, source, error),
    );
  }

  async #fetch(claim: Claim, source: Source): Promise<boolean> {
    const size = this.#target?.growth.size ?? this.#expectedSize;
    const first = claim.start === 0 && (claim.end === size || !this.#rangesHonoured);
    const whole = first || this.#wrongRanges >= wrongRangesMax;
    const requestedEnd = whole || claim.end === Infinity ? undefined : claim.end;
    const start = whole ? 0 : claim.start;
    const { repository, identity, direct = false } = source;
    const cold = !this.#heard && this.#claims.length === 1;
    const request = { start, end: requestedEnd, etag: this.#etag, signal: this.#abort.signal, direct, cold };
    const intake = new Intake(claim, this.#clock, () => (this.#failures = 0));
    const sink = this.#sink(claim, intake, requestedEnd ?? Infinity);
    try {
      return await repository.blob(this.#digest, request, sink, identity);
    } finally {
      await intake.end();
    }
  }

  #sink(claim: Claim, intake: Intake, requestedEnd: number): BlobSink {
    return {
      head: (head) => this.#accept(claim, head),
      data: async (chunk) => {
        const target = this.#target ?? (await this.#beginning);
        if (target === undefined || this.#ended) return false;
        await intake.take(target, chunk);
        // A range that ends by itself leaves its connection usable; one that was shortened is broken off.
        return intake.position < claim.end || claim.end >= requestedEnd || claim.end === target.growth.size;
      },
    };
  }

  /** False when this answer is of no use, because it begins elsewhere and others are fetching already. */
  #accept(claim: Claim, head: BlobHead): boolean {
    if (this.#ended) return false;
    const known = this.#knownSize;
    if (head.size !== undefined && known !== undefined && head.size !== known) {
      const told = this.#expectedSize === undefined ? `it said ${known} before` : `its manifest says ${known}`;
      const message = `the upstream says ${this.#digest} has ${head.size} bytes, ${told}`;
      const isLeft = this.#expectedSize === undefined && !this.#heard;
      throw new (isLeft ? OtherSize : RegistryError)('UPSTREAM_INVALID', message);
    }
    const size = head.size ?? known;
    if (size === 0 && !this.#isEmpty) throw this.#nothing();
    this.#etag = head.etag;
    this.#heard = true;
    // A part of who knows how much does not tell where to stop asking: a body ends by itself.
    if (size === undefined && this.#rangesHonoured && head.ranges) return this.#refuse(claim);
    if (!head.ranges) this.#rangesHonoured = false;
    if (head.start !== claim.start) {
      if (this.#claims.length > 1) return this.#refuse(claim);
      claim.position = head.start;
    }
    if (!this.#rangesHonoured) claim.end = size ?? Infinity;
    else if (size !== undefined) claim.end = Math.min(claim.end, size);
    if (known === undefined && size !== undefined) this.#target?.endAt(size);
    if (this.#target === undefined && this.#beginning === undefined) this.#beginOnce(size);
    return true;
  }

  get #isEmpty(): boolean {
    return this.#digest === digestOf('', algorithmOf(this.#digest));
  }

  #nothing(): RegistryError {
    return new RegistryError('UPSTREAM_INVALID', `the upstream sent nothing for ${this.#digest}`);
  }

  /** In bytes; `undefined` while neither a manifest nor the upstream has told. */
  get #knownSize(): number | undefined {
    const size = this.#target?.growth.size ?? this.#expectedSize;
    return size === Infinity ? undefined : size;
  }

  /** Ends the claim where it is, so that nothing of it counts as missing. */
  #refuse(claim: Claim): false {
    this.#rangesHonoured = false;
    claim.end = claim.position;
    return false;
  }

  #beginOnce(size: number | undefined): void {
    this.#beginning = this.#begin(size).then((target) => {
      this.#target = target;
      this.pump();
      return target;
    });
    this.#beginning.catch((error: unknown) => this.stop(asError(error)));
  }

  #fetched(claim: Claim, source: Source, found: boolean): void {
    this.#release(claim);
    if (!found) {
      if (this.#beginning === undefined && this.#target === undefined) return this.#end('absent');
      const gone = new RegistryError('UPSTREAM_FAILED', 'the upstream no longer has what it was sending');
      return this.#broke(claim, source, gone);
    }
    if (claim.end === Infinity && (claim.position > 0 || this.#isEmpty)) return this.#endAt(claim.position);
    if (claim.end === Infinity) return this.#broke(claim, source, this.#nothing());
    if (claim.position < claim.end) {
      const where = `at byte ${claim.position}, before byte ${claim.end}`;
      return this.#broke(claim, source, new RegistryError('UPSTREAM_INVALID', `the upstream's answer ended ${where}`));
    }
    this.pump();
  }

  #endAt(size: number): void {
    this.#beginning?.then(
      (target) => {
        target.endAt(size);
        this.pump();
      },
      () => {},
    );
  }

  #broke(claim: Claim, source: Source, error: unknown): void {
    this.#release(claim);
    if (this.#ended || this.#paused) return;
    const failure = error instanceof RegistryError ? error : undefined;
    const begun = this.#target !== undefined || this.#beginning !== undefined;
    if (!begun && failure?.upstreamStatus === 416 && this.#rangesHonoured) {
      // An empty blob has no range to ask for (RFC 9110, 15.5.17).
      this.#rangesHonoured = false;
      return this.pump();
    }
    const delayMs = retryDelaysMs[this.#failures];
    if (failure?.upstreamStatus === 206 || failure?.upstreamStatus === 416) this.#wrongRanges += 1;
    if (this.#wrongRanges >= wrongRangesMax) this.#rangesHonoured = false;
    const hopeless = !begun || failure === undefined || failure.origin === 'store' || failure instanceof OtherSize;
    if (hopeless || delayMs === undefined) return this.stop(asError(error));
    this.#failures += 1;
    if (this.#sources.turnFrom(source)) {
      // Neither its validator nor its patience is the other's.
      this.#etag = undefined;
      return this.#pause(delayMs);
    }
    this.#pause(Math.max(delayMs, Math.min((failure.retryAfterSeconds ?? 0) * 1000, retryAfterMsMax)));
  }

  #pause(ms: number): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#clock.setTimer(ms, () => {
      this.#paused = false;
      this.pump();
    });
  }

  #release(claim: Claim): void {
    const at = this.#claims.indexOf(claim);
    if (at >= 0) this.#claims.splice(at, 1);
  }

  #end(outcome: 'complete' | 'absent'): void {
    this.#ended = true;
    this.#outcome.resolve(outcome);
  }
}
