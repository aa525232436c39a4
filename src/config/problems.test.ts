import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { problemsOf } from './testing.ts';

async function only(text: string): Promise<string> {
  const problems = await problemsOf(text);
  assert.equal(problems.length, 1, problems.join('\n'));
  return problems[0] ?? '';
}

describe('an unknown key', () => {
  test('is named with its place and the nearest one', async () => {
    assert.equal(
      await only('cache:\n  siez: 1GB\n'),
      'config.yml:2:3: cache.siez: unknown key; write size, or remove it',
    );
    assert.equal(await only('storgae: {}\n'), 'config.yml:1:1: storgae: unknown key; write storage, or remove it');
    assert.equal(
      await only('upstreams:\n  quay.io:\n    timeouts: { conect: 5s }\n'),
      'config.yml:3:17: upstreams.quay.io.timeouts.conect: unknown key; write connect, or remove it',
    );
    assert.equal(
      await only('upstreams: { a.b: { mirrors: [{ url: "https://m", resolv: true }] } }'),
      'config.yml:1:51: upstreams.a.b.mirrors[0].resolv: unknown key; write resolve, or remove it',
    );
  });

  test('that belongs elsewhere is sent there', async () => {
    assert.match(
      await only('rootdirectory: /data\n'),
      /it belongs elsewhere: write it as storage\.filesystem\.rootdirectory/u,
    );
    assert.match(await only('freshness: 5m\n'), /write it as upstreams\.NAME\.freshness$/u);
  });

  test('like no other gets the list of those that are known', async () => {
    assert.match(await only('cache: { colour: blue }'), /known below cache: size, diskfree, pins, offline$/u);
  });
});

describe('all that is wrong', () => {
  test('is reported at once, from top to bottom', async () => {
    const problems = await problemsOf(`version: 0.2
http: { addr: 5000, relativeurls: maybe }
cache: { size: 32g, pins: [""] }
upstreams:
  quay.io: { freshness: 60, concurrency: 0, family: 5, ranges: 1.5 }
log: { level: loud, formatter: jsn }
`);
    assert.deepEqual(problems, [
      'config.yml:1:10: version: "0.2" is not a version of this file; write 0.1',
      'config.yml:2:15: http.addr: "5000" is not an address to listen on; write :5000',
      'config.yml:2:35: http.relativeurls: "maybe" does not fit here; write true or false',
      'config.yml:3:16: cache.size: "32g" may be two things; write 32GB or 32GiB',
      'config.yml:3:27: cache.pins: an empty pattern matches nothing; write * or ** for everything, or remove it',
      'config.yml:5:25: upstreams.quay.io.freshness: "60" has no unit; write 60s for seconds, or 60m, 60h, 60d',
      'config.yml:5:42: upstreams.quay.io.concurrency: 0 is too small; write at least 1',
      'config.yml:5:53: upstreams.quay.io.family: "5" is not one of its values; write 4, 6 or any',
      'config.yml:5:64: upstreams.quay.io.ranges: 1.5 does not fit here; write a whole number',
      'config.yml:6:15: log.level: "loud" is not one of its values; write error, warn, info or debug',
      'config.yml:6:32: log.formatter: "jsn" is not one of its values; write json (or text, logstash)',
    ]);
  });

  test('ends with what to do', async () => {
    const problems = await problemsOf(`http: []
storage: [a]
upstreams: { a.b: 5, "c d": {}, e.f: { mirrors: [7], url: nowhere, credentials: me } }
hosted: { names: { a: b } }
cache: yes
log: { fields: 3, accesslog: { disabled: "true" } }
`);
    for (const problem of problems)
      assert.match(problem, /^config\.yml:\d+:\d+: [^:]+: .*(?:;|,) (?:write|remove|add|leave) .+/u);
    assert.equal(problems.length, 11, problems.join('\n'));
  });
});

describe('broken YAML', () => {
  test('is reported with its place', async () => {
    const [first] = await problemsOf('http:\n  addr: [":5000"\ncache: {}\n');
    assert.match(first ?? '', /^config\.yml:3:1: .*; correct the YAML here$/u);
  });

  test('with a key twice is an error at the second', async () => {
    assert.match(
      await only('cache: {}\nlog: {}\ncache: {}\n'),
      /^config\.yml:3:1: Map keys must be unique; correct the YAML here$/u,
    );
  });

  test('that is a list, or a word, is no configuration', async () => {
    assert.match(await only('- a\n'), /not a map of keys/u);
    assert.match(await only('hello\n'), /not a map of keys/u);
  });

  test('that grows without end is refused', async () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) =>
        `a${level}: &a${level} [${Array.from({ length: 10 }, () => (level === 0 ? 'x' : `*a${level - 1}`)).join(', ')}]`,
    );
    const problems = await problemsOf(`log:\n  fields:\n${levels.map((line) => `    ${line}`).join('\n')}\n`);
    assert.match(problems.join('\n'), /more than 100000 values/u);
  });

  test('that contains itself is refused', async () => {
    assert.match((await problemsOf('log: { fields: { a: &a [*a] } }')).join('\n'), /64 levels|alias/iu);
  });
});

describe('what does not fit together', () => {
  const cases: readonly (readonly [name: string, text: string, expected: RegExp])[] = [
    [
      'two drivers',
      'storage:\n  filesystem: {}\n  inmemory: {}\n',
      /config\.yml:3:\d+: storage\.inmemory: a second driver beside filesystem; leave one/u,
    ],
    [
      'a certificate without its key',
      'index: sqlite\nhttp: { tls: { certificate: /etc/hostname } }',
      /http\.tls\.certificate: a certificate without its key; write http\.tls\.key, too/u,
    ],
    [
      'a certificate that cannot be read',
      'index: sqlite\nhttp: { tls: { certificate: /nope/c, key: /nope/k } }',
      /http\.tls\.certificate: \/nope\/c does not exist; check the path/u,
    ],
    [
      'a user without a password',
      'upstreams: { a.b: { credentials: { username: u } } }',
      /credentials\.username: a user without a password; write/u,
    ],
    [
      'a password without a user',
      'upstreams: { a.b: { credentials: { password: p } } }',
      /credentials: says nobody; write/u,
    ],
    [
      'two passwords',
      'upstreams: { a.b: { credentials: { username: u, password: p, passwordfile: /x } } }',
      /credentials\.password: a password and a file with one; leave one/u,
    ],
    [
      'two kinds of credentials',
      'upstreams: { a.b: { credentials: { helper: ecr-login, provider: ecr } } }',
      /credentials\.provider: a second kind of credentials beside helper; leave one/u,
    ],
    [
      'credentials over plain http',
      'upstreams: { a.b: { url: "http://a.b", credentials: { helper: x } } }',
      /url: would send credentials over plain http; write https:/u,
    ],
    [
      'one upstream under two names',
      'upstreams: { docker.io: {}, Index.Docker.io: {} }',
      /config\.yml:1:46: upstreams\.Index\.Docker\.io: is the same upstream as docker\.io \(config\.yml:1:25\); write/u,
    ],
    [
      'an upstream that is everything',
      'upstreams: { "*": {} }',
      /would let clients choose where we connect to; name a domain/u,
    ],
    [
      'a wildcard with a fixed URL',
      'upstreams: { "*.corp": { url: "https://one.corp" } }',
      /url: a name with 1 stars and a URL with 0; write as many in both/u,
    ],
    [
      'a default upstream that nobody knows',
      'defaultupstream: registry.corp',
      /defaultupstream: registry\.corp is not a known upstream; write upstreams\.registry\.corp\.url, too/u,
    ],
    [
      'proxy credentials without a proxy',
      'proxy: { username: u }',
      /proxy\.username: needs an upstream; write proxy\.remoteurl, too/u,
    ],
    [
      'half of proxy credentials',
      'proxy: { remoteurl: "https://a.b", username: u }',
      /proxy\.username: needs the other half; write proxy\.password, too/u,
    ],
  ];
  for (const [name, text, expected] of cases) {
    test(`${name} is an error that says so`, async () => assert.match((await problemsOf(text)).join('\n'), expected));
  }
});

test('no error shows a secret', async () => {
  const problems = await problemsOf(`
upstreams: { a.b: { url: "https://u:hunter2@a.b", proxy: "ftp://u:hunter2@p", credentials: { username: u, password: [hunter2] }, mirrors: ["https://u:hunter2@m"] } }
proxy: { password: [hunter2], remoteurl: "https://u:hunter2@a.b" }
index: mysql://u:hunter2@db
`);
  assert.equal(problems.length, 8, problems.join('\n'));
  assert.ok(
    problems.every((problem) => !problem.includes('hunter2')),
    problems.join('\n'),
  );
});
