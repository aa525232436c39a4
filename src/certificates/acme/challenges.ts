import { createHash, generateKeyPairSync } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../../observe/clock.ts';
import { mintChallenge } from '../mint.ts';

/** Of one of the ways in which an ACME server lets us prove that a name leads here. */
export type ChallengeKind = 'tls-alpn-01' | 'http-01';

/** What is answered while a name is being proved. */
export class Challenges {
  readonly #clock: Clock;
  readonly #texts = new Map<string, string>();
  readonly #contexts = new Map<string, SecureContext>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody may come with ALPN `acme-tls/1`. */
  get isTlsAwaited(): boolean {
    return this.#contexts.size > 0;
  }

  /** For `/.well-known/acme-challenge/TOKEN` (RFC 8555, 8.3). */
  textFor(token: string): string | undefined {
    return this.#texts.get(token);
  }

  contextFor(host: string): SecureContext | undefined {
    return this.#contexts.get(host.toLowerCase());
  }

  /** Answers until disposed. */
  answer(kind: ChallengeKind, host: string, token: string, authorization: string): Disposable {
    if (kind === 'http-01') {
      this.#texts.set(token, authorization);
      return { [Symbol.dispose]: () => void this.#texts.delete(token) };
    }
    this.#contexts.set(host, this.#contextOf(host, authorization));
    return { [Symbol.dispose]: () => void this.#contexts.delete(host) };
  }

  /** RFC 8737, 3. */
  #contextOf(host: string, authorization: string): SecureContext {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const digest = createHash('sha256').update(authorization).digest();
    const now = this.#clock.now();
    const span = { from: now - spanMs, to: now + spanMs };
    const cert = mintChallenge(host, privateKey, digest, span);
    return createSecureContext({ cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
  }
}

const spanMs = 86_400_000;
