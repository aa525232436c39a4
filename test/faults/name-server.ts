/** A DNS server that answers what a test wants, and something else the next time. RFC 1035; over TCP, too (4.2.2). */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket as Stream } from 'node:net';
import { errorCode } from '../../src/store/failure.ts';

export class NameServer implements AsyncDisposable {
  /** `127.0.0.1:12345` */
  readonly address: string;
  /** Names that were asked for, in order. */
  readonly asked: string[] = [];
  readonly #socket: Socket;
  readonly #server: Server;
  readonly #answers: Map<string, readonly (readonly string[])[]>;

  private constructor(
    socket: Socket,
    server: Server,
    answers: Readonly<Record<string, readonly (readonly string[])[]>>,
  ) {
    this.#socket = socket;
    this.#server = server;
    this.#answers = new Map(Object.entries(answers));
    this.address = `127.0.0.1:${socket.address().port}`;
    socket.on('message', (query, { port, address }) => socket.send(this.#answer(query), port, address));
    server.on('connection', (stream) => this.#converse(stream));
  }

  /** @param answers by name: the addresses of the first answer, of the second, and so on; the last one stays */
  static async start(answers: Readonly<Record<string, readonly (readonly string[])[]>>): Promise<NameServer> {
    for (let tries = 1; ; tries += 1) {
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const server = createServer().listen(socket.address().port, '127.0.0.1');
      try {
        await once(server, 'listening');
        return new NameServer(socket, server, answers);
      } catch (error) {
        socket.close();
        // A port that is free for UDP may be somebody's for TCP.
        if (errorCode(error) !== 'EADDRINUSE' || tries === 10) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    this.#server.close();
    await Promise.all([once(this.#socket, 'close'), once(this.#server, 'close')]);
  }

  /** One question a connection. */
  #converse(stream: Stream): void {
    let said = Buffer.alloc(0);
    stream.on('error', () => stream.destroy());
    stream.on('data', (chunk) => {
      said = Buffer.concat([said, Buffer.from(chunk)]);
      if (said.length < 2 || said.length < 2 + said.readUInt16BE(0)) return;
      const answer = this.#answer(said.subarray(2));
      stream.end(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 0xff]), answer]));
    });
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = questionOf(query);
    const isAddress = query.readUInt16BE(end) === typeA;
    const found = isAddress ? this.#next(name) : [];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(this.#answers.has(name) ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(found.length, 6);
    header.writeUInt32BE(0, 8);
    return Buffer.concat([header, query.subarray(12, end + 4), ...found.map(recordOf)]);
  }

  #next(name: string): readonly string[] {
    this.asked.push(name);
    const [now = [], ...later] = this.#answers.get(name) ?? [];
    if (later.length > 0) this.#answers.set(name, later);
    return now;
  }
}

const typeA = 1;

function questionOf(query: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** The name is a pointer to the question's; it is good for no second. */
function recordOf(address: string): Buffer {
  return Buffer.from([0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
}
