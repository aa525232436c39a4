import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseJunit } from './cases.ts';
import type { Case } from './cases.ts';
import { reportText } from './report.ts';
import { parseSkips, skipProblems } from './skips.ts';

const junit = `<testsuites tests="4"><testsuite name="Suite" tests="4" failures="1" errors="1" time="1">
  <testcase name="Suite/ping" classname="" time="0.1" status="passed"></testcase>
  <testcase name="Suite/push" classname="" time="0.1" status="failure"><system-out>status 500, expected 201</system-out><system-err>PUT /v2/x&#xA;500</system-err></testcase>
  <testcase name="Suite/tag" classname="" time="0.1" status="skipped"><system-out>unsupported</system-out></testcase>
  <testcase name="Suite/broke" classname="" time="0.1" status="error"/>
</testsuite></testsuites>`;

describe("the runner's results", () => {
  test('are read; what is neither passed nor skipped has failed', () => {
    const cases = parseJunit(junit);
    assert.deepEqual(
      cases.map(({ outcome }) => outcome),
      ['passed', 'failed', 'skipped', 'failed'],
    );
    assert.deepEqual(cases[1], {
      name: 'Suite/push',
      outcome: 'failed',
      reason: 'status 500, expected 201',
      exchanges: 'PUT /v2/x\n500',
    });
    assert.equal(cases[2]?.reason, 'unsupported');
  });

  test('are none if there is no case', () => {
    assert.throws(() => parseJunit('<testsuite tests="0"></testsuite>'), /reported no case/);
  });
});

describe('the report', () => {
  const failed: Case = { name: 'push', outcome: 'failed', reason: 'no\n\nwhy', exchanges: 'PUT\n\u001b[2J' };

  test('tells a failed case with what was said, a skipped one with its listed reason, and the count', () => {
    const skipped: Case = { name: 'tag', outcome: 'skipped', reason: 'off', exchanges: '' };
    const passed: Case = { name: 'ping', outcome: 'passed', reason: '', exchanges: '' };
    assert.equal(
      reportText([passed, failed, skipped], new Map([['tag', 'Not for us.']])),
      'FAILED push\n    no\n\n    why\n    PUT\n    \u{fffd}[2J\n\nskipped tag: Not for us.\n1 passed, 1 failed, 1 skipped',
    );
  });

  test('cuts what is endless', () => {
    assert.ok(reportText([{ ...failed, exchanges: 'x'.repeat(100_000) }], new Map()).length < 10_000);
  });
});

describe('the list of skipped cases', () => {
  const listed = parseSkips('# Text\n\n| case | reason |\n|---|---|\n| a b | Because. |\n| `c` d | Hence. |\n');
  const skipped = (name: string): Case => ({ name, outcome: 'skipped', reason: '', exchanges: '' });

  test('is read from the table', () => {
    assert.deepEqual(
      [...listed],
      [
        ['a b', 'Because.'],
        ['`c` d', 'Hence.'],
      ],
    );
  });

  test('has every case that is skipped, and no other', () => {
    assert.deepEqual(skipProblems([skipped('a b'), skipped('`c` d')], listed), []);
    assert.deepEqual(skipProblems([skipped('a b'), { ...skipped('`c` d'), outcome: 'passed' }, skipped('e')], listed), [
      'skipped without a reason: e: make it run, or add it to skipped.md',
      'listed in skipped.md, but not skipped: `c` d: take it off the list',
    ]);
  });
});
