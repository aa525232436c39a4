/**
 * Let's Encrypt by its own name, for a client that knows no other: a proxy for it, that leads to the ACME server of a test.
 */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer, request } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Server as Listener } from 'node:net';
import type { Duplex } from 'node:stream';
import { testAuthority } from '../support/certificates.ts';
import type { Pebble } from './pebble.ts';

const publicHost = 'acme-v02.api.letsencrypt.org';

type Closing = Pick<Server, 'close' | 'closeAllConnections'>;

export class PublicName implements AsyncDisposable {
  /** What a program written in Go has to be started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly #servers: readonly Closing[];

  private constructor(servers: readonly Closing[], env: Readonly<Record<string, string>>) {
    this.#servers = servers;
    this.env = env;
  }

  static async of(pebble: Pebble, caPath: string): Promise<PublicName> {
    const directory = new URL(pebble.directoryUrl);
    const secure = createTlsServer(testAuthority().issue([publicHost]), (asked, answer) =>
      passOn(asked, answer, directory),
    );
    const inside = await listen(secure);
    const proxy = createServer();
    proxy.on('connect', (asked, client) => {
      if (asked.url === `${publicHost}:443`) joinTo(inside, client);
      else client.destroy();
    });
    const port = await listen(proxy);
    await writeFile(caPath, testAuthority().ca);
    return new PublicName([proxy, secure], { HTTPS_PROXY: `http://127.0.0.1:${port}`, SSL_CERT_FILE: caPath });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

function joinTo(port: number, client: Duplex): void {
  const server = connect(port, '127.0.0.1', () => {
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    client.pipe(server).pipe(client);
  });
  client.on('error', () => server.destroy());
  server.on('error', () => client.destroy());
}

/** The server says of itself what the Host header says. Only its directory lies elsewhere. */
function passOn(asked: IncomingMessage, answer: ServerResponse, directory: URL): void {
  const path = asked.url === '/directory' ? directory.pathname : asked.url;
  const { method, headers } = asked;
  const onward = { host: directory.hostname, port: directory.port, path, method, headers, ca: testAuthority().ca };
  const passed = request({ ...onward, servername: 'localhost' }, (response) => {
    answer.writeHead(response.statusCode ?? 502, { ...response.headers, ...placeOfOrder(path) });
    response.pipe(answer);
  });
  passed.on('error', () => answer.destroy());
  asked.pipe(passed);
}

/** Let's Encrypt itself says at the end of an order where it is, and `registry:2` asks there how it goes. */
function placeOfOrder(path: string | undefined): { readonly location?: string } {
  const order = /^\/finalize-order\/(.+)$/.exec(path ?? '')?.[1];
  return order === undefined ? {} : { location: `https://${publicHost}/my-order/${order}` };
}

async function listen(server: Listener): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
