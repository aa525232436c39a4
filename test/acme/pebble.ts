/** Let's Encrypt's ACME server for tests, told where names lead and on which ports it finds them. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { NameServer } from '../faults/name-server.ts';
import { testAuthority } from '../support/certificates.ts';
import { get } from '../support/client.ts';
import { freePort, listening } from '../support/ports.ts';
import { TempDir } from '../support/temp-dir.ts';

export interface PebbleOptions {
  readonly hosts: readonly string[];
  /** Where it looks for TLS and for plain HTTP. */
  readonly tlsPort: number;
  readonly httpPort: number;
}

export class Pebble implements AsyncDisposable {
  readonly directoryUrl: string;
  /** A file with the authority that its own certificate comes from. */
  readonly caPath: string;
  readonly #ca: string;
  readonly #options: PebbleOptions;
  readonly #dir: TempDir;
  readonly #nameServer: string;
  readonly #port: number;
  readonly #managementPort: number;
  readonly #scope: AsyncDisposableStack;
  #process: ChildProcess | undefined;

  private constructor(options: PebbleOptions, dir: TempDir, nameServer: string, ports: readonly [number, number]) {
    this.#options = options;
    this.#dir = dir;
    this.#nameServer = nameServer;
    [this.#port, this.#managementPort] = ports;
    this.#scope = new AsyncDisposableStack();
    this.#ca = testAuthority().ca;
    this.directoryUrl = `https://localhost:${this.#port}/dir`;
    this.caPath = dir.join('ca.pem');
  }

  /** @param days how long its certificates last */
  static async start(options: PebbleOptions, days: number): Promise<Pebble> {
    await using opening = new AsyncDisposableStack();
    const dir = opening.use(await TempDir.make());
    const addresses = Object.fromEntries(options.hosts.map((host) => [host, [['127.0.0.1']]]));
    const names = opening.use(await NameServer.start(addresses));
    const pebble = new Pebble(options, dir, names.address, [await freePort(), await freePort()]);
    const { cert, key } = testAuthority().issue(['localhost', '127.0.0.1']);
    await writeFile(pebble.caPath, testAuthority().ca);
    await writeFile(dir.join('cert.pem'), cert);
    await writeFile(dir.join('key.pem'), key);
    await pebble.begin(days);
    pebble.#scope.use(opening.move());
    return pebble;
  }

  /** It remembers nothing of before: no account, no order, and its root is a new one. */
  async begin(days: number): Promise<void> {
    const { httpPort, tlsPort } = this.#options;
    const pebble = {
      listenAddress: `127.0.0.1:${this.#port}`,
      managementListenAddress: `127.0.0.1:${this.#managementPort}`,
      certificate: this.#dir.join('cert.pem'),
      privateKey: this.#dir.join('key.pem'),
      httpPort,
      tlsPort,
      keyAlgorithm: 'ecdsa',
      profiles: { default: { description: 'as a public one', validityPeriod: days * 86_400 } },
    };
    await writeFile(this.#dir.join('pebble.json'), JSON.stringify({ pebble }));
    // Nonces are refused and valid authorizations forgotten at random, to find clients that rely on them.
    const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20', PEBBLE_AUTHZREUSE: '0' };
    const args = ['-config', this.#dir.join('pebble.json'), '-dnsserver', this.#nameServer, '-strict'];
    this.#process = spawn(program(), args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    await listening(this.#port, AbortSignal.timeout(60_000));
  }

  /** What has to be trusted to believe the certificates that it gives. */
  async root(): Promise<string> {
    const { body } = await get(`https://localhost:${this.#managementPort}/roots/0`, { ca: this.#ca });
    return body.toString();
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.exitCode === null && child.kill()) await once(child, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#scope.disposeAsync();
  }
}

function program(): string {
  const path = process.env['PEBBLE'];
  if (path === undefined) throw new Error('there is no ACME server: run this by `npm run acme`');
  return path;
}
