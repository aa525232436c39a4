import type { IncomingMessage } from 'node:http';
import type { ClientCertificate } from './client-certificate.ts';
import type { ErrorEntry } from './error-body.ts';
import { absoluteForm } from './absolute-form.ts';
import { firstOf } from './forwarded.ts';
import type { TrustedProxies } from './forwarded.ts';
import type { Guest, Notes, Request, RequestBody, Via } from './message.ts';
import { viaOf } from './via.ts';
import type { IsOwnName } from './via.ts';

/** What is known of the connection that an exchange runs on. */
export interface Peer {
  readonly address: string;
  readonly port: number | undefined;
  /** It is a proxy whose X-Forwarded-* counts. */
  readonly trusted: boolean;
  readonly secure: boolean;
  /** Of a client that has proved who it is. */
  readonly clientCertificate: ClientCertificate | undefined;
  /** Instead of an answer to anything that is not for everybody. */
  readonly refusal: Refusal | undefined;
  /** The registry that the connection as a whole is to. */
  readonly via: Via | undefined;
  /** The name in the TLS handshake (RFC 6066, 3). */
  readonly servername?: string | undefined;
  /** How it came to be to this server itself: by a name that led here, or as a tunnel. */
  readonly within?: 'name' | 'tunnel' | undefined;
}

export interface Refusal extends ErrorEntry {
  readonly status: number;
}

/** What a request begins with. */
export type RequestHead = Readonly<Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'httpVersion'>>;

export interface Incoming {
  readonly head: RequestHead;
  readonly body: RequestBody;
  /** Made when somebody asks for it. */
  readonly gone: () => AbortSignal;
}

/** What requests are read by. */
export interface RequestContext {
  readonly proxies: TrustedProxies;
  readonly isOwnName: IsOwnName;
}

/** Read lazily: most requests need two of the headers and none of the rest. */
export class IncomingRequest implements Request {
  readonly id: string;
  readonly method: string;
  readonly body: RequestBody;
  readonly notes: Notes = {
    user: undefined,
    upstream: undefined,
    repository: undefined,
    reference: undefined,
    outcome: undefined,
    errorCode: undefined,
    errorMessage: undefined,
    origin: undefined,
    door: undefined,
  };
  readonly #head: RequestHead;
  readonly #peer: Peer;
  readonly #around: RequestContext;
  readonly #gone: () => AbortSignal;
  #via: { readonly found: Via | undefined } | undefined;

  constructor(id: string, { head, body, gone }: Incoming, peer: Peer, around: RequestContext) {
    this.id = id;
    this.body = body;
    this.#gone = gone;
    this.method = head.method ?? '';
    this.#head = head;
    this.#peer = peer;
    this.#around = around;
  }

  get gone(): AbortSignal {
    return this.#gone();
  }

  get url(): string {
    const url = this.#head.url ?? '';
    return url.startsWith('/') ? url : (absoluteForm(url)?.rest ?? url);
  }

  get via(): Via | undefined {
    return (this.#via ??= { found: viaOf(this.#head, this.#peer, this.#around.isOwnName) }).found;
  }

  /** The host that it names itself, as a client asks a proxy. */
  get absolute(): ReturnType<typeof absoluteForm> {
    return absoluteForm(this.#head.url ?? '');
  }

  /** From now on it is known who sends it to another registry. */
  introduce(guest: Guest): void {
    const { via } = this;
    this.#via = { found: via && { ...via, guest } };
  }

  get headers(): Readonly<Record<string, string | undefined>> {
    // Only set-cookie is ever a list, and it is no request header.
    return this.#head.headers as Readonly<Record<string, string | undefined>>;
  }

  get host(): string {
    const forwarded = this.#forwarded('x-forwarded-host');
    if (forwarded !== undefined) return firstOf(forwarded);
    return absoluteForm(this.#head.url ?? '')?.authority ?? this.headers['host'] ?? '';
  }

  get scheme(): 'http' | 'https' {
    const forwarded = this.#forwarded('x-forwarded-proto');
    const scheme = forwarded === undefined ? undefined : firstOf(forwarded).toLowerCase();
    if (scheme === 'http' || scheme === 'https') return scheme;
    return this.#peer.secure ? 'https' : 'http';
  }

  get clientCertificate(): ClientCertificate | undefined {
    return this.#peer.clientCertificate;
  }

  get clientAddress(): string {
    const forwarded = this.#forwarded('x-forwarded-for');
    return forwarded === undefined ? this.#peer.address : this.#around.proxies.clientOf(forwarded, this.#peer.address);
  }

  get clientPort(): number | undefined {
    return this.#forwarded('x-forwarded-for') === undefined ? this.#peer.port : undefined;
  }

  #forwarded(header: string): string | undefined {
    return this.#peer.trusted ? this.headers[header] : undefined;
  }
}

/** Why HTTP itself forbids to answer (RFC 9112, 3.2 and 3.2.2); the parser has refused everything else. */
export function malformation(incoming: IncomingMessage): string | undefined {
  const hosts = countHosts(incoming.rawHeaders);
  if (hosts > 1 || (hosts === 0 && incoming.httpVersion !== '1.0')) {
    return hosts === 0 ? 'the Host header is missing' : 'there is more than one Host header';
  }
  const coding = incoming.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 'its body is framed in no known way';
  const url = incoming.url ?? '';
  if (!url.startsWith('/') && absoluteForm(url) === undefined) return 'the request target is not a path';
  return undefined;
}

function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}
