import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The files below a directory that have one of the secrets in them, as it is or in base64. */
export async function secretsIn(directory: string, secrets: readonly string[]): Promise<readonly string[]> {
  const forms = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString('base64').replaceAll('=', '')]);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    if (forms.some((form) => bytes.includes(form))) found.push(path);
  }
  return found;
}
