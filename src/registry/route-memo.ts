import type { Request } from '../http/message.ts';
import { route } from './route.ts';
import type { Route, RouteFailure, RoutingTable } from './route.ts';

/** Routes that are remembered; above it all are forgotten. Each takes less than a kibibyte. */
const rememberedMax = 12_000;

/**
 * Where requests lead. Reading a URL is a good part of what a warm manifest costs, and fleets ask for the same ones: where
 * those lead is remembered, as long as the table is the same.
 */
export class RouteMemo {
  readonly #known = new Map<string, Route>();
  #table: RoutingTable | undefined;

  find({ method, url, via }: Pick<Request, 'method' | 'url' | 'via'>, table: RoutingTable): Route | RouteFailure {
    if (via !== undefined || (method !== 'GET' && method !== 'HEAD')) return route(method, url, via?.host, table);
    if (table !== this.#table) this.#known.clear();
    this.#table = table;
    const known = this.#known.get(url);
    if (known !== undefined) return known;
    const found = route(method, url, undefined, table);
    // GET and HEAD of a manifest lead to the same. What fails may do so because of the method, or not tomorrow.
    if (found.kind === 'manifest') this.#remember(url, found);
    return found;
  }

  #remember(url: string, found: Route): void {
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(url, found);
  }
}
