import type { Request } from '../http/message.ts';
import type { Repeat } from './repeat.ts';
import { route } from './route.ts';
import type { ContentRoute, Route, RouteFailure, RoutingTable } from './route.ts';

/** Routes that are remembered; above it all are forgotten. Each takes less than a kibibyte, and its repeat as much. */
const rememberedMax = 12_000;
/** Bytes of manifests that repeats hold, mostly the same as the index remembers; above it repeats are forgotten. */
const repeatedBytesMax = 16 * 1024 * 1024;

/** What of a request says where it leads. */
export type Leading = Pick<Request, 'method' | 'url' | 'via'>;

export type Manifest = ContentRoute & { readonly kind: 'manifest' };

/** Where a request leads, and how it was answered there when that can be said again. */
export interface Found<R = Route | RouteFailure> {
  readonly route: R;
  readonly repeat?: Repeat | undefined;
  /** To be told of a repeat; absent where nothing is remembered. */
  remember?(repeat: Repeat): void;
}

/**
 * Where requests lead. Reading a URL is a good part of what a warm manifest costs, and fleets ask for the same ones: where
 * those lead is remembered, as long as the table is the same.
 */
export class RouteMemo {
  /** By their URLs, behind the registry that they were to. */
  readonly #known = new Map<string, Remembered>();
  #repeatedBytes = 0;
  #table: RoutingTable | undefined;

  find({ method, url, via }: Leading, table: RoutingTable): Found {
    if (method !== 'GET' && method !== 'HEAD') return { route: route(method, url, via?.host, table) };
    if (table !== this.#table) this.#forget();
    this.#table = table;
    // No host has a space in it, and no path begins with anything but a slash.
    const whole = via === undefined ? url : `${via.host} ${url}`;
    const known = this.#known.get(whole);
    if (known !== undefined) return known;
    const found = route(method, url, via?.host, table);
    // GET and HEAD of a manifest lead to the same. What fails may do so because of the method, or not tomorrow.
    return found.kind === 'manifest' ? this.#remember(whole, found) : { route: found };
  }

  #remember(whole: string, found: Manifest): Found {
    if (this.#known.size >= rememberedMax) this.#forget();
    const remembered = new Remembered(found, this.#makeRoom);
    this.#known.set(whole, remembered);
    return remembered;
  }

  readonly #makeRoom = (bytes: number, before: number): void => {
    this.#repeatedBytes += bytes - before;
    if (this.#repeatedBytes <= repeatedBytesMax) return;
    for (const each of this.#known.values()) each.repeat = undefined;
    this.#repeatedBytes = bytes;
  };

  #forget(): void {
    this.#known.clear();
    this.#repeatedBytes = 0;
  }
}

class Remembered implements Found<Manifest> {
  readonly route: Manifest;
  repeat: Repeat | undefined;
  readonly #makeRoom: (bytes: number, before: number) => void;

  constructor(manifest: Manifest, makeRoom: (bytes: number, before: number) => void) {
    this.route = manifest;
    this.#makeRoom = makeRoom;
  }

  remember(repeat: Repeat): void {
    this.#makeRoom(repeat.size, this.repeat?.size ?? 0);
    this.repeat = repeat;
  }
}
