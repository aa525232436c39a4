import { canonicalPin } from '../config/value/pin.ts';
import type { Index } from '../index/contract.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseImageName } from '../oci/image-name.ts';
import type { Upstreams } from '../upstream/contract.ts';
import { locate, repositoryText } from './locate.ts';
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

export async function pin(index: Index, upstreams: Upstreams, text: string): Promise<PinView> {
  const pattern = pinPattern(upstreams, text);
  const changed = !(await index.pins.list()).includes(pattern);
  await index.pins.pin(pattern);
  return { pattern, changed };
}

export async function unpin(
  index: Index,
  upstreams: Upstreams,
  configured: readonly string[],
  text: string,
): Promise<PinView> {
  const pattern = pinPattern(upstreams, text);
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
export function pinPattern(upstreams: Upstreams, text: string): string {
  if (text.length > patternCharactersMax) {
    throw new RegistryError('REQUEST_INVALID', `a pin has at most ${patternCharactersMax} characters`);
  }
  const colon = text.lastIndexOf(':');
  const tagAt = !text.includes('@') && colon > text.lastIndexOf('/') ? colon : text.length;
  const name = text.slice(0, tagAt);
  if (/[*?[{]/.test(name)) return canonicalPin(text);
  if (name.includes('@')) {
    const { key, image } = locate(upstreams, name);
    return `${repositoryText(key)}@${image.digest}`;
  }
  parseImageName(name);
  return `${repositoryText(locate(upstreams, name).key)}${text.slice(tagAt)}`;
}
