import type { Clock } from '../../observe/clock.ts';
import type { Door, Event, Observer, RequestDone } from '../../observe/events.ts';
import { isProbeName } from './probe-image.ts';

/** A request for a probe that has been answered. */
export interface Sighting {
  readonly atMs: number;
  readonly door: Door | undefined;
  readonly upstream: string | undefined;
  readonly object: 'manifest' | 'blob';
  readonly method: string;
  readonly status: number;
  readonly errorMessage: string | undefined;
  readonly userAgent: string;
  readonly clientAddress: string;
}

const probesMax = 1_000;
const sightingsMax = 100;
const agentCharactersMax = 200;

/** What became of the probes: who came for them, and by which door. Of the latest ones only, in memory. */
export class Sightings implements Observer {
  readonly #clock: Clock;
  readonly #byName = new Map<string, Sighting[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  emit(event: Event): void {
    if (event.type === 'request.done' && event.repository !== undefined && isProbeName(event.repository)) {
      this.#note(event.repository, event);
    }
  }

  of(name: string): readonly Sighting[] {
    return this.#byName.get(name) ?? [];
  }

  #note(name: string, done: RequestDone): void {
    const { door, upstream, method, status, errorMessage, clientAddress } = done;
    const seen = this.#byName.get(name) ?? [];
    if (seen.length >= sightingsMax) return;
    this.#byName.set(name, seen);
    seen.push({
      atMs: this.#clock.now(),
      // In this order: a shell reads it, too.
      door,
      object: done.url.includes('/blobs/') ? 'blob' : 'manifest',
      status,
      method,
      upstream,
      errorMessage,
      clientAddress,
      userAgent: done.userAgent.slice(0, agentCharactersMax),
    });
    const [oldest] = this.#byName.keys();
    if (this.#byName.size > probesMax && oldest !== undefined) this.#byName.delete(oldest);
  }
}
