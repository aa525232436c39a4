/**
 * One store, and one server process after another over it, each killed (SIGKILL) in the middle of a collection, with a
 * push beside it now and then. What is promised: what a manifest refers to is whole after every kill, what was acknowledged
 * meanwhile as well; and in the end what nothing refers to is gone.
 */
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { makeBlob } from '../../support/blobs.ts';
import { get } from '../../support/client.ts';
import { makeImage } from '../../support/images.ts';
import type { Image } from '../../support/images.ts';
import type { ServerProcess } from '../../support/processes.ts';
import { pull } from '../../support/pull.ts';
import { push, pushBlob } from '../../support/push.ts';
import { TempDir } from '../../support/temp-dir.ts';
import type { Random } from '../random.ts';
import { becomes, keptIn } from '../world.ts';
import type { Victims } from './kills.ts';
import { arm, diesAt, killWhenReached, startLife } from './life.ts';
import type { Moment } from './step-names.ts';

const repository = 'local/app';
/** More than what was touched is written down to. In milliseconds. */
const longAgo = 10 * 60_000;
/** Shared by all images: it must outlive any of them. */
const base = makeBlob(70_000, 'base');

export class CollectLane implements Victims {
  readonly #dir: TempDir;
  readonly #random: Random;
  readonly #kept = new Map<string, Image>();
  /** Tags of pushes that were not acknowledged. */
  readonly #coming = new Set<string>();

  private constructor(dir: TempDir, random: Random) {
    this.#dir = dir;
    this.#random = random;
  }

  static async open(random: Random): Promise<CollectLane> {
    return new CollectLane(await TempDir.make(), random);
  }

  async kill(moment: Moment, nth: number): Promise<void> {
    await this.#litter(nth);
    await using server = await this.#start(diesAt(moment, 0));
    const beside = this.#random.below(2) === 0 ? this.#push(server, `beside-${nth}`) : undefined;
    if (moment !== 'at random') await arm(server);
    const ended = Promise.allSettled([this.#collectOn(), beside]);
    if (moment === 'at random') {
      await delay(this.#random.below(60));
      await server.kill();
    } else {
      await killWhenReached(server, moment);
    }
    await ended;
    await keptIn(this.#store);
  }

  async settle(): Promise<void> {
    this.#age();
    await using server = await this.#start();
    await this.#look(server);
    for (const tag of this.#coming) await this.#push(server, tag);
    await becomes<number | undefined>(0, () => this.#collect(), 30_000);
    await this.#look(server);
    await server.stop();
    const images = [...this.#kept.values()];
    const digests = images.flatMap(({ digest, blobs }) => [digest, ...blobs.map((blob) => blob.digest)]);
    assert.deepEqual(await keptIn(this.#store), [...new Set(digests)].toSorted());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }

  get #store(): string {
    return this.#dir.join('registry');
  }

  get #socket(): string {
    return this.#dir.join('admin.sock');
  }

  #start(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const config = {
      hosted: { names: ['local/**'] },
      storage: { filesystem: { rootdirectory: this.#store }, delete: { enabled: true } },
      collect: { grace: '0s', every: 'forever' },
      admin: { socket: this.#socket },
    };
    return startLife({ directory: this.#dir.path, config, env });
  }

  /** A life in peace that leaves work: an image that stays, one that was deleted, and a blob of nobody; all of it old. */
  async #litter(nth: number): Promise<void> {
    {
      await using server = await this.#start();
      await this.#look(server);
      await this.#push(server, `kept-${nth}`);
      const gone = await this.#push(server, `gone-${nth}`);
      this.#kept.delete(`gone-${nth}`);
      const url = `${server.origin}/v2/${repository}`;
      assert.equal((await get(`${url}/manifests/${gone.digest}`, { method: 'DELETE' })).status, 202);
      await pushBlob(url, makeBlob(5_000, `nobody's ${nth}`));
      await server.stop();
    }
    this.#age();
  }

  async #push(server: ServerProcess, tag: string): Promise<Image> {
    const image = makeImage({ seed: `${this.#random.seed} ${tag}`, layers: [base, 20_000] });
    this.#coming.add(tag);
    await push(server.origin, repository, tag, image);
    this.#coming.delete(tag);
    this.#kept.set(tag, image);
    return image;
  }

  async #look(server: ServerProcess): Promise<void> {
    for (const [tag, { digest }] of this.#kept) {
      assert.equal((await pull(server.origin, repository, tag)).digest, digest);
    }
  }

  /** Until the server is killed: what an upload beside it keeps goes once that has ended. */
  async #collectOn(): Promise<never> {
    for (;;) await this.#collect();
  }

  /** How much went; undefined while the volume is still being read. */
  async #collect(): Promise<number | undefined> {
    const agent = new Agent({ socketPath: this.#socket } as object);
    const { body } = await get('http://admin/v1/gc', { method: 'POST', agent });
    const last = JSON.parse(body.toString().trim().split('\n').at(-1) ?? '') as Partial<Gone>;
    return last.blobs === undefined ? undefined : last.blobs + (last.freedBytes ?? 0);
  }

  /** Straight at the index's file, as nothing of ours would. */
  #age(): void {
    const database = new DatabaseSync(join(this.#store, 'entrepot/index.db'));
    database.exec(`UPDATE members SET added_at = added_at - ${longAgo}`);
    database.exec(`UPDATE uploads SET touched_at = touched_at - ${longAgo}`);
    database.close();
  }
}

interface Gone {
  readonly blobs: number;
  readonly freedBytes: number;
}
