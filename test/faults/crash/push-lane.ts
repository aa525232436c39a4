/**
 * One store, and one server process after another over it, each killed (SIGKILL) in the middle of a push or of a deletion.
 * What is promised, and looked at after every kill: what was acknowledged is whole, or gone for good; what was not can be
 * repeated; and in the end, the time of grace and a collection later, nothing is left behind.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { get } from '../../support/client.ts';
import type { Content } from '../../support/images.ts';
import { makeImage } from '../../support/images.ts';
import type { Image } from '../../support/images.ts';
import type { ServerProcess } from '../../support/processes.ts';
import { locationOf, putManifest, withDigest } from '../../support/push.ts';
import { readLinkTree } from '../../support/link-tree.ts';
import { TempDir } from '../../support/temp-dir.ts';
import type { Random } from '../random.ts';
import { HostedModel } from '../hosted-model.ts';
import { becomes, keptIn, kib, mib, unfinishedIn } from '../world.ts';
import { age, collectAll, collectConfig } from './collecting.ts';
import type { Victims } from './kills.ts';
import { arm, diesAt, killWhenReached, startLife } from './life.ts';
import type { Moment } from './step-names.ts';

const repository = 'local/app';
/** How many of those that are there are looked at in each life; all are, in the end. */
const lookedAtMax = 4;

/** What is known of an image from the answers that its client got. */
interface Pushed {
  readonly tag: string;
  readonly image: Image;
  /** Blobs that were acknowledged. */
  readonly blobs: Set<Content>;
  state: 'coming' | 'there' | 'going' | 'gone';
}

export class PushLane implements Victims {
  readonly #dir: TempDir;
  readonly #random: Random;
  readonly #all: Pushed[] = [];

  private constructor(dir: TempDir, random: Random) {
    this.#dir = dir;
    this.#random = random;
  }

  static async open(random: Random): Promise<PushLane> {
    return new PushLane(await TempDir.make(), random);
  }

  async kill(moment: Moment, nth: number): Promise<void> {
    const deletes = moment.includes('deleted') || (moment === 'at random' && this.#random.below(4) === 0);
    const next = this.#next(moment, nth);
    const [layer] = next.image.layers;
    await using server = await this.#start(diesAt(moment, layer?.size ?? 0));
    await this.#look(server);
    if (deletes) await this.#push(server, next);
    if (moment !== 'at random') await arm(server);
    const act = (deletes ? this.#delete(server, next) : this.#push(server, next)).catch(onlyBroken);
    if (moment === 'at random') {
      await delay(this.#random.below(60));
      await server.kill();
    } else {
      await killWhenReached(server, moment);
    }
    await act;
    await keptIn(this.#store);
  }

  async settle(): Promise<void> {
    {
      await using server = await this.#start();
      for (const each of this.#all) await this.#finish(server, each);
      for (const each of this.#all) await this.#assertAsKnown(server, each);
      await server.stop();
    }
    this.#sql('UPDATE uploads SET touched_at = touched_at - 86400001 * 2');
    await using server = await this.#start();
    await becomes([], () => unfinishedIn(this.#store));
    age(this.#store);
    await collectAll(this.#dir);
    for (const each of this.#all) await this.#assertAsKnown(server, each);
    await server.stop();
    await this.#assertNothingIsLeft();
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

  #next(moment: Moment, nth: number): Pushed {
    const size = 64 * kib + this.#random.below(mib);
    const image = makeImage({ seed: `${this.#random.seed} ${moment} ${nth}`, layers: [size] });
    const next: Pushed = { tag: `t${nth}`, image, blobs: new Set(), state: 'coming' };
    this.#all.push(next);
    return next;
  }

  /** Those of the last life, some of the others; most of what was broken off is repeated, the rest later. */
  async #look(server: ServerProcess): Promise<void> {
    const open = this.#all.filter(({ state, blobs }) => state === 'going' || (state === 'coming' && blobs.size > 0));
    for (const each of open) if (this.#random.below(4) > 0) await this.#finish(server, each);
    for (const each of this.#all.slice(-2 - lookedAtMax)) await this.#assertAsKnown(server, each);
  }

  async #finish(server: ServerProcess, pushed: Pushed): Promise<void> {
    if (pushed.state === 'coming') await this.#push(server, pushed);
    if (pushed.state === 'going') await this.#delete(server, pushed);
  }

  /** As containerd does, what was acknowledged noted answer by answer. */
  async #push(server: ServerProcess, pushed: Pushed): Promise<void> {
    const url = `${server.origin}/v2/${repository}`;
    const { image, tag, blobs } = pushed;
    for (const blob of [...image.layers, image.config]) {
      const started = await get(`${url}/blobs/uploads/`, { method: 'POST' });
      assert.equal(started.status, 202, started.body.toString());
      const location = withDigest(locationOf(url, started), blob.digest);
      const put = await get(location, { method: 'PUT', body: blob.bytes() });
      assert.equal(put.status, 201, put.body.toString());
      blobs.add(blob);
    }
    const put = await putManifest(url, tag, image);
    assert.equal(put.status, 201, put.body.toString());
    pushed.state = 'there';
  }

  /** The manifest with its tag, then its blobs. */
  async #delete(server: ServerProcess, pushed: Pushed): Promise<void> {
    const url = `${server.origin}/v2/${repository}`;
    const { image, blobs } = pushed;
    pushed.state = 'going';
    for (const path of [`manifests/${image.digest}`, ...image.blobs.map(({ digest }) => `blobs/${digest}`)]) {
      if (path.startsWith('blobs/')) for (const blob of blobs) if (path.endsWith(blob.digest)) blobs.delete(blob);
      const { status, body } = await get(`${url}/${path}`, { method: 'DELETE' });
      assert.ok(status === 202 || status === 404, body.toString());
    }
    pushed.state = 'gone';
  }

  async #assertAsKnown(server: ServerProcess, { image, tag, blobs, state }: Pushed): Promise<void> {
    const url = `${server.origin}/v2/${repository}`;
    for (const blob of blobs) {
      const { status, body } = await get(`${url}/blobs/${blob.digest}`);
      assert.equal(status, 200, `an acknowledged blob: ${body.toString().slice(0, 300)}`);
      assert.ok(body.equals(blob.bytes()), 'an acknowledged blob has other bytes');
    }
    if (state !== 'there' && state !== 'gone') return;
    for (const reference of [tag, image.digest]) {
      const { status, body } = await get(`${url}/manifests/${reference}`);
      assert.equal(status, state === 'there' ? 200 : 404, `${reference} is ${state}`);
      if (state === 'there') assert.ok(body.equals(image.bytes));
    }
    if (state === 'gone') {
      for (const { digest } of image.blobs) assert.equal((await get(`${url}/blobs/${digest}`)).status, 404);
    }
  }

  async #assertNothingIsLeft(): Promise<void> {
    assert.deepEqual(await unfinishedIn(this.#store), [], 'no partial file');
    assert.deepEqual(this.#sql('SELECT id FROM uploads'), [], 'no upload');
    assert.deepEqual(this.#sql("SELECT key FROM leases WHERE released = 0 AND key LIKE 'settle:%'"), [], 'no lease');
    const model = new HostedModel();
    for (const { state, image, tag } of this.#all) if (state === 'there') model.repository(repository).put(image, tag);
    assert.deepEqual(await readLinkTree(this.#store), model.links());
    assert.deepEqual(await keptIn(this.#store), model.reachable());
    const indexed = this.#sql('SELECT lower(hex(digest)) AS digest FROM contents WHERE size IS NOT NULL');
    const known = indexed.map(({ digest }) => `sha256:${String(digest).slice(-64)}`).toSorted();
    assert.deepEqual(known, model.reachable());
  }

  /** Straight at the index's file, as nothing of ours would. */
  #sql(statement: string): Record<string, unknown>[] {
    const database = new DatabaseSync(join(this.#store, 'entrepot/index.db'));
    const rows = database.prepare(statement).all();
    database.close();
    return rows.map((row) => ({ ...row }));
  }
}

/** That is what a kill looks like to a client; anything else is what this is about. */
function onlyBroken(error: unknown): void {
  if (error instanceof assert.AssertionError) throw error;
}
