/**
 * The name in the first message of a TLS client (RFC 8446, 4.1.2; RFC 6066, 3), and what it wants to speak (RFC 7301, 3.1),
 * read without answering it: who is asked for decides whether this connection ends here at all.
 */
export type Hello =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'hello'; readonly servername: string | undefined; readonly protocols: readonly string[] }
  /** It is something else, or longer than anybody's. */
  | { readonly kind: 'nonsense' };

/** Of the records that it comes in, headers included. With post-quantum keys a hello has two kilobytes. */
export const helloBytesMax = 16 * 1024;

const incomplete: Hello = { kind: 'incomplete' };
const nonsense: Hello = { kind: 'nonsense' };
const handshakeRecord = 22;
const clientHello = 1;
const serverNameExtension = 0;
const protocolsExtension = 16;
const hostName = 0;

export function readHello(bytes: Buffer): Hello {
  const message = unwrap(bytes);
  if (message === undefined) return nonsense;
  const length = message.length < 4 ? undefined : message.readUIntBE(1, 3);
  if (message.length > 0 && message[0] !== clientHello) return nonsense;
  if (length !== undefined && length > helloBytesMax) return nonsense;
  if (length === undefined || message.length < 4 + length) return bytes.length < helloBytesMax ? incomplete : nonsense;
  try {
    return { kind: 'hello', ...wishesIn(new Reader(message.subarray(4, 4 + length))) };
  } catch {
    return nonsense;
  }
}

/** What is in the records so far; `undefined` where one is no handshake's. */
function unwrap(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== handshakeRecord || (at + 1 < bytes.length && bytes[at + 1] !== 3)) return undefined;
    if (at + 5 > bytes.length) break;
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(at + 5, end));
    at = end;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

function wishesIn(hello: Reader): Pick<Extract<Hello, { kind: 'hello' }>, 'servername' | 'protocols'> {
  hello.skip(2 + 32);
  hello.take(1);
  hello.take(2);
  hello.take(1);
  let servername: string | undefined;
  const protocols: string[] = [];
  if (hello.isAtEnd) return { servername, protocols };
  const extensions = new Reader(hello.take(2));
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const data = new Reader(extensions.take(2));
    if (type === serverNameExtension) servername ??= hostNameIn(new Reader(data.take(2)));
    if (type === protocolsExtension) protocols.push(...protocolsIn(new Reader(data.take(2))));
  }
  return { servername, protocols };
}

function protocolsIn(names: Reader): readonly string[] {
  const protocols: string[] = [];
  while (!names.isAtEnd) protocols.push(names.take(1).toString('latin1'));
  return protocols;
}

function hostNameIn(names: Reader): string | undefined {
  while (!names.isAtEnd) {
    const type = names.number(1);
    const name = names.take(2).toString('latin1');
    if (type === hostName) return name;
  }
  return undefined;
}

/** Throws at the end. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(bytes: 1 | 2): number {
    const value = this.#bytes.readUIntBE(this.#at, bytes);
    this.#at += bytes;
    return value;
  }

  skip(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.#bytes.length) throw new RangeError('the message ends early');
  }

  /** A field behind its length. */
  take(lengthBytes: 1 | 2): Buffer {
    const length = this.number(lengthBytes);
    const start = this.#at;
    this.skip(length);
    return this.#bytes.subarray(start, start + length);
  }
}
