import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mergeJson } from './json.ts';
import { insertFirstTable, setInToml } from './toml.ts';
import { mergeYaml } from './yaml.ts';

describe('a JSON file', () => {
  const lists = { 'registry-mirrors': ['http://cache:5000'] };

  test('keeps what it has, its order and its indentation', () => {
    const before = '{\n\t"debug": true,\n\t"registry-mirrors": ["https://other"],\n\t"log-opts": {"a": "b"}\n}\n';
    const after = mergeJson(before, lists, 'daemon.json');
    assert.deepEqual(JSON.parse(after), {
      debug: true,
      'registry-mirrors': ['http://cache:5000', 'https://other'],
      'log-opts': { a: 'b' },
    });
    assert.match(after, /^\{\n\t"debug": true,\n\t"registry-mirrors"/);
    assert.equal(mergeJson(after, lists, 'daemon.json'), after);
  });

  test('is left as it is when all of it is there, however it is written', () => {
    const before = '{"registry-mirrors":[ "http://cache:5000" ]}';
    assert.equal(mergeJson(before, lists, 'daemon.json'), before);
  });

  test('may be empty', () => {
    assert.deepEqual(JSON.parse(mergeJson('\n', lists, 'daemon.json')), lists);
  });

  for (const [text, said] of [
    ['{"a": }', /daemon\.json is not valid JSON; correct it first/],
    ['[]', /daemon\.json holds no JSON object/],
    ['{"registry-mirrors": "http://x"}', /"registry-mirrors" in daemon\.json is no list/],
  ] as const) {
    test(`is refused when it is ${text}`, () => {
      assert.throws(() => mergeJson(text, lists, 'daemon.json'), said);
    });
  }
});

describe('a TOML file', () => {
  const keys = ['plugins', 'io.containerd.grpc.v1.cri', 'registry', 'config_path'];
  const set = (before: string): string => setInToml(before, keys, '/etc/certs.d', 'config.toml');

  test('is given a table that it does not have, and keeps its comments', () => {
    assert.equal(
      set('# mine\nversion = 2 # two\n'),
      '# mine\nversion = 2 # two\n\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/certs.d"\n',
    );
  });

  test('is given a line in a table that it has', () => {
    const table = '[plugins."io.containerd.grpc.v1.cri".registry]';
    assert.equal(
      set(`version = 2\n  ${table} # here\n    # nothing yet\n[debug]\nlevel = "info"\n`),
      `version = 2\n  ${table} # here\n    config_path = "/etc/certs.d"\n    # nothing yet\n[debug]\nlevel = "info"\n`,
    );
  });

  test('has a value replaced, also one of several lines', () => {
    const before = '[registry."docker.io"]\n  mirrors = [\n    "other", # theirs\n  ]\n  http = true\n';
    assert.equal(
      setInToml(before, ['registry', 'docker.io', 'mirrors'], ['cache', 'other'], 'buildkitd.toml'),
      '[registry."docker.io"]\n  mirrors = ["cache","other"]\n  http = true\n',
    );
  });

  test('is left as it is when it says so already', () => {
    const before = 'plugins."io.containerd.grpc.v1.cri".registry.config_path = "/etc/certs.d"';
    assert.equal(set(before), before);
  });

  test('is refused where the table is written in a way that no line can be added to', () => {
    assert.throws(
      () => set('plugins."io.containerd.grpc.v1.cri".registry = {}\n'),
      /config\.toml cannot be changed without losing something of it; write config_path = "\/etc\/certs\.d" into/,
    );
    assert.throws(() => set('version = \n'), /config\.toml cannot be read .*; correct it first/);
  });

  test('is not misled by what only looks like a table', () => {
    const before = 'a = """\n[b]\n"""\n';
    assert.throws(() => insertFirstTable(before, '[c]\n', { a: '[b]\n', c: {} }, 'x.toml'), /cannot be changed/);
  });

  test('has a table put before all others, behind the lines of none', () => {
    const wanted = { server: 'https://a', c: { x: 1 }, b: {} };
    assert.equal(
      insertFirstTable('server = "https://a"\n\n[b]\n', '[c]\nx = 1\n', wanted, 'x.toml'),
      'server = "https://a"\n\n[c]\nx = 1\n\n[b]\n',
    );
  });
});

describe('a YAML file', () => {
  const entries = [{ keys: ['mirrors', 'docker.io', 'endpoint'], value: ['http://cache:5000'] }];

  test('keeps its comments, and who was asked before', () => {
    const before =
      '# ours\nmirrors:\n  docker.io:\n    # hub\n    endpoint:\n      - https://other # slow\nconfigs: {}\n';
    const after = mergeYaml(before, entries, 'registries.yaml');
    assert.equal(
      after,
      '# ours\nmirrors:\n  docker.io:\n    # hub\n    endpoint:\n      - http://cache:5000\n      - https://other # slow\nconfigs: {}\n',
    );
    assert.equal(mergeYaml(after, entries, 'registries.yaml'), after);
  });

  test('is refused when it is none', () => {
    assert.throws(
      () => mergeYaml('a: [', entries, 'registries.yaml'),
      /registries\.yaml cannot be read .*; correct it/,
    );
  });
});
