import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer } from 'node:http2';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Answerer } from './answer.ts';
import { Faults } from './faults.ts';
import { RequestLog } from './log.ts';

/** Where the fake internet lives in the lab's network. */
export const address = '10.77.0.1';

/**
 * Every public registry, its token service and its CDN, on one address: real TLS (HTTP/2 and HTTP/1.1) on 443, HTTP on
 * 80, told apart by name. It listens until `unplug`, and again after `plug`.
 */
export class Internet {
  readonly faults = new Faults();
  readonly log: RequestLog;
  readonly #answerer: Answerer;
  readonly #certificate: { readonly cert: Buffer; readonly key: Buffer };
  readonly #sockets = new Set<Socket>();
  #servers: readonly (Server | Http2SecureServer)[] = [];

  private constructor(work: string, certificate: { readonly cert: Buffer; readonly key: Buffer }) {
    this.log = new RequestLog(join(work, 'internet.ndjson'));
    this.#answerer = new Answerer(this.log, this.faults);
    this.#certificate = certificate;
  }

  /** Starts it inside the lab whose work directory is given. The back ends must be there already. */
  static async open(work: string): Promise<Internet> {
    const cert = await readFile(join(work, 'pki/internet.pem'));
    const key = await readFile(join(work, 'pki/internet.key'));
    const internet = new Internet(work, { cert, key });
    await internet.plug();
    return internet;
  }

  async plug(): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answerer.answer(request, response).catch((error: unknown) => {
        console.error('fake internet:', error);
        response.destroy();
      });
    };
    // http2's compatibility objects stand for node:http's; their types merely do not say so.
    const secure = createSecureServer({ ...this.#certificate, allowHTTP1: true }, answer as never);
    const plain = createServer(answer);
    this.#servers = [secure, plain];
    for (const server of this.#servers) {
      server.on('connection', (socket: Socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
      });
    }
    secure.on('sessionError', () => undefined);
    await Promise.all([listen(secure, 443), listen(plain, 80)]);
  }

  /** From now on, connections are refused; open ones are torn. */
  async unplug(): Promise<void> {
    const closed = this.#servers.map(async (server) => {
      const over = once(server, 'close');
      server.close();
      await over;
    });
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
    this.#servers = [];
  }

  /** From now on the user may read nothing that is private. */
  revoke(user: string): void {
    this.#answerer.tokens.revoke(user);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
    this.#answerer.close();
    this.log.end();
  }
}

async function listen(server: Server | Http2SecureServer, port: number): Promise<void> {
  server.listen(port, address);
  await once(server, 'listening');
}
