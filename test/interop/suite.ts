import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Lab } from './lab/lab.ts';
import type { ImageName } from './lab/lab.ts';
import { labEnvironment } from './lab/environment.ts';
import type { LabEnvironment } from './lab/environment.ts';
import { Machine } from './lab/machine.ts';
import type { Suite } from './lab/machine.ts';
import type { Daemon } from './lab/process.ts';
import { startServer } from './lab/server.ts';
import { assertFetchedOnce, assertNoneSucceeded, assertNothingFetched } from './traffic.ts';

/** A real client that is set up to use the cache. */
export interface ClientKind {
  readonly name: string;
  readonly suite: Suite;
  /** The programs that it needs. */
  readonly programs: readonly string[];
  /** Prints what the tests ran with. */
  readonly versionCommand: readonly string[];
  /** A tiny image, one for two platforms, and a big one; which door they come through is the client's matter. */
  readonly images: readonly ImageName[];
  /** Sets up a client that holds nothing yet; `directory` is empty and its own. */
  open(machine: Machine, directory: string): Promise<Client>;
}

export interface Client extends AsyncDisposable {
  /** Resolves when the client has the whole image; it verifies digests itself. */
  pull(image: ImageName): Promise<void>;
}

/** Three times over, with a client that holds nothing: cold, warm, and warm with the upstream gone. */
export function pullsThroughTheCache(kind: ClientKind): void {
  const environment = labEnvironment();
  const obstacle = environment === undefined ? 'not in the lab: run `npm run interop`' : reason(environment, kind);
  if (environment === undefined || obstacle !== undefined) {
    test(kind.name, { skip: obstacle ?? false }, () => undefined);
    return;
  }
  describe(kind.name, () => {
    const stage = new Stage(environment, kind);
    before(() => stage.open());
    after(() => stage.close());

    test('runs here', async (t) => t.diagnostic(await stage.version()));

    describe('cold', () => {
      before(() => stage.freshClient());
      for (const image of kind.images) {
        test(`pulls ${nameOf(image)}, and the upstream sends everything once`, async () => {
          assertFetchedOnce(await stage.pull(image), stage.lab.facts(image));
        });
      }
    });

    describe('warm', () => {
      before(() => stage.freshClient());
      for (const image of kind.images) {
        test(`pulls ${nameOf(image)}, and the upstream sends no content`, async () => {
          assertNothingFetched(await stage.pull(image));
        });
      }
    });

    describe('warm, with every tag due and the upstream gone', () => {
      before(async () => {
        await stage.upstreamGone();
        await stage.freshClient();
      });
      for (const image of kind.images) {
        test(`pulls ${nameOf(image)}`, async () => {
          assertNoneSucceeded(await stage.pull(image));
        });
      }
    });
  });
}

/** What the tests of one client share: the lab, the server under test, and the client of the moment. */
class Stage {
  readonly #environment: LabEnvironment;
  readonly #kind: ClientKind;
  readonly #machine: Machine;
  #lab: Lab | undefined;
  #server: Daemon | undefined;
  #client: Client | undefined;
  #directory: string | undefined;

  constructor(environment: LabEnvironment, kind: ClientKind) {
    this.#environment = environment;
    this.#kind = kind;
    this.#machine = new Machine(environment, kind.suite);
  }

  get lab(): Lab {
    if (this.#lab === undefined) throw new Error('the lab is not open');
    return this.#lab;
  }

  async open(): Promise<void> {
    this.#lab = await Lab.open();
    this.#server = await this.#serve('1h');
  }

  async version(): Promise<string> {
    return (await this.#machine.run(this.#kind.versionCommand)).trim();
  }

  async freshClient(): Promise<void> {
    await this.#dropClient();
    this.#directory = await this.#machine.directory('client');
    this.#client = await this.#kind.open(this.#machine, this.#directory);
  }

  /** The server starts anew without a network, and has to ask for every tag. */
  async upstreamGone(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.lab.internet.unplug();
    this.#server = await this.#serve('0s');
  }

  /** Pulls, and returns what the upstream saw of it. */
  async pull(image: ImageName) {
    if (this.#client === undefined) throw new Error('there is no client');
    const { log } = this.lab.internet;
    const mark = log.mark();
    try {
      await this.#client.pull(image);
    } catch (error) {
      throw new Error(`${String(error)}\nThe server's log ends:\n${await this.#server?.logTail()}`, { cause: error });
    }
    await log.idle(10_000);
    return log.since(mark);
  }

  async close(): Promise<void> {
    await this.#dropClient();
    await this.#server?.[Symbol.asyncDispose]();
    await this.#lab?.[Symbol.asyncDispose]();
    await rm(`${this.#environment.work}/server`, { recursive: true, force: true });
  }

  async #serve(freshness: string): Promise<Daemon> {
    return startServer(this.#environment, { storage: this.#kind.name.replaceAll(/\W+/g, '-'), freshness });
  }

  async #dropClient(): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    this.#client = undefined;
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }
}

function reason(environment: LabEnvironment, kind: ClientKind): string | undefined {
  return new Machine(environment, kind.suite).lacks(kind.programs);
}

function nameOf({ registry, repository }: ImageName): string {
  return `${registry}/${repository}`;
}
