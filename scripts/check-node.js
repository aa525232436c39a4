/**
 * Before `npm start`: says in a sentence that this Node is too old, where the sources would end with a stack. Plain
 * JavaScript, which any Node runs.
 */
import { readFileSync } from 'node:fs';

const { oldestNode } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).config;
const [major, minor] = process.versions.node.split('.').map(Number);
const [oldestMajor, oldestMinor] = oldestNode.split('.').map(Number);

if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
  console.error(
    `Entrepot needs Node ${oldestNode} or newer, and this is ${process.versions.node}. ` +
      'One comes with the packages for development, which NODE_ENV=production and --omit=dev leave out: ' +
      'run "npm ci --include=dev", or take a newer Node (deploy/README.md, As a service).',
  );
  process.exitCode = 1;
}
