/** What an operator refuses is refused by every door and in every way, held or not, and whoever may read it upstream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shelves } from './content.ts';
import type { Shelf } from './content.ts';
import { ask, doors, isTransparent } from './doors.ts';
import type { Asking } from './doors.ts';
import { askFor } from './matrix.ts';
import type { Asker } from './rules.ts';
import { leakScene, tokenFor } from './scene.ts';
import type { Rules, Scene } from './scene.ts';
import { waysTo } from './ways.ts';

const { open, plans } = shelves;
const withoutThem: Readonly<Record<string, Rules>> = {
  'a name that upstreams.*.deny has': { ofHub: { deny: [plans.name] } },
  'a name that upstreams.*.allow has not': { ofHub: { allow: [open.name] } },
  'a name that no rule of access lets anybody pull': {
    access: [
      { who: 'anonymous', may: 'pull', on: `docker.io/${open.name}` },
      { who: 'authenticated', may: ['pull', 'push'], on: 'local/**' },
    ],
  },
};

for (const [what, rules] of Object.entries(withoutThem)) {
  test(`${what} is served by no door and in no way (nora#744)`, async () => {
    await using at = await leakScene({ account: false, exposure: 'authenticated' });
    const alice: Asker = { name: 'alice', authorization: await tokenFor(at, 'alice') };
    for (const shelf of [open, plans]) await readAll(at, alice, shelf);
    await at.rule(rules);
    await readByEveryDoor(at);
    at.hub.reset();
    for (const door of doors) {
      for (const way of waysTo(plans)) {
        const asker = isTransparent(door) ? alice : { name: 'nobody' };
        const told = await askFor(at, { asker, door, way, readers: plans.readers });
        const said = `${way.name} by ${door}: ${told.status} ${told.body.toString('latin1', 0, 200)}`;
        assert.ok(told.status >= 400 && told.status < 500 && !way.gives(told), said);
      }
    }
    for (const path of inOtherWords(plans)) {
      const told = await ask({ ...tunnelled(at, alice), method: 'GET', path });
      assert.ok(told.status >= 400 && told.status < 500, `${path}: ${told.status}`);
    }
    assert.equal(at.hub.count(), 0, at.hub.summary());
  });
}

/** Each of which some server reads as a question about the shelf. */
function inOtherWords({ name, tag, image: { config } }: Shelf): readonly string[] {
  const paths = [`${name}/manifests/${tag}`, `${name}/tags/list`, `${name}/blobs/${config.digest}`];
  return paths.flatMap((path) => [
    `/v2/${path.replace(/m(?=anifests)|t(?=ags)|b(?=lobs)/, encoded)}`,
    `/v2/${path.replace(/^./, encoded)}?n=1&n=2`,
    `/v2/${path}?n=1&n=2`,
    `/%76%32/${path}`,
    `/V2/${path}`,
    `/v2;a=b/${path}`,
    `/x/..;/v2/${path}`,
  ]);
}

function encoded(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16)}`;
}

function tunnelled(at: Scene, { authorization = '' }: Asker): Omit<Asking, 'method' | 'path'> {
  const headers = { host: 'registry-1.docker.io', accept: '*/*', authorization };
  return { headers, port: at.entrepot.port, agent: at.agentFor('tunnel') };
}

/** So that it is held, and she has shown that she may. */
async function readAll(at: Scene, asker: Asker, shelf: Shelf): Promise<void> {
  for (const way of waysTo(shelf)) {
    const told = await askFor(at, { asker, door: 'tunnel', way, readers: undefined });
    assert.ok(way.gives(told), `${way.name}: ${told.status} ${told.body.toString('latin1', 0, 200)}`);
  }
}

/** Others are served as before. */
async function readByEveryDoor(at: Scene): Promise<void> {
  const anybody = await tokenFor(at);
  for (const door of doors.filter((each) => each !== 'sideways')) {
    const asker = { name: 'anybody', authorization: isTransparent(door) ? anybody : undefined };
    for (const way of waysTo(open)) {
      const told = await askFor(at, { asker, door, way, readers: undefined });
      assert.ok(way.gives(told), `${way.name} by ${door}: ${told.status} ${told.body.toString('latin1', 0, 200)}`);
    }
  }
}
