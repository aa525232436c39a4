import { canonicalPin } from '../config/value/pin.ts';
import type { Index } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';
import { refuseHosted } from './hosted.ts';
import { locate, repositoryText } from './locate.ts';
import type { FindRepository } from './locate.ts';
import type { PinView, PinsView } from './views.ts';

/** Longest pattern, in characters. */
const patternCharactersMax = 512;

export async function pinsOf(index: Index, configured: readonly string[]): Promise<PinsView> {
  const own = await index.pins.list();
  return {
    pins: [
      ...configured.map((pattern) => ({ pattern, from: 'configuration' }) as const),
      ...own
        .filter((pattern) => !configured.includes(pattern))
        .map((pattern) => ({ pattern, from: 'operator' }) as const),
    ],
  };
}

export async function pin(index: Index, find: FindRepository, text: string): Promise<PinView> {
  const pattern = await pinPattern(find, text);
  const changed = !(await index.pins.list()).includes(pattern);
  await index.pins.pin(pattern);
  return { pattern, changed };
}

export async function unpin(
  index: Index,
  find: FindRepository,
  configured: readonly string[],
  text: string,
): Promise<PinView> {
  const pattern = await pinPattern(find, text);
  if (configured.includes(pattern)) {
    throw new RegistryError('UNSUPPORTED', `${pattern} is pinned by the configuration; remove it from cache.pins`, {
      origin: 'operator',
    });
  }
  return { pattern, changed: await index.pins.unpin(pattern) };
}

/**
 * `redis:7` becomes `docker.io/library/redis:7`; `redis` alone pins every tag; a glob may stand in the tag (`redis:7*`)
 * and in the name (`grafana/*`). The registry is looked up only where no glob hides it.
 */
async function pinPattern(find: FindRepository, text: string): Promise<string> {
  if (text.length > patternCharactersMax) {
    throw new RegistryError('REQUEST_INVALID', `a pin has at most ${patternCharactersMax} characters`);
  }
  const colon = text.lastIndexOf(':');
  const tagAt = !text.includes('@') && colon > text.lastIndexOf('/') ? colon : text.length;
  const name = text.slice(0, tagAt);
  if (/[*?[{]/.test(name)) return canonicalPin(text);
  const located = await locate(find, name);
  refuseHosted('pin', located);
  const { digest } = located.image;
  return repositoryText(located.key) + (digest === undefined ? text.slice(tagAt) : `@${digest}`);
}
