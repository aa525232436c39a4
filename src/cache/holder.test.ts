import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fateOf, thisProcess } from './holder.ts';

const module = JSON.stringify(new URL('./holder.ts', import.meta.url));

/** Another process that tells who it is and lives until its standard input ends. */
async function other(): Promise<{ readonly holder: string; readonly end: () => Promise<void> }> {
  const program = `import { thisProcess } from ${module}; console.log(thisProcess()); process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return {
    holder: line.trim(),
    end: async () => {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}

/** The same holder, one of its parts changed. */
function changed(holder: string, part: number, value: string): string {
  return holder.split('/').with(part, value).join('/');
}

describe('a holder', () => {
  test('is alive while its process is, and ended after it', async () => {
    const { holder, end } = await other();
    try {
      assert.equal(fateOf(holder), 'unknown');
    } finally {
      await end();
    }
    assert.equal(fateOf(holder), 'ended');
  });

  test('is never another process, nor the same one twice', () => {
    assert.notEqual(thisProcess(), thisProcess());
    assert.equal(fateOf(thisProcess()), 'unknown');
  });

  test('is not taken for a process that has its number now', () => {
    const mine = thisProcess();
    assert.equal(fateOf(changed(mine, 4, '1')), 'ended');
    assert.equal(fateOf(changed(mine, 3, '999999999')), 'ended');
  });

  test('of before a restart of this host may have lost what it wrote', () => {
    assert.equal(fateOf(changed(thisProcess(), 1, '00000000-0000-0000-0000-000000000000')), 'rebooted');
  });

  test('of another host, or of another container of this host, is for its lease to tell', () => {
    assert.equal(fateOf(changed(changed(thisProcess(), 0, 'elsewhere'), 3, '999999999')), 'unknown');
    assert.equal(fateOf(changed(changed(thisProcess(), 2, '1'), 3, '999999999')), 'unknown');
  });

  for (const text of ['', '/', 'x', '-/-/-/-/-', thisProcess().split('/')[0] ?? '', '../../../..']) {
    test(`that cannot be read (${JSON.stringify(text)}) is for its lease to tell`, () => {
      assert.equal(fateOf(text), 'unknown');
    });
  }
});
