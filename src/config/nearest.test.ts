import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { editDistance, nearest } from './nearest.ts';

describe('the nearest word', () => {
  for (const [one, other, distance] of [
    ['size', 'size', 0],
    ['siez', 'size', 1],
    ['sze', 'size', 1],
    ['sizes', 'size', 1],
    ['storgae', 'storage', 1],
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
    ['ca', 'abc', 3],
  ] as const) {
    test(`${one} and ${other} are ${distance} apart`, () => assert.equal(editDistance(one, other), distance));
  }

  test('is found in any case', () =>
    assert.equal(nearest('RootDirectry', ['rootdirectory', 'maxthreads']), 'rootdirectory'));
  test('is none when all are far', () => assert.equal(nearest('colour', ['size', 'pins']), undefined));
  test('of one letter is none other', () => assert.equal(nearest('5', ['4', '6']), undefined));
});
