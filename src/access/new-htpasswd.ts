import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AuthFiles } from '../config/auth-files.ts';
import type { AuthConfig } from '../config/config.ts';
import { makeDirectories } from '../config/make-directories.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';

/** As `htpasswd -B` has it by default is 5, which is too little by now; registry's own number. */
export const bcryptCost = 10;

/**
 * Makes the file of users where it is not there, as registry does, with one user whose password nobody knows but who reads
 * the log.
 * @returns what the files hold now, and what the operator should know
 */
export async function provideUsers(
  auth: AuthConfig,
  files: AuthFiles,
): Promise<{ readonly files: AuthFiles; readonly notice: string | undefined }> {
  if (auth.kind !== 'htpasswd' || files.users !== undefined) return { files, notice: undefined };
  const password = randomBytes(24).toString('base64url');
  const { hashSync } = await import('bcryptjs');
  const hash = hashSync(password, bcryptCost);
  try {
    await makeDirectories(dirname(auth.path));
    await writeFile(auth.path, `docker:${hash}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const why = messageOf(cause);
    const message = `auth.htpasswd.path: ${auth.path} does not exist and cannot be made (${why}); make it with \`entrepot htpasswd USER\``;
    throw new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
  }
  const notice = `auth.htpasswd.path: ${auth.path} did not exist and was made, with user docker and password ${password}, said only this once`;
  return { files: { ...files, users: new Map([['docker', hash]]) }, notice };
}
