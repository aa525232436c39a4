import { setTimeout as delay } from 'node:timers/promises';
import { listens } from '../lab/ready.ts';
import { cacheHost } from '../lab/server.ts';

/** Runs a command of docker's; resolves with what it printed. */
export interface Docker {
  (...words: readonly string[]): Promise<string>;
  withErrors(...words: readonly string[]): Promise<string>;
}

const startMsMax = 60_000;
const healthyMsMax = 60_000;

/** A container on the lab's own network: there is no bridge to be had. */
export class Container implements AsyncDisposable {
  readonly #docker: Docker;
  readonly #id: string;

  private constructor(docker: Docker, id: string) {
    this.#docker = docker;
    this.#id = id;
  }

  /** Resolves when something listens on the port; rejects with what the container has said. */
  static async start(docker: Docker, words: readonly string[], port: number): Promise<Container> {
    const id = (await docker('run', '--detach', '--network=host', ...words)).trim();
    const container = new Container(docker, id);
    const ready = (): Promise<boolean> => listens({ host: cacheHost, port });
    if (await becomes(ready, startMsMax)) return container;
    const logs = await container.#logs();
    await container[Symbol.asyncDispose]();
    throw new Error(`nothing listens on port ${port}:\n${logs}`);
  }

  /** Docker's own verdict, from the image's health check. */
  async healthy(): Promise<void> {
    const format = '{{.State.Health.Status}}';
    const isHealthy = async (): Promise<boolean> =>
      (await this.#docker('inspect', '--format', format, this.#id)).trim() === 'healthy';
    if (await becomes(isHealthy, healthyMsMax)) return;
    throw new Error(`not healthy: ${await this.#docker('inspect', '--format', '{{json .State.Health}}', this.#id)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#docker('stop', this.#id);
    await this.#docker('rm', '--force', '--volumes', this.#id);
  }

  /** A program's own log is on its standard error, and so is what docker prints of it. */
  async #logs(): Promise<string> {
    return this.#docker.withErrors('logs', this.#id);
  }
}

export async function becomes(isSo: () => Promise<boolean>, msMax: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < msMax; waitedMs += 100) {
    if (await isSo()) return true;
    await delay(100);
  }
  return false;
}
