import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { decide } from './decide.ts';
import type { InterceptRules } from './decide.ts';
import { hostOf, parseTarget } from './target.ts';

const upstreams = new Map([
  ['quay.io', 'quay.io'],
  ['registry-1.docker.io', 'docker.io'],
  ['auth.docker.io', 'docker.io'],
  ['registry.example:5000', 'registry.example:5000'],
]);

const strict: InterceptRules = {
  isOwnName: (name) => name === 'cache.example:5000' || name === '127.0.0.1:5000',
  upstreamAt: (name) => upstreams.get(name),
  explores: false,
  others: 'refuse',
  ports: [443],
};

function told(text: string, rules: Partial<InterceptRules> = {}): string {
  const target = parseTarget(text);
  if (target === undefined) return 'malformed';
  const decision = decide(target, { ...strict, ...rules });
  return decision.kind === 'intercept' ? `intercept ${decision.upstream}` : decision.kind;
}

describe('where a tunnel leads', () => {
  const rows: readonly (readonly [target: string, refusing: string, tunnelling: string])[] = [
    ['quay.io:443', 'intercept quay.io', 'intercept quay.io'],
    ['QUAY.io:443', 'intercept quay.io', 'intercept quay.io'],
    ['quay.io.:443', 'intercept quay.io', 'intercept quay.io'],
    ['registry-1.docker.io:443', 'intercept docker.io', 'intercept docker.io'],
    ['auth.docker.io:443', 'intercept docker.io', 'intercept docker.io'],
    ['registry.example:5000', 'intercept registry.example:5000', 'intercept registry.example:5000'],
    ['registry.example:443', 'refuse', 'tunnel'],
    ['cache.example:5000', 'own', 'own'],
    ['127.0.0.1:5000', 'own', 'own'],
    ['quay.io:80', 'refuse', 'refuse'],
    ['quay.io:22', 'refuse', 'refuse'],
    ['smtp.example:25', 'refuse', 'refuse'],
    ['127.0.0.1:5001', 'refuse', 'refuse'],
    ['example.com:443', 'refuse', 'tunnel'],
    // What it is connected to is judged by its address, later.
    ['169.254.169.254:443', 'refuse', 'tunnel'],
    ['[::1]:443', 'refuse', 'tunnel'],
    ['quay.io.evil.example:443', 'refuse', 'tunnel'],
    ['evil-quay.io:443', 'refuse', 'tunnel'],
    ['quаy.io:443', 'malformed', 'malformed'],
    ['quay.io@evil.example:443', 'malformed', 'malformed'],
    ['quay.io:443@evil.example:443', 'malformed', 'malformed'],
    ['quay.io', 'malformed', 'malformed'],
    ['quay.io:', 'malformed', 'malformed'],
    ['quay.io:0', 'malformed', 'malformed'],
    ['quay.io:65536', 'malformed', 'malformed'],
    ['quay.io:4434434434', 'malformed', 'malformed'],
    ['quay.io:+443', 'malformed', 'malformed'],
    ['https://quay.io:443', 'malformed', 'malformed'],
    ['quay.io:443/v2/', 'malformed', 'malformed'],
    [':443', 'malformed', 'malformed'],
    ['::1:443', 'malformed', 'malformed'],
    ['[::1%lo]:443', 'malformed', 'malformed'],
    [' quay.io:443', 'malformed', 'malformed'],
    ['quay.io\0.evil.example:443', 'malformed', 'malformed'],
    [`${'a.'.repeat(200)}io:443`, 'malformed', 'malformed'],
  ];
  for (const [target, refusing, tunnelling] of rows) {
    test(`${JSON.stringify(target.slice(0, 60))} is ${refusing}, and ${tunnelling} where others may pass`, () => {
      assert.equal(told(target), refusing);
      assert.equal(told(target, { others: 'tunnel' }), tunnelling);
    });
  }

  test('where whatever behaves like a registry is intercepted, it is looked for, at usual ports and at names alone', () => {
    assert.equal(told('example.com:443', { explores: true }), 'explore');
    assert.equal(told('quay.io:443', { explores: true }), 'intercept quay.io');
    assert.equal(told('cache.example:5000', { explores: true }), 'own');
    for (const target of ['example.com:25', '169.254.169.254:443', '[::1]:443', '10.0.0.1:443']) {
      assert.equal(told(target, { explores: true }), 'refuse', target);
    }
    assert.equal(told('192.0.2.1:443', { explores: true, others: 'tunnel' }), 'tunnel');
  });

  test('a refusal says what to do', () => {
    const target = parseTarget('example.com:443');
    assert.ok(target);
    const decision = decide(target, strict);
    assert.match(
      decision.kind === 'refuse' ? decision.why : '',
      /example\.com.*upstreams:.*NO_PROXY.*intercept\.others/,
    );
  });

  test('no text whatsoever is more than a host and a port', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `${text}:443`),
        ),
        (text) => {
          const target = parseTarget(text);
          if (target === undefined) return;
          assert.match(target.host, /^[a-z0-9_.:-]+$/);
          assert.ok(target.port > 0 && target.port < 65_536);
          assert.equal(hostOf(target.name), target.host);
        },
      ),
    );
  });
});
