/**
 * Takes every `engines` out of package-lock.json. Run after an `npm install` of something:
 * `npx node scripts/loosen-lock.ts`. Everything runs on the Node among the packages, but npm compares with the machine's
 * own: on an older one it warns of most packages, and silently leaves out the programs that lint and format.
 */
import { readFile, writeFile } from 'node:fs/promises';

interface Lock {
  readonly packages: Record<string, { engines?: unknown }>;
}

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(await readFile(path, 'utf8')) as Lock;
for (const each of Object.values(lock.packages)) delete each.engines;
await writeFile(path, `${JSON.stringify(lock, undefined, 2)}\n`);
