/** Killed at every step of a download, once; `npm run crash` does so two hundred times. */
import { test } from 'node:test';
import { killMany } from './crash/kills.ts';

test('a process that is killed anywhere in a cold pull serves nothing wrong and leaves nothing behind', async () => {
  await killMany({ eachStep: 1, atRandom: 2 });
});
