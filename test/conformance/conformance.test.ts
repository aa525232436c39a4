import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseJunit } from './cases.ts';
import type { Case } from './cases.ts';
import { withExchanges } from './exchanges.ts';
import { reportText } from './report.ts';
import { parseSkips, skipProblems } from './skips.ts';

const fromTestForm = `<?xml version="1.0" encoding="UTF-8"?>
  <testsuite name="The Suite" tests="3" failures="1" errors="0" time="0.4">
      <testcase name="The Suite Pull gives a blob" classname="The Suite" time="0.02"></testcase>
      <testcase name="The Suite Push takes &#34;n&#34; &amp; &lt;more&gt;" classname="The Suite" time="0.1">
          <failure type="Failure">/root/x/02_push_test.go:153&#xA;Expected&#xA;    &lt;int&gt;: 202&#xA;to equal&#xA;    &lt;int&gt;: 416&#xA;/root/x/02_push_test.go:179</failure>
      </testcase>
      <testcase name="The Suite Pull from nowhere" classname="The Suite" time="0.1">
          <skipped>/root/x/01_pull_test.go:85&#xA;you have skipped this test.</skipped>
      </testcase>
  </testsuite>`;

const fromProgramForm = `<testsuites tests="4"><testsuite name="Suite" tests="4" failures="1" errors="1" time="1">
  <testcase name="Suite/ping" classname="" time="0.1" status="passed"></testcase>
  <testcase name="Suite/push" classname="" time="0.1" status="failure"><system-out>status 500, expected 201</system-out><system-err>PUT /v2/x&#xA;500</system-err></testcase>
  <testcase name="Suite/tag" classname="" time="0.1" status="skipped"><system-out>unsupported</system-out></testcase>
  <testcase name="Suite/broke" classname="" time="0.1" status="error"/>
</testsuite></testsuites>`;

const output = `Running Suite: The Suite
========================
Will run 3 of 3 specs

The Suite Pull 
  gives a blob
  /root/x/01_pull_test.go:18
DEBUG 
${'='.repeat(78)}
GET /v2/a
${'-'.repeat(78)}
200
${'='.repeat(78)}

•
${'-'.repeat(30)}
The Suite Push 
  takes "n" & <more>
  /root/x/02_push_test.go:153
DEBUG 
${'='.repeat(78)}
PATCH /v2/b
${'='.repeat(78)}

DEBUG 
${'='.repeat(78)}
PATCH /v2/c
${'='.repeat(78)}

• Failure [0.001 seconds]
`;

describe("the runner's results", () => {
  test('are read from its test form, without the places in its source', () => {
    assert.deepEqual(parseJunit(fromTestForm), [
      { name: 'Pull gives a blob', outcome: 'passed', reason: '', exchanges: '' },
      {
        name: 'Push takes "n" & <more>',
        outcome: 'failed',
        reason: 'Expected\n    <int>: 202\nto equal\n    <int>: 416',
        exchanges: '',
      },
      { name: 'Pull from nowhere', outcome: 'skipped', reason: 'you have skipped this test.', exchanges: '' },
    ]);
  });

  test('are read from its program form; what is neither passed nor skipped has failed', () => {
    const cases = parseJunit(fromProgramForm);
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

  test('get their requests and responses from the output', () => {
    assert.deepEqual(
      withExchanges(parseJunit(fromTestForm), output).map(({ exchanges }) => exchanges),
      [`GET /v2/a\n${'-'.repeat(78)}\n200`, 'PATCH /v2/b\n\nPATCH /v2/c', ''],
    );
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

  test('gives each its reason', () => {
    const real = parseSkips(readFileSync(join(import.meta.dirname, 'skipped.md'), 'utf8'));
    assert.ok(real.size > 0);
  });
});
