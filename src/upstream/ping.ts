import { RegistryError } from '../oci/errors.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import { invalidFailure } from './failure.ts';
import { oddBody } from './transfer.ts';

const pingBytesMax = 65_536;

/**
 * A registry says 200 and JSON (or nothing) to `GET /v2/`, or asks who we are and believes our answer.
 * @throws RegistryError when it does neither
 */
export async function ping(endpoint: Endpoint, as: 'own' | 'anonymous'): Promise<void> {
  const ask = { path: '', method: 'GET', kind: 'ping', subject: '/v2/', repository: undefined, as } as const;
  const answer = await endpoint.read({ ...ask, small: true }, pingBytesMax).catch((error: unknown) => {
    // Some token services give nothing to somebody who names neither himself nor a repository.
    const isDenied = error instanceof RegistryError && error.code === 'UPSTREAM_DENIED';
    if (isDenied && error.upstreamStatus !== undefined && as === 'anonymous') return undefined;
    throw error;
  });
  if (answer === undefined) return;
  const { status, headers } = answer.head;
  const odd = oddBody(headers);
  if (odd !== undefined) throw invalidFailure(answer.question, odd);
  if (status === 401 && headers['www-authenticate'] !== undefined && as === 'anonymous') return;
  if (status !== 200) throw endpoint.fail(answer);
  if (!isJsonOrEmpty(answer)) throw invalidFailure(answer.question, 'does not answer as a registry does');
}

function isJsonOrEmpty({ body }: Answer & { readonly body: Buffer }): boolean {
  if (body.length === 0) return true;
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}
