/** Killed at every step of a download, of a push, and of a collection, once; `npm run crash` does so hundreds of times. */
import { test } from 'node:test';
import { CollectLane } from './crash/collect-lane.ts';
import { killMany } from './crash/kills.ts';
import { Lane } from './crash/lane.ts';
import { PushLane } from './crash/push-lane.ts';
import { collectSteps, pushSteps, steps } from './crash/step-names.ts';

test('a process that is killed anywhere in a cold pull serves nothing wrong and leaves nothing behind', async () => {
  await killMany({ eachStep: 1, atRandom: 2 }, steps, (random) => Lane.open(random));
});

test('a process that is killed anywhere in a push or a delete loses nothing that it has acknowledged', async () => {
  await killMany({ eachStep: 1, atRandom: 2 }, pushSteps, (random) => PushLane.open(random));
});

test('a process that is killed anywhere in a collection loses nothing that is needed, and leaves nothing else', async () => {
  await killMany({ eachStep: 1, atRandom: 0 }, collectSteps, (random) => CollectLane.open(random));
});
