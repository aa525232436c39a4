/** The long form of crash.test.ts, with a script of its own: `npm run crash`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../random.ts';
import { CollectLane } from './collect-lane.ts';
import { killMany } from './kills.ts';
import { Lane } from './lane.ts';
import { PushLane } from './push-lane.ts';
import { collectSteps, pushSteps, steps } from './step-names.ts';

const stories = [
  {
    title: 'two hundred processes are killed in the middle of cold pulls, and nothing is served wrong or left behind',
    steps,
    atRandom: 104,
    open: (random: Random) => Lane.open(random),
  },
  {
    title: 'two hundred processes are killed in the middle of pushes and deletes, and nothing acknowledged is lost',
    steps: pushSteps,
    atRandom: 80,
    open: (random: Random) => PushLane.open(random),
  },
  {
    title: 'seventy processes are killed in the middle of collections, and nothing that is needed is lost',
    steps: collectSteps,
    atRandom: 10,
    open: (random: Random) => CollectLane.open(random),
  },
] as const;

for (const story of stories) {
  test(story.title, async (t) => {
    const hits = await killMany({ eachStep: 12, atRandom: story.atRandom }, story.steps, story.open);
    for (const [moment, count] of hits) t.diagnostic(`${count} killed ${moment}`);
    for (const step of story.steps) assert.ok((hits.get(step) ?? 0) >= 10, step);
    const total = story.steps.length * 12 + story.atRandom;
    assert.equal(
      [...hits.values()].reduce((sum, count) => sum + count, 0),
      total,
    );
  });
}
