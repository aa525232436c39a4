import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { assertGolden } from '../../test/support/golden.ts';
import { cli } from './testing.ts';

const clock = new FakeClock();
const commands = [
  'serve',
  'check',
  'config',
  'client',
  'ca',
  'ls',
  'du',
  'health',
  'explain',
  'pull',
  'pin',
  'unpin',
  'refresh',
  'purge',
  'rebuild',
  'htpasswd',
  'version',
];

describe('help', () => {
  test('of the program is what it was', async () => {
    const { code, out } = await cli(['--help'], { clock });
    assert.equal(code, 0);
    assertGolden('test/golden/cli/entrepot.txt', out);
  });

  for (const command of commands) {
    test(`of ${command} is what help prints, too`, async () => {
      const { code, out } = await cli(['help', command], { clock });
      assert.equal(code, 0);
      assertGolden(`test/golden/cli/${command}.txt`, out);
    });

    test(`of ${command} is what it was`, async () => {
      const { code, out } = await cli([command, '--help'], { clock });
      assert.equal(code, 0);
      assertGolden(`test/golden/cli/${command}.txt`, out);
    });
  }
});

describe('wrong usage', () => {
  const mistakes: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [['lss'], /unknown command 'lss'\n\(Did you mean ls\?\)/],
    [['help', 'lss'], /unknown command 'lss'\n\(Did you mean ls\?\)\nRun "entrepot --help"/],
    [['help', 'nope-nope'], /^error: unknown command 'nope-nope'\nRun "entrepot --help"/],
    [['ls', '--jason'], /unknown option '--jason'\n\(Did you mean --json\?\)/],
    [['pull'], /missing required argument 'image'/],
    [['client', 'dokcer'], /Allowed choices are docker, docker-mirror, containerd/],
    [['ls', '--limit', 'many'], /"many" is not a count/],
    [['ls', 'a', 'b'], /too many arguments/],
    [['serve', ''], /is invalid for argument 'file'\. It is empty; write a path/],
    [['ls', '--config', ''], /It is empty; write a path/],
    [['ls', '--socket', ''], /It is empty; write a path/],
    [['pin', '['], /"\[" has a bracket or brace without its other half; write both/],
    [['ca', 'server', '--renew', '--in', 'soon'], /"soon" is not a duration; write one such as 60s/],
    [['client', 'docker', '--wait', 'abc'], /"abc" is not a duration; write one such as 60s/],
    [['client', 'docker', '--config='], /It is empty; write a path/],
  ];
  for (const [args, said] of mistakes) {
    test(`${args.join(' ')} ends with 2 and says what to do`, async () => {
      const { code, notes, out } = await cli(args, { clock });
      assert.equal(code, 2);
      assert.match(notes, said);
      assert.equal(out, '');
    });
  }

  test('no command at all prints what there is', async () => {
    const { code, notes } = await cli([], { clock });
    assert.equal(code, 2);
    assert.match(notes, /Commands:/);
  });
});
