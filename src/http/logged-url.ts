const charactersMax = 2_048;

/**
 * What of a request's target the log may tell. Where it is to somebody else its query may be a signature or a token, and a
 * proxy's clients may have written a password before the host.
 */
export function loggedUrl(target: string, isToUs: boolean): string {
  const bare = target.startsWith('/') ? target : target.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, '$1');
  const query = isToUs ? -1 : bare.search(/[?#]/);
  return (query < 0 ? bare : bare.slice(0, query)).slice(0, charactersMax);
}
