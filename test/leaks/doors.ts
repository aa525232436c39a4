/** The ways in, and how a request is asked there. */
import { request } from 'node:http';
import type { Agent, IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';

export const doors = ['root', 'ns', 'path', 'prefix', 'tunnel', 'name', 'host', 'absolute', 'sideways'] as const;
export type Door = (typeof doors)[number];

/** Where the client believes to talk to the registry itself: what it says about itself is for that registry. */
export function isTransparent(door: Door): boolean {
  return door === 'tunnel' || door === 'name' || door === 'host' || door === 'absolute';
}

/** A password for somebody else is nothing unheard of there: they ask as they would ask a mirror. */
export function isMirror(door: Door): boolean {
  return door === 'ns' || door === 'prefix';
}

export const hub = 'registry-1.docker.io';

/** As `/v2/NAME/REST` is asked there for a repository of Docker Hub. */
export function pathAt(door: Door, path: string): string {
  const rest = path.replace(/^\/v2\//, '');
  const query = `${path.includes('?') ? '&' : '?'}ns=docker.io`;
  switch (door) {
    case 'root':
    case 'tunnel':
    case 'name':
    case 'host':
      return path;
    case 'absolute':
      return `http://${hub}${path}`;
    case 'ns':
      return `${path}${query}`;
    case 'path':
      return `/v2/docker.io/${rest}`;
    case 'prefix':
      return `/docker.io/v2/${rest}`;
    case 'sideways':
      // In a tunnel to another registry.
      return `${path}${query}`;
  }
}

export interface Asking {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  readonly port: number;
  /** Whose connections are tunnels. */
  readonly agent: Agent | false;
  readonly localAddress?: string | undefined;
}

/** Of a longer body no more is waited for: it may still be arriving. */
const bytesMax = 4096;

export interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export async function ask({ body, ...how }: Asking): Promise<Told> {
  const asked = request({ host: '127.0.0.1', ...how });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= bytesMax) break;
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) };
}
