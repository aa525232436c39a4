import { stat } from 'node:fs/promises';

/** What files look like, without reading them: changes when one of them does, or when another file takes its place. */
export async function fingerprint(files: readonly string[]): Promise<string> {
  const looks = await Promise.all(
    files.map(async (file) => {
      const found = await stat(file, { bigint: true }).catch(() => undefined);
      return found === undefined ? 'gone' : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    }),
  );
  return looks.join('\n');
}
