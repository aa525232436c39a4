import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readText } from './markdown.ts';
import { repositoryRoot } from './modules.ts';

const manifest = JSON.parse(readText('package.json')) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly config: { readonly oldestNode: string };
};

/** What `npm start` says first on a Node of this version. */
function checkedOn(version: string): { readonly status: number | null; readonly stderr: string } {
  const posing = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const [, file = ''] = /^node (\S+)$/.exec(manifest.scripts['prestart'] ?? '') ?? [];
  const args = ['--import', `data:text/javascript,${encodeURIComponent(posing)}`, join(repositoryRoot, file)];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

describe('npm start', () => {
  for (const version of ['18.20.4', '20.20.2', '24.14.1']) {
    test(`says on Node ${version} what to do, without a stack`, () => {
      const { status, stderr } = checkedOn(version);
      assert.equal(status, 1);
      assert.match(
        stderr,
        new RegExp(
          `^Entrepot needs Node ${RegExp.escape(manifest.config.oldestNode)} or newer, and this is ${version}\\. `,
        ),
      );
      assert.match(stderr, /run "npm ci --include=dev"/);
      assert.equal(stderr.split('\n').length, 2);
    });
  }

  for (const version of [`${manifest.config.oldestNode}.0`, '26.0.0', process.versions.node]) {
    test(`starts on Node ${version}`, () => {
      const { status, stderr } = checkedOn(version);
      assert.deepEqual([status, stderr], [0, '']);
    });
  }
});
