/** What a client brought to prove who it is. */
export type Brought =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  /** Something that nobody can make sense of. */
  | { readonly kind: 'nonsense' };

const nothing: Brought = { kind: 'nothing' };
const nonsense: Brought = { kind: 'nonsense' };
/** In characters. Longer ones prove nothing; bcrypt looks at 72 bytes. */
const nameMax = 256;
const passwordMax = 1_024;
const form = /^(basic|bearer) +([A-Za-z0-9._~+/=-]+) *$/i;

/** RFC 7617 and RFC 6750. Nobody without a password (podman's `Og==`) is nobody. */
export function parseAuthorization(header: string | undefined): Brought {
  if (header === undefined || header === '') return nothing;
  const [, scheme, value = ''] = form.exec(header) ?? [];
  if (scheme === undefined) return nonsense;
  if (scheme.toLowerCase() === 'bearer') return { kind: 'token', token: value };
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (text === ':') return nothing;
  return colon < 1 ? nonsense : passwordOf(text.slice(0, colon), text.slice(colon + 1));
}

/** The same from a form. */
export function passwordOf(user: string, password: string): Brought {
  const isSane = user !== '' && user.length <= nameMax && password.length <= passwordMax && !user.includes('\0');
  return isSane ? { kind: 'password', user, password } : nonsense;
}
