/**
 * Random pushes, tags, deletes, mounts and collections over many repositories: at each step every tagged image can be
 * pulled, and in the end the disk holds what is reachable, and nothing else.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeBlob } from '../support/blobs.ts';
import { get, keepAlive } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { digestOf, makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import type { Manifest } from '../support/images.ts';
import { readLinkTree } from '../support/link-tree.ts';
import { push, pushBlob, putManifest } from '../support/push.ts';
import { HostedModel } from './hosted-model.ts';
import { Random } from './random.ts';
import { overTime } from '../support/over-time.ts';
import { becomes, keptIn } from './world.ts';

/** There is time for thousands in `npm run collection`. */
const steps = Number(process.env['COLLECTION_STEPS'] ?? 60);
const hour = 3_600_000;
const repositories = ['local/a', 'local/b', 'local/c/d', 'e'] as const;
const tags = ['1', '2', 'latest'] as const;
const layers = Array.from({ length: 8 }, (_, nth) => makeBlob(100 + nth, `layer ${nth}`));
const images = Array.from({ length: 10 }, (_, nth) =>
  makeImage({
    seed: nth % 7,
    platform: nth % 2 === 0 ? 'linux/amd64' : 'linux/arm64',
    layers: layers.filter((_layer, at) => (at * 7 + nth * 3) % 4 === 0),
  }),
);
const indexes = [0, 2, 4].map((at) => makeIndex(images.slice(at, at + 3)));
const nested = makeIndex([...indexes.slice(0, 1), ...images.slice(8)]);
const pushable: readonly Manifest[] = [...images, ...indexes, nested];

test(`${steps} random steps lose nothing that is tagged, and leave nothing that is not (distribution#4939)`, () => {
  const random = new Random();
  return random.tell(async () => {
    await using lives = await Lives.start(random);
    for (let step = 0; step < steps; step += 1) await lives.step();
    await lives.end();
  });
});

/** Whatever is lost goes in a collection, or with what was just done to its own repository. */
const collects = (what: string): boolean => what.startsWith('collect') || what === 'sweep';

/** A server and what it should hold, living on at random. */
class Lives implements AsyncDisposable {
  readonly #entrepot: Entrepot;
  readonly #clock: FakeClock;
  readonly #random: Random;
  readonly #model = new HostedModel();
  readonly #did: string[] = [];
  readonly #agent = keepAlive();

  private constructor(entrepot: Entrepot, clock: FakeClock, random: Random) {
    this.#entrepot = entrepot;
    this.#clock = clock;
    this.#random = random;
  }

  static async start(random: Random): Promise<Lives> {
    const clock = new FakeClock();
    const entrepot = await Entrepot.start({ clock, config: { collect: { every: 'forever', grace: '2h' } } });
    await entrepot.until('adoption.progress', ({ state }) => state === 'done', 1);
    return new Lives(entrepot, clock, random);
  }

  async step(): Promise<void> {
    const name = this.#random.pick(repositories);
    const what = this.#random.pick([
      'push',
      'push',
      'push',
      'attach',
      'untag',
      'remove',
      'orphan',
      'mount',
      'wait',
      'collect',
      'collect beside a push',
      'sweep',
    ] as const);
    this.#did.push(`${what} ${name}`);
    try {
      await this.#do(what, name);
      for (const each of collects(what) ? repositories : [name]) await this.#assertPullable(each);
    } catch (error) {
      throw new Error(`${String(error)}; the last steps: ${this.#did.slice(-12).join(', ')}`, { cause: error });
    }
  }

  /** Everything that time and two collections take away is gone, from the store and from the links. */
  async end(): Promise<void> {
    await this.#clock.advance(48 * hour);
    await this.#collect(true);
    await this.#collect(true);
    for (const each of repositories) await this.#assertPullable(each);
    const links = async (): Promise<object> => {
      await this.#clock.advance(1_000);
      return readLinkTree(this.#entrepot.storeDirectory);
    };
    await becomes<object>(this.#model.links(), links);
    assert.deepEqual(await keptIn(this.#entrepot.storeDirectory), this.#model.reachable());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent[Symbol.dispose]();
    await this.#entrepot[Symbol.asyncDispose]();
  }

  async #do(what: string, name: string): Promise<void> {
    switch (what) {
      case 'push':
        return this.#push(name);
      case 'attach':
        return this.#attach(name);
      case 'untag':
        return this.#untag(name);
      case 'remove':
        return this.#remove(name);
      case 'orphan':
        return overTime(this.#clock, pushBlob(this.#url(name), makeBlob(90, `orphan ${this.#random.below(20)}`)), 20);
      case 'mount':
        return this.#mount(name);
      case 'wait':
        return this.#clock.advance(this.#random.below(3 * hour));
      case 'collect':
        return this.#collect(false);
      case 'collect beside a push':
        await Promise.all([this.#collect(false), this.#push(name)]);
        return;
      default:
        return this.#collect(true);
    }
  }

  /** It may have to wait for a blob that is being deleted just now. */
  async #push(name: string): Promise<void> {
    const manifest = this.#random.pick(pushable as [Manifest]);
    const tag = this.#random.pick(tags);
    await overTime(this.#clock, push(this.#entrepot.origin, name, tag, manifest), 20);
    this.#model.repository(name).put(manifest, tag);
  }

  async #attach(name: string): Promise<void> {
    const [subject] = this.#among(this.#model.repository(name).manifests);
    if (subject === undefined) return;
    const artifact = makeArtifact({ subject, seed: this.#random.below(3), size: 80 });
    await overTime(this.#clock, push(this.#entrepot.origin, name, artifact.digest, artifact), 20);
    this.#model.repository(name).put(artifact);
  }

  async #untag(name: string): Promise<void> {
    const repository = this.#model.repository(name);
    const [tag] = this.#among([...repository.tags.keys()]);
    if (tag === undefined) return;
    await this.#delete(`${this.#url(name)}/manifests/${tag}`);
    repository.untag(tag);
  }

  async #remove(name: string): Promise<void> {
    const repository = this.#model.repository(name);
    const [manifest] = this.#among(repository.manifests.filter((each) => !repository.isListed(each)));
    if (manifest === undefined) return;
    await this.#delete(`${this.#url(name)}/manifests/${manifest.digest}`);
    repository.remove(manifest);
  }

  /** All blobs of an image come from another repository; then its manifest. */
  async #mount(name: string): Promise<void> {
    const from = this.#random.pick(repositories);
    const [image] = this.#among(
      this.#model.repository(from).manifests.filter(({ manifests }) => manifests.length === 0),
    );
    if (image === undefined || image.subject !== undefined) return;
    for (const { digest } of image.blobs) {
      const url = `${this.#url(name)}/blobs/uploads/?mount=${digest}&from=${from}`;
      assert.equal((await overTime(this.#clock, get(url, { method: 'POST' }), 20)).status, 201, `mount from ${from}`);
    }
    const tag = this.#random.pick(tags);
    assert.equal((await overTime(this.#clock, putManifest(this.#url(name), tag, image), 20)).status, 201);
    this.#model.repository(name).put(image, tag);
  }

  async #collect(untagged: boolean): Promise<void> {
    const asked = this.#entrepot.admin('POST /v1/gc', untagged ? { untagged: 'true' } : {});
    const { body } = await overTime(this.#clock, asked, 20);
    assert.match(body.toString().trim().split('\n').at(-1) ?? '', /"type":"done"/);
    if (untagged) for (const each of repositories) this.#model.repository(each).sweep();
  }

  async #assertPullable(name: string): Promise<void> {
    const repository = this.#model.repository(name);
    for (const [tag, manifest] of repository.tags) await this.#assertManifest(name, tag, manifest);
    for (const manifest of repository.reachable()) {
      await this.#assertManifest(name, manifest.digest, manifest);
      for (const { digest, size } of manifest.blobs) {
        const answer = await get(`${this.#url(name)}/blobs/${digest}`, { agent: this.#agent });
        assert.deepEqual([answer.status, answer.body.length], [200, size], `${name}: blob ${digest}`);
        assert.equal(digestOf([answer.body]), digest);
      }
    }
  }

  async #assertManifest(name: string, reference: string, manifest: Manifest): Promise<void> {
    const answer = await get(`${this.#url(name)}/manifests/${reference}`, { agent: this.#agent });
    assert.equal(answer.status, 200, `${name}: manifest ${reference}`);
    assert.equal(digestOf([answer.body]), manifest.digest, `${name}: manifest ${reference}`);
  }

  async #delete(url: string): Promise<void> {
    const answer = await get(url, { method: 'DELETE' });
    assert.equal(answer.status, 202, answer.body.toString());
  }

  /** One of them; none of none. */
  #among<T>(list: readonly T[]): readonly T[] {
    const at = this.#random.below(list.length);
    return list.slice(at, at + 1);
  }

  #url(name: string): string {
    return `${this.#entrepot.origin}/v2/${name}`;
  }
}
