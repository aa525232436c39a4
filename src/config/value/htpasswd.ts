import { quoted, ValueError } from './value-error.ts';

/** bcrypt as anybody has ever spelled it, and registry takes it: the letter only tells which program wrote the line. */
const bcrypt = /^\$2[abxy]?\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/u;
/** One more doubles the time of a login; at this one it takes seconds, and those who wait behind it wait as long. */
const costMax = 16;
const others: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/u, "Apache's MD5"],
  [/^\{SHA\}/iu, 'SHA-1'],
  [/^\$[156]\$/u, 'crypt'],
  [/^\$argon2/u, 'Argon2'],
  [/^\$2/u, 'an unknown kind of bcrypt'],
];

/**
 * Users and the hashes of their passwords, a line each: `user:hash`. Empty lines and `#` do not count. The last line of a
 * user does, as in registry.
 * @throws ValueError with the line, for whatever is no bcrypt: it is never quoted, for it may be a password
 */
export function parseHtpasswd(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const where = `line ${index + 1}`;
    if (colon < 1) throw new ValueError(`${where}: is not user:hash; write what \`entrepot htpasswd USER\` prints`);
    const user = line.slice(0, colon);
    const written = line.slice(colon + 1);
    if (!bcrypt.test(written)) {
      const kind = others.find(([form]) => form.test(written))?.[1] ?? 'no hash that is known here';
      throw new ValueError(
        `${where}: the password of ${quoted(user)} is ${kind}, and only bcrypt is accepted; write what \`entrepot htpasswd USER\` or \`htpasswd -nB USER\` prints`,
      );
    }
    // One spelling, so that whatever checks it need not know the others.
    const hash = written.replace(/^\$2[xy]?\$/u, '$2b$');
    if (Number(hash.slice(4, 6)) > costMax)
      throw new ValueError(
        `${where}: the password of ${quoted(user)} has cost ${hash.slice(4, 6)}, and more than ${costMax} takes too long to check; write what \`entrepot htpasswd USER\` prints`,
      );
    users.set(user, hash);
  }
  return users;
}
