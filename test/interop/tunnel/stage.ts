import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { get } from '../../support/client.ts';
import type { LoggedRequest } from '../internet/log.ts';
import type { LabEnvironment } from '../lab/environment.ts';
import { Lab } from '../lab/lab.ts';
import { Machine } from '../lab/machine.ts';
import type { Daemon } from '../lab/process.ts';
import { cacheAuthority, startServer } from '../lab/server.ts';
import type { OpenClient, TunnelClient } from './clients.ts';

/** Of the private image's registry. */
const passwords = { alice: 'secret', bob: 'bobs-secret', carol: 'carols-secret' } as const;
export type User = keyof typeof passwords;
export const hidden = 'docker.io/private/tiny:latest';

/** What the tests of one client share. */
export class Stage {
  readonly #environment: LabEnvironment;
  readonly #kind: TunnelClient;
  readonly #resources = new AsyncDisposableStack();
  #lab: Lab | undefined;
  #server: Daemon | undefined;
  #client: OpenClient | undefined;

  constructor(at: LabEnvironment, kind: TunnelClient) {
    this.#environment = at;
    this.#kind = kind;
  }

  get internet(): Lab['internet'] {
    assert.ok(this.#lab);
    return this.#lab.internet;
  }

  async open(): Promise<void> {
    const { work } = this.#environment;
    const { suite, id } = this.#kind;
    this.#lab = this.#resources.use(await Lab.open());
    const storage = `tunnel-${id}`;
    this.#server = this.#resources.use(await startServer(this.#environment, { storage, freshness: '1h' }));
    // Short: dockerd makes sockets in there.
    const directory = join(work, `t-${id}`);
    const etc = join(directory, 'etc');
    await mkdir(join(etc, 'ssl/certs'), { recursive: true });
    await mkdir(join(etc, 'containers'), { recursive: true });
    // The authority that intercepts, and no other: whatever the client reaches, it reaches through here.
    const { body } = await get(`http://${cacheAuthority}/ca.crt?ca=interception`);
    await writeFile(join(etc, 'ssl/certs/ca-certificates.crt'), body);
    const storageConf = `[storage]\ndriver = "overlay"\nrunroot = "${directory}/run"\ngraphroot = "${directory}/root"\n`;
    await writeFile(join(etc, 'containers/storage.conf'), storageConf);
    const machine = new Machine(this.#environment, suite, etc);
    this.#client = this.#resources.use(await this.#kind.open(machine, directory));
  }

  async close(): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async logIn(user: User | undefined): Promise<void> {
    assert.ok(this.#client);
    if (user === undefined) await this.#client.logout();
    else await this.#client.login(user, passwords[user]);
  }

  /** What the registries see of a pull of the private image by one of their users, or by nobody. */
  async pullAs(user: User | undefined): Promise<readonly LoggedRequest[]> {
    await this.logIn(user);
    return await this.seenOf((client) => client.pull(hidden));
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
