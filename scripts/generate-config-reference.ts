/** Writes docs/configuration.md. Run after a change of a key: `npx node scripts/generate-config-reference.ts`. */
import { writeFile } from 'node:fs/promises';
import { configReference } from '../src/config/reference.ts';

await writeFile(new URL('../docs/configuration.md', import.meta.url), configReference());
