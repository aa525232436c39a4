import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HeldTag } from '../index/contract.ts';
import { digestOf } from '../oci/digest.ts';
import { judge } from './freshness.ts';
import type { Judgement } from './freshness.ts';

const now = 1_000_000;
const minute = 60_000;
const digest = digestOf('held');
const descriptor = { digest: digestOf('seen'), size: 1, mediaType: '' };

function held(checkedAtMs: number, seenAtMs?: number): HeldTag {
  return { digest, checkedAtMs, seen: seenAtMs === undefined ? undefined : { descriptor, atMs: seenAtMs } };
}

function onlySeen(atMs: number): HeldTag {
  return { digest: undefined, checkedAtMs: 0, seen: { descriptor, atMs } };
}

describe('a tag', () => {
  const cases: readonly (readonly [what: string, tag: HeldTag | undefined, freshMs: number, judgement: Judgement])[] = [
    ['nobody asked for yet is absent', undefined, minute, 'absent'],
    ['just checked is fresh', held(now), minute, 'fresh'],
    ['checked within its time is fresh', held(now - minute + 1), minute, 'fresh'],
    ['checked its time ago is due', held(now - minute), minute, 'due'],
    ['never vouched for is due', held(0), Infinity, 'due'],
    ['that is never to be asked again is fresh', held(1), Infinity, 'fresh'],
    ['that is to be asked every time is due', held(now), 0, 'due'],
    [
      'seen elsewhere a moment ago is seen, though what is held was checked as well',
      held(now, now - 1),
      minute,
      'seen',
    ],
    ['seen elsewhere its time ago is due', held(now - 2 * minute, now - minute), minute, 'due'],
    [
      'seen elsewhere its time ago is due, however lately what is held was checked',
      held(now, now - minute),
      minute,
      'due',
    ],
    ['only seen, a moment ago, is seen', onlySeen(now - 1), minute, 'seen'],
    ['only seen, its time ago, is absent', onlySeen(now - minute), minute, 'absent'],
    [
      'checked in the future, before the clock was put right, is due',
      held(now + 365 * 24 * 60 * minute),
      minute,
      'due',
    ],
    [
      'checked a moment in the future is fresh, because clocks are put right a little all the time',
      held(now + 5),
      minute,
      'fresh',
    ],
  ];
  for (const [what, tag, freshMs, judgement] of cases) {
    test(what, () => assert.equal(judge(tag, freshMs, now, false), judgement));
  }

  test('that a client insists on is never fresh', () => {
    assert.equal(judge(held(now), minute, now, true), 'due');
    assert.equal(judge(held(now), Infinity, now, true), 'due');
    assert.equal(judge(held(now, now), minute, now, true), 'due');
    assert.equal(judge(onlySeen(now), minute, now, true), 'absent');
    assert.equal(judge(undefined, minute, now, true), 'absent');
  });
});
