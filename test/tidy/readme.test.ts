import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Context } from '../../src/cli/context.ts';
import { runCli } from '../../src/cli/run.ts';
import { runtimes } from '../../src/clients/runtimes.ts';
import { loadConfig } from '../../src/config/load.ts';
import { makeAuthority } from '../support/certificates.ts';
import { htpasswdOf } from '../support/logins.ts';
import { TempDir } from '../support/temp-dir.ts';
import { codeBlocks, pages, readText } from './markdown.ts';
import { repositoryRoot } from './modules.ts';

const readme = readText('README.md');
const { scripts } = JSON.parse(readText('package.json')) as { readonly scripts: Readonly<Record<string, string>> };

/** The single commands of blocks of shell, comments and conditions left out. */
function commandsOf(page: string): readonly string[] {
  const lines = codeBlocks(page).flatMap(({ language, text }) => (language === 'sh' ? text.split('\n') : []));
  return lines
    .flatMap((line) => line.replace(/\s#.*$/, '').split('&&'))
    .map((command) => command.trim().replace(/^(?:[A-Z_]+=\S+ )+/, ''))
    .filter((command) => command !== '');
}

/** What a npm command runs; undefined for what is npm's own. */
function scriptOf(command: string): string | undefined {
  const [, word = '', name] = /^npm (run )?([\w:-]+)/.exec(command) ?? [];
  return word === '' && name !== 'start' && name !== 'test' ? undefined : name;
}

describe('the README', () => {
  test('serves with one command and tests with one', () => {
    const commands = codeBlocks(readme).map(({ text }) => text.trim());
    assert.ok(commands.includes('npm ci && npm start'));
    assert.ok(commands.includes('npm ci && npm test'));
    assert.match(scripts['start'] ?? '', /^node src\/main\.ts serve$/);
    assert.equal(scripts['test'], 'npm run check');
  });

  test('names files to run that are there', () => {
    const files = commandsOf(readme).flatMap((command) => /^npx node (\S+)/.exec(command)?.[1] ?? []);
    assert.ok(files.length > 5);
    assert.deepEqual(
      files.filter((file) => !existsSync(join(repositoryRoot, file))),
      [],
    );
  });

  test('names commands of ours that are there', async () => {
    const named = commandsOf(readme).flatMap((command) => /^npx node src\/main\.ts (\w+)/.exec(command)?.[1] ?? []);
    assert.ok(named.includes('serve') && named.includes('explain'));
    for (const name of new Set(named)) assert.match(await helpOf(name), new RegExp(`^Usage: entrepot ${name}\\b`));
    assert.doesNotMatch(await helpOf('brew'), /^Usage: entrepot brew\b/);
  });

  test('names every runtime that `entrepot client` sets up, and no other', () => {
    const rows = readme.split('\n').filter((line) => line.startsWith('| ') && line.includes('`client '));
    const named = rows.flatMap((row) => codeSpans(row.split('|')[2] ?? '').map((text) => text.replace('client ', '')));
    assert.deepEqual(named.toSorted(), Object.keys(runtimes).toSorted());
  });

  test('has a configuration that can be loaded', async () => {
    await using directory = await TempDir.make();
    const given = codeBlocks(readme).findLast(({ language }) => language === 'yaml');
    const paths = [...(given?.text ?? '').matchAll(/(?:passwordfile|ca): ([^\s}]+)/g)].map(([, path = '']) => path);
    assert.equal(paths.length, 2);
    let text = given?.text ?? '';
    for (const [index, path] of paths.entries()) {
      await writeFile(directory.join(String(index)), 'x');
      text = text.replace(path, directory.join(String(index)));
    }
    const { config, notices } = await loadConfig({ text, env: {} });
    assert.deepEqual(notices, []);
    assert.equal(config.mode, 'entrepot');
  });
});

describe('the page about users', () => {
  test('has configurations that can be loaded', async () => {
    await using directory = await TempDir.make();
    const authority = makeAuthority();
    const files = {
      ...authority.issue(['cache.example']),
      ca: authority.ca,
      users: htpasswdOf({ ann: 'x', bob: 'x', ci: 'x' }),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(directory.join(name), text);
    const stand = { users: 'users', 'auth.pem': 'ca', 'clients.pem': 'ca', 'tls.pem': 'cert', 'tls.key': 'key' };
    const given = codeBlocks(readText('docs/users.md')).filter(({ language }) => language === 'yaml');
    assert.ok(given.length > 3);
    for (const { text } of given) {
      const placed = text.replaceAll(/\/etc\/entrepot\/([\w.]+)/g, (_, name: keyof typeof stand) =>
        directory.join(stand[name]),
      );
      const { notices } = await loadConfig({ text: placed, env: {} });
      assert.deepEqual(
        notices.filter((notice) => !/over plain http/.test(notice)),
        [],
        text,
      );
    }
  });
});

describe('every page', () => {
  test('names npm scripts that are there', () => {
    const named = pages().flatMap((page) =>
      [...commandsOf(readText(page)), ...codeSpans(readText(page))].flatMap((command) => scriptOf(command) ?? []),
    );
    assert.ok(named.includes('bench') && named.includes('interop'));
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
  });
});

function codeSpans(page: string): readonly string[] {
  return [...page.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);
}

async function helpOf(command: string): Promise<string> {
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  const out: Partial<Context['out']> = { print: write, note: write };
  await runCli([command, '--help'], { out, env: {} } as unknown as Context);
  return text;
}
