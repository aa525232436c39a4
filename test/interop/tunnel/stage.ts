import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { get } from '../../support/client.ts';
import { NameServer } from '../../faults/name-server.ts';
import { address } from '../internet/internet.ts';
import type { LoggedRequest } from '../internet/log.ts';
import { sites } from '../internet/sites.ts';
import type { LabEnvironment } from '../lab/environment.ts';
import { Lab } from '../lab/lab.ts';
import { Machine } from '../lab/machine.ts';
import type { Daemon } from '../lab/process.ts';
import { cacheAuthority, ledHosts, startServer, storageOf } from '../lab/server.ts';
import { makeArchive } from './archive.ts';
import type { OpenClient, TunnelClient } from './clients.ts';

/** Of the private image's registry. */
const passwords = { alice: 'secret', bob: 'bobs-secret', carol: 'carols-secret' } as const;
export type User = keyof typeof passwords;
export const hidden = 'docker.io/private/tiny:latest';

/** How a registry's name leads to the cache. */
export type Way = 'tunnel' | 'names';

/** What the tests of one client share. */
export class Stage {
  readonly #environment: LabEnvironment;
  readonly #kind: TunnelClient;
  readonly #way: Way;
  readonly #resources = new AsyncDisposableStack();
  #lab: Lab | undefined;
  #server: Daemon | undefined;
  #client: OpenClient | undefined;

  constructor(at: LabEnvironment, kind: TunnelClient, way: Way) {
    this.#way = way;
    this.#environment = at;
    this.#kind = kind;
  }

  /** Of all stages of a run; short, since dockerd makes sockets in a directory of that name. */
  get id(): string {
    return `${this.#way === 'names' ? 'n' : 't'}-${this.#kind.id}`;
  }

  get #directory(): string {
    return join(this.#environment.work, this.id);
  }

  get internet(): Lab['internet'] {
    assert.ok(this.#lab);
    return this.#lab.internet;
  }

  async open(): Promise<void> {
    this.#lab = this.#resources.use(await Lab.open());
    this.#server = this.#resources.use(await this.#serve());
    this.#client = this.#resources.use(await this.#kind.open(await this.#machine(), this.#directory));
  }

  async close(): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async logIn(user: User | undefined): Promise<void> {
    assert.ok(this.#client);
    if (user === undefined) await this.#client.logout();
    else await this.#client.login(user, passwords[user]);
  }

  /** What the registries see of a pull over plain HTTP; `undefined` of a client that cannot be told to. */
  async pullsPlainly(name: string): Promise<readonly LoggedRequest[] | undefined> {
    const pull = this.#client?.pullPlainly?.bind(this.#client);
    return pull === undefined ? undefined : await this.seenOf(() => pull(name));
  }

  /** What the registries see of what fails for somebody. */
  async seenOfRefused(act: (client: OpenClient) => Promise<void>, refusal: RegExp): Promise<readonly LoggedRequest[]> {
    return await this.seenOf((client) => assert.rejects(act(client), refusal));
  }

  /** An archive of an image of its own by that name. */
  async archive(name: string, version: string): Promise<string> {
    return await makeArchive(join(this.#directory, `archive-${version}`), name);
  }

  /** Whether the server under test has the blob in its store. */
  holds(digest: string): boolean {
    const hex = digest.slice('sha256:'.length);
    return existsSync(
      join(storageOf(this.#environment, this.id), 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data'),
    );
  }

  /** What the registries see of a pull of the private image by one of their users, or by nobody. */
  async pullAs(user: User | undefined): Promise<readonly LoggedRequest[]> {
    await this.logIn(user);
    return await this.seenOf((client) => client.pull(hidden));
  }

  async #serve(): Promise<Daemon> {
    const options = { storage: this.id, freshness: '1h' };
    if (this.#way === 'tunnel') return await startServer(this.#environment, options);
    const places = Object.fromEntries(Object.keys(sites).map((name) => [name, [[address]]]));
    const names = this.#resources.use(await NameServer.start(places));
    return await startServer(this.#environment, { ...options, nameServer: names.address });
  }

  /** Trusts the authority that intercepts, and no other: whatever it reaches, it reaches through here. */
  async #machine(): Promise<Machine> {
    const etc = join(this.#directory, 'etc');
    for (const folder of ['ssl/certs', 'containers']) await mkdir(join(etc, folder), { recursive: true });
    const { body } = await get(`http://${cacheAuthority}/ca.crt?ca=interception`);
    await writeFile(join(etc, 'ssl/certs/ca-certificates.crt'), body);
    const [run, graph] = [join(this.#directory, 'run'), join(this.#directory, 'root')];
    const storage = `[storage]\ndriver = "overlay"\nrunroot = "${run}"\ngraphroot = "${graph}"\n`;
    await writeFile(join(etc, 'containers/storage.conf'), storage);
    if (this.#way === 'names') await copyFile(await ledHosts(this.#environment), join(etc, 'hosts'));
    const setting: Record<string, string> = this.#way === 'tunnel' ? { HTTPS_PROXY: `http://${cacheAuthority}` } : {};
    return new Machine(this.#environment, this.#kind.suite, etc, setting);
  }

  async seenOf(act: (client: OpenClient) => Promise<void>): Promise<readonly LoggedRequest[]> {
    assert.ok(this.#client);
    const { log } = this.internet;
    const mark = log.mark();
    try {
      await act(this.#client);
    } catch (error) {
      throw new Error(`${String(error)}\nThe server's log ends:\n${await this.#server?.logTail()}`, { cause: error });
    }
    await log.idle(10_000);
    return log.since(mark);
  }
}
