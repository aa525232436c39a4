/**
 * One store, and one server process after another over it, each killed (SIGKILL) in the middle of a collection, with a
 * push beside it now and then. What is promised: what a manifest refers to is whole after every kill, what was acknowledged
 * meanwhile as well; and in the end the store and the links hold what can be reached, and nothing else.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { makeBlob } from '../../support/blobs.ts';
import { get } from '../../support/client.ts';
import { makeImage } from '../../support/images.ts';
import type { Image } from '../../support/images.ts';
import type { ServerProcess } from '../../support/processes.ts';
import { readLinkTree } from '../../support/link-tree.ts';
import { pull } from '../../support/pull.ts';
import { push, pushBlob } from '../../support/push.ts';
import { TempDir } from '../../support/temp-dir.ts';
import type { Random } from '../random.ts';
import { HostedModel } from '../hosted-model.ts';
import { keptIn } from '../world.ts';
import { age, collect, collectAll, collectConfig } from './collecting.ts';
import type { Victims } from './kills.ts';
import { arm, diesAt, killWhenReached, startLife } from './life.ts';
import type { Moment } from './step-names.ts';

const repository = 'local/app';
/** How many of those that stay are looked at in each life; all are, in the end. */
const lookedAtMax = 3;
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
    await using server = await this.#start(diesAt(moment, 0));
    await this.#look(server, [...this.#kept].slice(-lookedAtMax));
    await this.#litter(server, nth);
    age(this.#store);
    if (moment !== 'at random') await arm(server);
    const beside = this.#random.below(2) === 0 ? this.#push(server, `beside-${nth}`) : undefined;
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

  /** The last start, then the time of grace, then a collection. */
  async settle(): Promise<void> {
    await using server = await this.#start();
    await this.#look(server, [...this.#kept]);
    for (const tag of this.#coming) await this.#push(server, tag);
    await collectAll(this.#dir);
    age(this.#store);
    await collectAll(this.#dir);
    await this.#look(server, [...this.#kept]);
    await server.stop();
    const model = new HostedModel();
    for (const [tag, image] of this.#kept) model.repository(repository).put(image, tag);
    assert.deepEqual(await readLinkTree(this.#store), model.links());
    assert.deepEqual(await keptIn(this.#store), model.reachable());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }

  get #store(): string {
    return this.#dir.join('registry');
  }

  #start(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    return startLife({ directory: this.#dir.path, config: collectConfig(this.#dir), env });
  }

  /** Work for a collection: an image that stays, one that was deleted, and a blob that nothing refers to. */
  async #litter(server: ServerProcess, nth: number): Promise<void> {
    await this.#push(server, `kept-${nth}`);
    const gone = await this.#push(server, `gone-${nth}`);
    this.#kept.delete(`gone-${nth}`);
    const url = `${server.origin}/v2/${repository}`;
    assert.equal((await get(`${url}/manifests/${gone.digest}`, { method: 'DELETE' })).status, 202);
    await pushBlob(url, makeBlob(5_000, `nobody's ${nth}`));
  }

  async #push(server: ServerProcess, tag: string): Promise<Image> {
    const image = makeImage({ seed: `${this.#random.seed} ${tag}`, layers: [base, 20_000] });
    this.#coming.add(tag);
    await push(server.origin, repository, tag, image);
    this.#coming.delete(tag);
    this.#kept.set(tag, image);
    return image;
  }

  async #look(server: ServerProcess, those: readonly (readonly [tag: string, image: Image])[]): Promise<void> {
    for (const [tag, { digest }] of those) {
      assert.equal((await pull(server.origin, repository, tag)).digest, digest);
    }
  }

  /** Until the server is killed: what an upload beside it keeps goes once that has ended. */
  async #collectOn(): Promise<never> {
    for (;;) {
      await collect(this.#dir);
      await delay(5);
    }
  }
}
