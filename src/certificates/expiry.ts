import type { Observer } from '../observe/events.ts';
import type { Authority } from './authority.ts';

/** Something of ours that ends on a day that operators should know. */
export interface Dated {
  /** A label of few values: `http.tls`, `server CA`. */
  readonly certificate: string;
  /** Milliseconds since the epoch. */
  readonly validTo: number;
  /** When something has to be done, where that is before its end. */
  readonly dueAt: number;
  /** What to do before that day; a sentence's second half. */
  readonly advice: string;
}

const dayMs = 86_400_000;
/** So long before that day it is in the log, once a day. */
const noticeMs = 30 * dayMs;

/** Tells metrics of every date, and the log of those that come near. */
export class Expiry {
  readonly #observer: Observer;
  /** When it was last told, by certificate. */
  readonly #told = new Map<string, number>();

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  look(all: readonly Dated[], now: number): void {
    for (const { certificate, validTo, dueAt, advice } of all) {
      this.#observer.emit({ type: 'certificate.held', certificate, validToMs: validTo });
      const isNear = dueAt - now < noticeMs;
      const isNews = now - (this.#told.get(certificate) ?? Number.NEGATIVE_INFINITY) >= dayMs;
      if (!isNear) this.#told.delete(certificate);
      if (!isNear || !isNews) continue;
      this.#told.set(certificate, now);
      const days = Math.floor((dueAt - now) / dayMs);
      this.#observer.emit({ type: 'certificate.expiring', certificate, on: dayOf(dueAt), days, advice });
    }
  }
}

/** What signs now, until it ends or until another one does. */
export function datesOf(authority: Authority, now: number): Dated {
  const { kind } = authority;
  const [current, ...others] = authority.trusted();
  const validTo = current?.validTo ?? now;
  const next = others.find(({ signsFrom }) => signsFrom !== undefined && signsFrom > now);
  if (next?.signsFrom === undefined) {
    const advice = `replace it, and give clients the new one (/ca.crt?ca=${kind})`;
    return { certificate: `${kind} CA`, validTo, dueAt: validTo, advice };
  }
  const advice = `from then on another one signs: have clients trust both by then (/ca.crt?ca=${kind})`;
  return { certificate: `${kind} CA`, validTo, dueAt: next.signsFrom, advice };
}

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
