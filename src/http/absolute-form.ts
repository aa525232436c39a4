const pattern = /^(https?):\/\/([^/?#@]+)(\/.*)?$/i;

/** The target of a request to a proxy (RFC 9112, 3.2.2); `undefined` for what is none. */
export function absoluteForm(
  target: string,
): { readonly scheme: string; readonly authority: string; readonly rest: string } | undefined {
  const [, scheme, authority, rest = '/'] = pattern.exec(target) ?? [];
  return scheme === undefined || authority === undefined
    ? undefined
    : { scheme: scheme.toLowerCase(), authority, rest };
}
