/**
 * One volume, served by the real `registry:2` and by this server in turn. Each finds what the other has left, byte for byte,
 * and can go on with it. `npm run volumes`; needs docker-registry, which Debian has.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { access, rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { get } from '../support/client.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import type { Manifest } from '../support/images.ts';
import { freePort } from '../support/ports.ts';
import { ServerProcess } from '../support/processes.ts';
import { pull } from '../support/pull.ts';
import { push } from '../support/push.ts';
import { TempDir } from '../support/temp-dir.ts';

const dockerRegistry = 'docker-registry';
const missing = spawnSync(dockerRegistry, ['--version']).error !== undefined;
const skip = missing ? 'docker-registry is not installed: apt-get install docker-registry' : false;
const run = promisify(execFile);

/** A machine on which two servers take turns. */
class Machine implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #port: number;
  readonly #config: Readonly<Record<string, unknown>>;
  #server: ServerProcess | undefined;

  private constructor(dir: TempDir, port: number, config: Readonly<Record<string, unknown>>) {
    this.#dir = dir;
    this.#port = port;
    this.#config = config;
  }

  static async make(config: Readonly<Record<string, unknown>> = {}): Promise<Machine> {
    const dir = await TempDir.make();
    const storage = { filesystem: { rootdirectory: dir.join('registry') }, delete: { enabled: true } };
    return new Machine(dir, await freePort(), { storage, ...config });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async registry2(): Promise<void> {
    await this.#start({ program: dockerRegistry });
  }

  async entrepot(): Promise<void> {
    await this.#start({});
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** As an operator does it: while nothing runs. */
  async collectGarbage(): Promise<void> {
    await this.stop();
    await run(dockerRegistry, ['garbage-collect', this.#dir.join('entrepot.yml')]);
  }

  async loseIndex(): Promise<void> {
    await this.stop();
    for (const name of ['index.db', 'index.db-wal', 'index.db-shm', 'claims']) {
      await rm(this.#dir.join('registry/entrepot', name), { recursive: true, force: true });
    }
  }

  async rebuild(): Promise<string> {
    await this.stop();
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const { stdout } = await run(process.execPath, [main, 'rebuild', this.#dir.join('entrepot.yml')]);
    return stdout;
  }

  async has(path: string): Promise<boolean> {
    return access(this.#dir.join('registry', path)).then(
      () => true,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#dir[Symbol.asyncDispose]();
  }

  async #start(more: { readonly program?: string }): Promise<void> {
    await this.stop();
    const options = { directory: this.#dir.path, port: this.#port, config: this.#config, ...more };
    this.#server = await ServerProcess.start(options);
  }
}

type Held = Readonly<Record<string, Manifest>>;

/** Everything by its tag and by its digest, with all blobs, byte for byte. */
async function assertServes(at: Machine, held: Held): Promise<void> {
  for (const [image, manifest] of Object.entries(held)) {
    const [repository = '', tag = ''] = image.split(':');
    for (const reference of [tag, manifest.digest]) {
      const url = `${at.origin}/v2/${repository}/manifests/${reference}`;
      const answer = await get(url, { headers: { accept: manifest.mediaType } });
      assert.equal(answer.status, 200, `${image} as ${reference}: ${String(answer.body)}`);
      assert.deepEqual(answer.body, manifest.bytes);
      assert.equal(answer.headers['content-type'], manifest.mediaType);
    }
    await assertWhole(at, repository, manifest);
  }
}

async function assertWhole(at: Machine, repository: string, manifest: Manifest): Promise<void> {
  for (const blob of manifest.blobs) {
    const { status, body } = await get(`${at.origin}/v2/${repository}/blobs/${blob.digest}`);
    assert.equal(status, 200, `${blob.digest} of ${repository}`);
    assert.deepEqual(body, blob.bytes());
  }
  for (const child of manifest.manifests) await assertWhole(at, repository, child);
}

async function pushAll(at: Machine, held: Held): Promise<Held> {
  for (const [image, manifest] of Object.entries(held)) {
    const [repository = '', tag = ''] = image.split(':');
    await push(at.origin, repository, tag, manifest);
  }
  return held;
}

function some(seed: string): Held {
  const docker = makeImage({ seed, mediaTypes: 'docker', layers: [9_000, 200] });
  const oci = makeImage({ seed: `${seed} oci`, layers: [30_000] });
  return {
    [`app:${seed}`]: docker,
    'app:latest': oci,
    [`team/nested/app:${seed}`]: oci,
    [`team/nested/list:${seed}`]: makeIndex(
      [docker, makeImage({ seed, mediaTypes: 'docker', platform: 'linux/s390x' })],
      'docker',
    ),
    [`team/index:${seed}`]: makeIndex([oci]),
  };
}

async function remove(at: Machine, repository: string, digest: string): Promise<void> {
  const { status } = await get(`${at.origin}/v2/${repository}/manifests/${digest}`, { method: 'DELETE' });
  assert.equal(status, 202);
}

describe('a volume', { skip }, () => {
  test('goes from registry:2 to this server, back, and here again, and survives the loss of the index', async () => {
    await using at = await Machine.make();
    await at.registry2();
    let held = await pushAll(at, some('theirs'));

    await at.entrepot();
    await assertServes(at, held);
    held = { ...held, ...(await pushAll(at, some('ours'))) };
    await assertServes(at, held);

    await at.registry2();
    await assertServes(at, held);
    held = { ...held, ...(await pushAll(at, some('theirs-again'))) };
    await assertServes(at, held);

    await at.entrepot();
    await assertServes(at, held);

    await at.loseIndex();
    await at.entrepot();
    await assertServes(at, held);
    assert.match(await at.rebuild(), /^The index was made anew: 4 repositories, /);
    await at.entrepot();
    await assertServes(at, held);
    await at.registry2();
    await assertServes(at, held);
  });

  test('loses in one server what is deleted in the other, garbage collection of registry:2 included', async () => {
    await using at = await Machine.make();
    const [gone, gone2, stays] = ['gone', 'gone2', 'stays'].map((seed) => makeImage({ seed, layers: [5_000] }));
    assert.ok(gone && gone2 && stays);
    await at.entrepot();
    await pushAll(at, { 'app:gone': gone, 'app:gone2': gone2, 'app:stays': stays, 'other:gone': gone });
    await remove(at, 'app', gone.digest);

    await at.registry2();
    assert.equal((await get(`${at.origin}/v2/app/manifests/gone`)).status, 404);
    assert.equal((await get(`${at.origin}/v2/app/manifests/${gone.digest}`)).status, 404);
    await assertServes(at, { 'app:stays': stays, 'app:gone2': gone2, 'other:gone': gone });
    await remove(at, 'app', gone2.digest);
    await at.collectGarbage();

    await at.entrepot();
    for (const reference of ['gone2', gone2.digest]) {
      assert.equal((await get(`${at.origin}/v2/app/manifests/${reference}`)).status, 404);
    }
    for (const { digest } of gone2.blobs) {
      assert.equal((await get(`${at.origin}/v2/app/blobs/${digest}`)).status, 404);
    }
    await assertServes(at, { 'app:stays': stays, 'other:gone': gone });
    await pushAll(at, { 'app:gone2': gone2 });
    await assertServes(at, { 'app:gone2': gone2 });
    const tags = String((await get(`${at.origin}/v2/app/tags/list`)).body);
    assert.deepEqual(JSON.parse(tags).tags, ['gone2', 'stays']);

    await at.registry2();
    await assertServes(at, { 'app:gone2': gone2, 'app:stays': stays, 'other:gone': gone });
  });

  test('of a pull-through registry:2 is a warm cache, with or without the state of its scheduler', async () => {
    await using upstream = await Machine.make();
    await upstream.registry2();
    const held = await pushAll(upstream, some('upstream'));
    await using at = await Machine.make({ proxy: { remoteurl: upstream.origin } });
    await at.registry2();
    for (const image of Object.keys(held)) {
      const [repository = '', tag = ''] = image.split(':');
      await pull(at.origin, repository, tag);
    }
    // It writes that down every few seconds, and not as it ends.
    while (!(await at.has('scheduler-state.json'))) await delay(200);
    await at.entrepot();
    await upstream.stop();
    for (const [image, manifest] of Object.entries(held)) {
      const [repository = '', tag = ''] = image.split(':');
      assert.equal((await pull(at.origin, repository, tag)).digest, manifest.digest, image);
    }
  });
});
