import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Finding } from './check.ts';

import { anyPort, runCheck, upstreams } from './testing.ts';

describe('check', () => {
  test('contacts the upstreams that the configuration names, and fails when one fails', async () => {
    await using dir = await TempDir.make();
    const yaml = `${anyPort}upstreams: { registry.example: { url: "https://registry.example" } }\n`;
    const found = upstreams({
      'docker.io': { limit: { limit: 100, remaining: 7 } },
      'registry.example': { lastError: 'connection refused; check the network' },
      'quay.io': {},
    });
    const { code, findings, notes } = await runCheck(dir, yaml, [], found);
    assert.equal(code, 1);
    assert.equal(
      findings.get('upstream docker.io')?.text,
      'https://docker.io answers anonymously, 7 of 100 requests left',
    );
    assert.deepEqual(findings.get('upstream registry.example'), {
      what: 'upstream registry.example',
      ok: false,
      text: 'connection refused; check the network',
    });
    assert.equal(findings.has('upstream quay.io'), false);
    assert.match(notes, /^1 of \d+ checks failed; see what to do/);
  });

  test('contacts a public registry that the configuration says something of, and none that it does not', async () => {
    await using dir = await TempDir.make();
    const yaml = `${anyPort}upstreams: { quay.io: { credentials: { username: us, password: wrong } } }\n`;
    const found = upstreams({
      'docker.io': {},
      'quay.io': { lastError: 'quay.io refused our credentials (401); check them' },
      'ghcr.io': {},
    });
    const { code, findings } = await runCheck(dir, yaml, [], found);
    assert.equal(code, 1);
    assert.deepEqual(
      [...findings.keys()].filter((what) => what.startsWith('upstream')),
      ['upstream docker.io', 'upstream quay.io'],
    );
    assert.equal(findings.get('upstream quay.io')?.text, 'quay.io refused our credentials (401); check them');
  });

  test('contacts mirrors, and fails when one fails', async () => {
    await using dir = await TempDir.make();
    const mirrors = [{ url: 'http://127.0.0.1:1', lastError: 'connection refused; check the network' }];
    const yaml = `${anyPort}upstreams: { docker.io: { mirrors: ["http://127.0.0.1:1"] } }\n`;
    const { code, findings } = await runCheck(dir, yaml, [], upstreams({ 'docker.io': { mirrors } }));
    assert.equal(code, 1);
    assert.equal(findings.get('upstream docker.io')?.ok, true);
    assert.deepEqual(findings.get('mirror of docker.io'), {
      what: 'mirror of docker.io',
      ok: false,
      text: 'http://127.0.0.1:1: connection refused; check the network, or take it out of upstreams.docker.io.mirrors',
    });
  });

  test('contacts nobody when asked not to', async () => {
    await using dir = await TempDir.make();
    const { code, findings } = await runCheck(dir, anyPort, ['--no-upstreams']);
    assert.equal(code, 0);
    assert.deepEqual([...findings.keys()], ['configuration', 'store', 'index', 'port 127.0.0.1:0']);
  });

  test('leaves no directory behind that was not there', async () => {
    await using dir = await TempDir.make();
    const { findings } = await runCheck(dir, anyPort, ['--no-upstreams']);
    assert.match(findings.get('store')?.text ?? '', /data will be made at first start, .* free$/);
    assert.deepEqual(await dir.files(), ['config.yml']);
  });

  test('finds a pattern that can never match, and says what was meant (projectbluefin/lab#596)', async () => {
    await using dir = await TempDir.make();
    const yaml = [
      anyPort.trim(),
      'upstreams:',
      '  docker.io: { deny: ["redis", "docker.io/team/**", "team/**", "*/secret", "**"] }',
      '  quay.io: { allow: ["*", "quay.io/team/*"] }',
      'hosted: { names: ["local/**", "our.example/**"] }',
      'intercept: { hosts: [quay.io, qauy.io] }',
      'access:',
      '  - { who: anonymous, may: pull, on: ["docker.io/redis", "dokcer.io/**", "index.docker.io/library/*"] }',
      '  - { who: anonymous, may: pull, on: ["docker.io/library/redis", "local/**", "our.example/**", "**", "*.io/**"] }',
    ].join('\n');
    const { code, out } = await runCheck(dir, `${yaml}\n`, ['--no-upstreams']);
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    const wrong = findings.filter(({ ok }) => !ok).map(({ what, text }) => `${what}: ${text}`);
    assert.deepEqual(wrong, [
      'pattern upstreams.docker.io.deny: "redis" never matches: names of one part are in library/ there; write "library/redis", or "**" for everything',
      'pattern upstreams.docker.io.deny: "docker.io/team/**" never matches: names within an upstream do not begin with it; write "team/**"',
      'pattern upstreams.quay.io.allow: "quay.io/team/*" never matches: names within an upstream do not begin with it; write "team/*"',
      'pattern access[0].on: "docker.io/redis" never matches: names of one part are in library/ there; write "docker.io/library/redis"',
      'pattern access[0].on: "dokcer.io/**" never matches: dokcer.io is no upstream; correct it, or add it under upstreams',
      'pattern access[0].on: "index.docker.io/library/*" never matches: it is called docker.io here; write that instead of index.docker.io',
      'pattern intercept.hosts: "qauy.io" is never intercepted: it is no upstream; add it under upstreams, or take it out',
    ]);
  });

  test('finds pins, freshness and immutability that can never count', async () => {
    await using dir = await TempDir.make();
    const yaml = [
      anyPort.trim(),
      'cache: { pins: ["dockr.io/library/x:*", "redis:7", "quay.io/a/b", "*.io/**", "eu.gcr.io/a/*:v1"] }',
      'upstreams:',
      '  quay.io: { freshness: [{ tags: "*:latest", for: 0 }, { tags: "team/*", for: 0 }, { tags: "v[0-9:]*", for: 0 }] }',
      'hosted:',
      '  names: ["local/**", "web-*"]',
      '  immutable: ["prod/**:v*", "local/app", "local/*", "local/**:v*", "web-?:*", "**:v{1,2}", "*/app:{a,b}"]',
    ].join('\n');
    const { code, out } = await runCheck(dir, `${yaml}\n`, ['--no-upstreams']);
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    const wrong = findings.filter(({ ok }) => !ok).map(({ what, text }) => `${what}: ${text}`);
    assert.deepEqual(wrong, [
      'pattern cache.pins: "dockr.io/library/x:*" never matches: dockr.io is no upstream; correct it, or add it under upstreams',
      'pattern upstreams.quay.io.freshness: "*:latest" never matches: no tag has a ":"; write "latest"',
      'pattern upstreams.quay.io.freshness: "team/*" never matches: no tag has a "/"; write "*"',
      'pattern hosted.immutable: "prod/**:v*" never matches: nothing of that name is hosted; correct it, or add "prod/**" to hosted.names',
      'pattern hosted.immutable: "local/app" never matches: it is of repositories with their tags; write "local/app:*"',
    ]);
  });

  test('finds immutability without tags in a file of registry, whose names are all hosted', async () => {
    await using dir = await TempDir.make();
    const yaml = `${anyPort}hosted: { immutable: ["prod/**:v*", "app"] }\n`;
    const { out } = await runCheck(dir, yaml, ['--no-upstreams']);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    assert.deepEqual(
      findings.filter(({ ok }) => !ok).map(({ text }) => text),
      ['"app" never matches: it is of repositories with their tags; write "app:*"'],
    );
  });
});
