/** The long form of crash.test.ts, with a script of its own: `npm run crash`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killMany } from './kills.ts';
import { steps } from './step-names.ts';

test('two hundred processes are killed in the middle of cold pulls, and nothing is served wrong or left behind', async (t) => {
  const hits = await killMany({ eachStep: 12, atRandom: 104 });
  for (const [moment, count] of hits) t.diagnostic(`${count} killed ${moment}`);
  for (const step of steps) assert.ok((hits.get(step) ?? 0) >= 10, step);
  assert.ok([...hits.values()].reduce((sum, count) => sum + count, 0) >= 200);
});
