import type { Authority, AuthorityKind, Trusted } from '../certificates/authority.ts';
import type { Certificates } from '../certificates/certificates.ts';
import { RegistryError } from '../oci/errors.ts';
import { isAuthorityKind } from './lobby.ts';
import type { Query } from './query.ts';
import type { AuthorityView } from './views.ts';

const dayMs = 86_400_000;
/** Time enough to reach every client. */
const overlapMs = 30 * dayMs;
const overlapMsMax = 3_000 * dayMs;

export function authoritiesOf(all: readonly Authority[]): readonly AuthorityView[] {
  return all.flatMap((authority) =>
    authority.trusted().map((each, index) => viewOf(authority.kind, each, index === 0)),
  );
}

export async function renewAuthority(certificates: Certificates, query: Query): Promise<AuthorityView> {
  const kind = query.required('ca');
  if (!isAuthorityKind(kind)) throw new RegistryError('REQUEST_INVALID', 'write ca=server or ca=interception');
  const text = query.optional('inMs');
  const inMs = text === undefined ? overlapMs : Number(text);
  if (!(inMs >= 0 && inMs <= overlapMsMax))
    throw new RegistryError('REQUEST_INVALID', '"inMs" is a number of milliseconds, at most 3000 days');
  return viewOf(kind, await certificates.renew(kind, inMs), false);
}

function viewOf(
  kind: AuthorityKind,
  { root, fingerprint, validTo, signsFrom }: Trusted,
  signs: boolean,
): AuthorityView {
  return { kind, pem: root, fingerprint, validToMs: validTo, signsFromMs: signsFrom, signs };
}
