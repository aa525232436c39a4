import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDuration, parseFiniteDuration, parsePositiveDuration, parseRegistryDuration } from './duration.ts';
import { ValueError } from './value-error.ts';

describe('a duration', () => {
  const good: readonly (readonly [string | number, number])[] = [
    ['60s', 60_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['3d', 259_200_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['250ms', 250],
    ['1500us', 1.5],
    ['2m1s500ms', 121_500],
    ['0', 0],
    [0, 0],
    ['0s', 0],
    ['forever', Number.POSITIVE_INFINITY],
    [' 10s ', 10_000],
  ];
  for (const [text, ms] of good) {
    test(`${JSON.stringify(text)} is ${ms} ms`, () => assert.equal(parseDuration(text), ms));
  }

  const bad: readonly (readonly [string | number, RegExp])[] = [
    ['60', /write 60s for seconds/u],
    [60, /write 60s for seconds/u],
    ['-5s', /negative/u],
    ['5 s', /not a duration/u],
    ['5w', /not a duration/u],
    ['1h 30m', /not a duration/u],
    ['', /not a duration/u],
    ['never', /not a duration; write one such as/u],
  ];
  for (const [text, message] of bad) {
    test(`${JSON.stringify(text)} is refused with what to write`, () => {
      assert.throws(
        () => parseDuration(text),
        (error) => error instanceof ValueError && message.test(error.message),
      );
    });
  }

  test("of registry's own keys counts nanoseconds when it has no unit", () => {
    assert.equal(parseRegistryDuration(5_000_000_000), 5_000);
    assert.equal(parseRegistryDuration('5s'), 5_000);
    assert.equal(parseRegistryDuration(0), 0);
  });

  test('that must end is refused when it says forever', () => {
    assert.throws(() => parseFiniteDuration('forever'), /needs an end/u);
    assert.equal(parseFiniteDuration('1s'), 1_000);
  });

  test('of a deadline is refused when it is none', () => {
    for (const none of [0, '0', '0s', '0m0s'])
      assert.throws(() => parsePositiveDuration(none), /leaves no time; write/u);
    assert.throws(() => parsePositiveDuration('forever'), /needs an end/u);
    assert.equal(parsePositiveDuration('1ms'), 1);
  });
});
