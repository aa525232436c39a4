/**
 * One store, and one server process after another over it, each killed (SIGKILL) in the middle of a cold pull. What is
 * promised, and looked at after every kill: no client was given a wrong byte or took a part for the whole, the store holds
 * no wrong blob, the next process serves what the last one was bringing in, and in the end nothing is left behind.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { drain, get, open, together } from '../../support/client.ts';
import { CountingUpstream } from '../../support/counting-upstream.ts';
import { makeBlob } from '../../support/images.ts';
import type { Content } from '../../support/images.ts';
import type { ServerProcess } from '../../support/processes.ts';
import { TempDir } from '../../support/temp-dir.ts';
import type { Random } from '../random.ts';
import { assertPiece, assertWhole, becomes, keptIn, kib, mib, unfinishedIn, urlOf } from '../world.ts';
import { arm, diesAt, killWhenReached, startLife } from './life.ts';
import type { Victims } from './kills.ts';
import type { Moment } from './step-names.ts';

/** So much time passes in a pull that a random moment falls into it. */
const bytesPerSecond = 24 * mib;

export class Lane implements Victims {
  readonly #upstream: CountingUpstream;
  readonly #dir: TempDir;
  readonly #random: Random;
  /** What was being brought in when a process was killed, and has not been asked for since. */
  #orphans: Content[] = [];
  readonly #whole: Content[] = [];

  private constructor(upstream: CountingUpstream, dir: TempDir, random: Random) {
    this.#upstream = upstream;
    this.#dir = dir;
    this.#random = random;
  }

  static async open(random: Random): Promise<Lane> {
    return new Lane(await CountingUpstream.start({ bytesPerSecond }), await TempDir.make(), random);
  }

  /** One life of a server: it serves what its predecessors left, begins something new, and is killed. */
  async kill(moment: Moment, nth: number): Promise<void> {
    const blob = this.#blob(moment, nth);
    await using server = await this.#start(diesAt(moment, blob.size));
    await this.#serveLeft(server);
    await this.#killWhile(server, blob, moment);
    await this.#assertStoreIsSound();
    this.#orphans.push(blob);
  }

  /** A last life in peace, a day later: everything can be had, and nothing that is unfinished is left. */
  async settle(): Promise<void> {
    const forgotten = this.#orphans.splice(0).filter((_, position) => position % 2 === 0);
    {
      await using server = await this.#start();
      for (const blob of this.#whole) await this.#assertServed(server, blob);
      await server.stop();
    }
    this.#sql('UPDATE leases SET expires_at = expires_at - 86400001 * 2');
    await using server = await this.#start();
    await becomes([], () => unfinishedIn(this.#store));
    for (const blob of forgotten) await this.#assertServed(server, blob);
    await server.stop();
    await this.#assertNothingIsLeft();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#upstream[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }

  get #store(): string {
    return this.#dir.join('registry');
  }

  #start(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const upstreams = { 'docker.io': { url: this.#upstream.origin, dial: ['127.0.0.1'] } };
    return startLife({ directory: this.#dir.path, config: { upstreams }, env });
  }

  /** A step is met once; at random a big blob comes in several ranges now and then. */
  #blob(moment: Moment, nth: number): Content {
    const big = moment === 'at random' && this.#random.below(8) === 0;
    const size = big ? 17 * mib + this.#random.below(mib) : 64 * kib + this.#random.below(2 * mib);
    const blob = makeBlob(size, `${this.#random.seed} ${moment} ${nth}`);
    this.#upstream.publishBlob('library/redis', blob);
    return blob;
  }

  /** Most of what was left is asked for by the next process's clients; some is not asked for by anybody for long. */
  async #serveLeft(server: ServerProcess): Promise<void> {
    const left = this.#orphans.splice(0);
    for (const blob of left) {
      if (this.#random.below(4) === 0) {
        this.#orphans.push(blob);
        continue;
      }
      this.#upstream.reset();
      await this.#assertServed(server, blob);
      const { sent } = this.#upstream.blobBytes(blob.digest);
      assert.ok(sent <= blob.size * 1.5 + mib, `${sent} bytes were fetched of a blob of ${blob.size}`);
      this.#whole.push(blob);
    }
  }

  async #assertServed(server: ServerProcess, blob: Content): Promise<void> {
    const url = urlOf(server.origin, blob);
    const client = await drain(url);
    const why = client.status === 200 ? '' : (await get(url)).body.toString();
    assert.equal(client.status, 200, `${why}\n${server.logs.slice(-2_000)}\n${this.#upstream.summary()}`);
    assertWhole(client, blob);
  }

  async #killWhile(server: ServerProcess, blob: Content, moment: Moment): Promise<void> {
    const readers = (): Promise<unknown> => together(4, (position) => this.#read(server, blob, position));
    if (moment === 'at random') {
      const reading = readers();
      await delay(this.#random.below(Math.ceil((blob.size / bytesPerSecond) * 1_300) + 40));
      await server.kill();
      await reading;
      return;
    }
    await arm(server);
    const reading = readers();
    // The last steps come after the last byte: the readers may be done by then.
    await killWhenReached(server, moment);
    await reading;
  }

  /** Whole bodies, a part, and one who leaves early; every byte that comes is looked at. */
  async #read(server: ServerProcess, blob: Content, position: number): Promise<void> {
    const start = position === 1 ? Math.floor(blob.size / 3) : 0;
    const headers = position === 1 ? { range: `bytes=${start}-` } : {};
    try {
      using reading = await open(urlOf(server.origin, blob), { headers });
      let at = start;
      for (;;) {
        const piece = await reading.read(64 * kib);
        assertPiece(piece, blob, at);
        at += piece.length;
        if (position === 2 && at > blob.size / 4) return;
        if (piece.length === 0) return assert.equal(at, blob.size, 'a part was taken for the whole');
      }
    } catch (error) {
      // That is what a kill looks like to a client; anything else is what this is about.
      if (error instanceof assert.AssertionError) throw error;
    }
  }

  /** Every blob in the store is what its digest says, also while a lot of it is unfinished. */
  async #assertStoreIsSound(): Promise<void> {
    await keptIn(this.#store);
  }

  async #assertNothingIsLeft(): Promise<void> {
    assert.deepEqual(await unfinishedIn(this.#store), [], 'no partial file');
    const running = this.#sql("SELECT key FROM leases WHERE released = 0 AND key LIKE 'blob:%'");
    assert.deepEqual(running, [], 'no lease');
    const kept = await keptIn(this.#store);
    const indexed = this.#sql('SELECT lower(hex(digest)) AS digest, size FROM contents WHERE size IS NOT NULL');
    const known = indexed.map(({ digest }) => `sha256:${String(digest).slice(-64)}`).toSorted();
    assert.deepEqual(known, kept.toSorted(), 'what is in the store is in the index, and the other way round');
  }

  /** Straight at the index's file, as nothing of ours would. */
  #sql(statement: string): Record<string, unknown>[] {
    const database = new DatabaseSync(join(this.#store, 'entrepot/index.db'));
    const rows = database.prepare(statement).all();
    database.close();
    return rows.map((row) => ({ ...row }));
  }
}
