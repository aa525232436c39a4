/**
 * Puts the program into one file that needs nothing but Node: `dist/entrepot.js`, or what the first argument names.
 */
import { chmod } from 'node:fs/promises';
import { build } from 'esbuild';
import manifest from '../package.json' with { type: 'json' };

const outfile = process.argv[2] ?? manifest.bin.entrepot;
/** The first with all that the program uses. Not an engine in package.json, to which npm would hold the machine's own Node. */
const { oldestNode } = manifest.config;

/** What runs in a thread of its own needs a text of its own (`src/access/bcrypt.ts`). */
const worker = await build({
  entryPoints: ['src/access/bcrypt-worker.ts'],
  bundle: true,
  write: false,
  platform: 'node',
  format: 'cjs',
  target: `node${oldestNode}`,
  logLevel: 'warning',
});

await build({
  entryPoints: ['src/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: `node${oldestNode}`,
  define: { bcryptWorkerSource: JSON.stringify(worker.outputFiles[0]?.text) },
  // Some dependencies are CommonJS, and ask for Node's own modules with a `require` that ES modules do not have.
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
await chmod(outfile, 0o755);
