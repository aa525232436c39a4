import { RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import type { BlobSink, Identity } from './contract.ts';
import type { Endpoint } from './endpoint.ts';

export interface Mirror {
  readonly url: string;
  readonly endpoint: Endpoint;
  /** It is believed where a tag points, too. */
  readonly resolve: boolean;
}

type Question<T> = (endpoint: Endpoint, as: Identity) => Promise<T | undefined>;

/** Mirrors are believed about bytes, which their digest proves; about tags only where the operator says so. */
export function mirrorsFor(reference: Reference, mirrors: readonly Mirror[]): readonly Mirror[] {
  return isDigestReference(reference) ? mirrors : mirrors.filter(({ resolve }) => resolve);
}

/** The first mirror's answer that is one; otherwise the upstream's own, whatever it is. */
export async function firstOf<T>(
  mirrors: readonly Mirror[],
  main: Endpoint,
  as: Identity,
  ask: Question<T>,
): Promise<T | undefined> {
  return (await anyOf(mirrors, ask)) ?? (await ask(main, as));
}

/**
 * The upstream's own answer; while it cannot be asked that of the first mirror that has one. For what no digest proves.
 * @throws RegistryError why the upstream refuses, or why it cannot be asked when no mirror has an answer either
 */
export async function mainOrElse<T>(
  main: Endpoint,
  mirrors: readonly Mirror[],
  as: Identity,
  ask: Question<T>,
): Promise<T | undefined> {
  try {
    return await ask(main, as);
  } catch (error) {
    const found = isAway(error) ? await anyOf(mirrors, ask) : undefined;
    if (found === undefined) throw error;
    return found;
  }
}

/** A validator is of who gave it: the whole would be sent anew by another one that was asked with it (RFC 9110, 13.1.5). */
export function withoutValidator(sink: BlobSink): BlobSink {
  return { head: (head) => sink.head({ ...head, etag: undefined }), data: (chunk) => sink.data(chunk) };
}

/** Our credentials are the upstream's alone. */
async function anyOf<T>(mirrors: readonly Mirror[], ask: Question<T>): Promise<T | undefined> {
  for (const { endpoint } of mirrors) {
    try {
      const found = await ask(endpoint, 'anonymous');
      if (found !== undefined) return found;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
    }
  }
  return undefined;
}

function isAway(error: unknown): boolean {
  return error instanceof RegistryError && error.origin === 'upstream' && error.code !== 'UPSTREAM_DENIED';
}
