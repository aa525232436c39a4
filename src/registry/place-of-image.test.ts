import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exampleTable } from '../../test/support/routing-table.ts';
import { globMatcher } from '../config/value/glob.ts';
import { RegistryError } from '../oci/errors.ts';
import { placeOfImage } from './place-of-image.ts';
import type { RoutingTable } from './place.ts';

/** What was pushed here, whatever the configuration. */
const pushed = new Set(['app', 'local/app', 'team/app', 'team.x/app']);

/** `docker.io/library/redis`, `HERE/app`, or why it is refused. */
async function told(name: string, given: Partial<RoutingTable>): Promise<string> {
  try {
    const { key } = await placeOfImage(name, exampleTable(given), async (each) => pushed.has(each));
    return `${key.upstream ?? 'HERE'}/${key.name}`;
  } catch (error) {
    if (error instanceof RegistryError) return `${error.code} ${error.message}`;
    throw error;
  }
}

function table(title: string, rows: readonly (readonly [name: string, expected: string])[], given = {}): void {
  for (const [name, expected] of rows) {
    test(`${title}: ${name} is ${expected}`, async () => assert.equal(await told(name, given), expected));
  }
}

const unknown = 'is not a known registry; add it under upstreams in the configuration';

describe('an image that an operator names', () => {
  table('is where a client would find it', [
    ['redis', 'docker.io/library/redis'],
    ['library/redis', 'docker.io/library/redis'],
    ['bitnami/redis', 'docker.io/bitnami/redis'],
    ['docker.io/redis', 'docker.io/library/redis'],
    ['index.docker.io/bitnami/redis', 'docker.io/bitnami/redis'],
    ['Quay.io/a/b', 'quay.io/a/b'],
    ['app', 'HERE/app'],
    ['local/app', 'HERE/local/app'],
    ['local/nothing', 'HERE/local/nothing'],
    ['team/app', 'docker.io/team/app'],
    ['docker.io/app', 'docker.io/library/app'],
  ]);

  table('has our own name before it, or another that people have for us', [
    ['cache.example:5000/redis', 'docker.io/library/redis'],
    ['cache.example:5000/app', 'HERE/app'],
    ['cache.example:5000/team/app', 'HERE/team/app'],
    ['cache.example:5000/bitnami/redis', 'docker.io/bitnami/redis'],
    ['cache.example:5000/local/nothing', 'HERE/local/nothing'],
    ['cache.example:5000/quay.io/a/b', 'quay.io/a/b'],
    ['alias:5000/quay.io/a/b', 'quay.io/a/b'],
    ['alias:5000/app', 'HERE/app'],
    ['alias:5000/local/app', 'HERE/local/app'],
    ['alias:5000/redis', `UPSTREAM_UNKNOWN alias:5000 ${unknown}`],
    ['alias:5000/local/nothing', `UPSTREAM_UNKNOWN alias:5000 ${unknown}`],
    ['nowhere.example/a', `UPSTREAM_UNKNOWN nowhere.example ${unknown}`],
  ]);

  table('may have a name with a dot that is declared as hosted', [['corp.x/nothing', 'HERE/corp.x/nothing']], {
    isHosted: globMatcher(['corp.x/**']),
  });
});

describe('an image that an operator names where the configuration is one of registry:2', () => {
  table(
    'is hosted, whatever it is called, in a plain registry',
    [
      ['redis', 'HERE/redis'],
      ['team/app', 'HERE/team/app'],
      ['docker.io/library/redis', 'HERE/docker.io/library/redis'],
      ['team.x/app', 'HERE/team.x/app'],
      ['cache.example:5000/papp', 'HERE/papp'],
      ['alias:5000/papp', 'HERE/papp'],
      ['alias.example/app', 'HERE/app'],
    ],
    { mode: 'registry', defaultUpstream: undefined, findUpstream: () => undefined },
  );

  const mirror = { name: 'mirror:7001', library: false };
  table(
    "is the one upstream's where there is one",
    [
      ['redis', 'mirror:7001/redis'],
      ['library/redis', 'mirror:7001/library/redis'],
      ['mirror:7001/library/redis', 'mirror:7001/library/redis'],
      ['cache.example:5000/library/redis', 'mirror:7001/library/redis'],
      [
        'quay.io/a/b',
        'UPSTREAM_UNKNOWN quay.io is not a known registry; this server is a cache of mirror:7001 alone; name an image of that',
      ],
    ],
    {
      mode: 'registry-proxy',
      defaultUpstream: mirror,
      findUpstream: (host: string) => (host === mirror.name ? mirror : undefined),
      isHosted: () => false,
    },
  );
});
