/** Every way by every door for every asker, in an order of its own each time. */
import assert from 'node:assert/strict';
import { marker, shelves } from './content.ts';
import type { Shelf } from './content.ts';
import { ask, doors, isTransparent, pathAt } from './doors.ts';
import type { Door, Told } from './doors.ts';
import { isServed } from './rules.ts';
import type { Asker, World } from './rules.ts';
import type { Scene } from './scene.ts';
import { waysAround, waysByPushing, waysTo } from './ways.ts';
import type { Way } from './ways.ts';

export interface Cell {
  readonly asker: Asker;
  readonly door: Door;
  readonly way: Way;
  readonly readers: Shelf['readers'];
}

export function cellsOf(askers: readonly Asker[], shelvesAsked: readonly Shelf[]): Cell[] {
  const asked = [
    ...shelvesAsked.flatMap((shelf) => waysTo(shelf).map((way) => ({ way, readers: shelf.readers }))),
    ...waysAround().map((way) => ({ way, readers: [] })),
  ];
  const cells = askers.flatMap((asker) => doors.flatMap((door) => asked.map((each) => ({ asker, door, ...each }))));
  return cells.filter((cell) => isAsked(cell));
}

function isAsked({ asker, door, way }: Cell): boolean {
  if (asker.isOnlyForUs === true && isTransparent(door)) return false;
  return !isGuess({ asker, door }) || way.name === 'digest' || way.name === 'layer';
}

/** Guessing passwords is made slow, and nobody is to wait for it here. */
function isGuess({ asker, door }: Pick<Cell, 'asker' | 'door'>): boolean {
  const { authorization = '', isUserHere } = asker;
  return authorization.startsWith('Basic ') && isUserHere !== true && !isTransparent(door) && door !== 'sideways';
}

let guessers = 0;

function addressOf(cell: Cell): string | undefined {
  return isGuess(cell) ? `127.1.${(guessers >> 8) & 255}.${(guessers++ & 127) + 1}` : undefined;
}

export interface Moment {
  readonly name: string;
  readonly world: World;
  readonly seed: number;
  /** Of the cells: chance says which. */
  readonly share: number;
}

/** @throws AssertionError that names every cell that is not as the rules have it */
export async function assertAsTheRulesSay(at: Scene, cells: readonly Cell[], moment: Moment): Promise<number> {
  const wrong: string[] = [];
  const waiting = chosen(cells, moment);
  let served = 0;
  const work = async (): Promise<void> => {
    for (let cell = waiting.pop(); cell !== undefined; cell = waiting.pop()) {
      const told = await askFor(at, cell);
      const verdict = verdictOn(cell, told, moment.world);
      if (verdict === 'served') served++;
      else if (verdict !== 'refused') wrong.push(`${nameOf(cell)}: ${verdict}`);
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
  const some = wrong.slice(0, 25).join('\n');
  assert.equal(wrong.length, 0, `${moment.name}, seed ${moment.seed}: ${wrong.length} wrong\n${some}`);
  return served;
}

/** Of those that are to be served as large a share as of the others, so that there is something of both to see. */
function chosen(cells: readonly Cell[], { world, seed, share }: Moment): Cell[] {
  const some = (those: readonly Cell[]): Cell[] => shuffled(those, seed).slice(0, Math.ceil(those.length * share));
  const isDue = ({ asker, door, way, readers }: Cell): boolean => isServed(asker, door, way, readers, world);
  return shuffled([...some(cells.filter(isDue)), ...some(cells.filter((cell) => !isDue(cell)))], seed);
}

export function askFor(at: Scene, cell: Cell): Promise<Told> {
  const { asker, door, way } = cell;
  const { authorization } = asker;
  const localAddress = addressOf(cell);
  return ask({
    method: way.method,
    path: pathAt(door, way.path),
    headers: {
      host: 'registry-1.docker.io',
      ...way.headers,
      ...hostAt(door, at),
      ...(authorization && { authorization }),
    },
    port: at.entrepot.port,
    agent: localAddress === undefined ? at.agentFor(door) : false,
    localAddress,
  });
}

function hostAt(door: Door, { entrepot }: Scene): Readonly<Record<string, string>> {
  if (isTransparent(door)) return {};
  return { host: door === 'sideways' ? 'quay.io' : `127.0.0.1:${entrepot.port}` };
}

function verdictOn({ asker, door, way, readers }: Cell, told: Told, world: World): string {
  const isRight = isServed(asker, door, way, readers, world);
  const said = `${told.status} ${told.body.toString('latin1').slice(0, 160)}`;
  if (told.status < 400) {
    if (!isRight) return `LEAKED, ${said}`;
    return way.gives(told) ? 'served' : `not what was asked for: ${said} ${JSON.stringify(told.headers)}`;
  }
  if (isRight) return `refused to whom it is due: ${said}`;
  if (told.status >= 500 && !world.isAway) return `broken: ${said}`;
  const slip = slipOf(way, told);
  return slip === undefined ? 'refused' : `the refusal tells ${slip}: ${said}`;
}

/** What a refusal says of what lies there, besides what the question said. */
function slipOf(way: Way, { headers, body }: Told): string | undefined {
  if (headers['docker-content-digest'] !== undefined || headers.etag !== undefined) return 'a digest';
  const text = `${JSON.stringify(headers)} ${body.toString('latin1')}`;
  const own = Object.values(shelves).flatMap(({ index, image, signature, tag }) => [
    index.digest,
    image.digest,
    signature.digest,
    tag,
    ...image.blobs.map(({ digest }) => digest),
  ]);
  return [marker, ...own].find((each) => text.includes(each) && !way.path.includes(each));
}

/** Lists of what there is: nobody sees a name there that he may not read, and administration is for operators. */
export async function assertListsKeepQuiet(at: Scene, askers: readonly Asker[], world: World): Promise<void> {
  const { port } = at.entrepot;
  for (const asker of askers.filter((each) => !isGuess({ asker: each, door: 'root' }))) {
    const { authorization } = asker;
    const headers = { host: `127.0.0.1:${port}`, ...(authorization && { authorization }) };
    const list = (path: string) => ask({ method: 'GET', path, headers, port, agent: at.agentFor('root') });
    const catalog = await list('/v2/_catalog');
    for (const { name, readers } of Object.values(shelves)) {
      const [way] = cellsOf([asker], [{ ...shelves.open, name }]);
      assert.ok(way);
      const mayRead = isServed(asker, 'root', way.way, readers, world);
      const isListed = catalog.body.includes(`${name}"`);
      assert.ok(mayRead || !isListed, `${asker.name} is told of ${name}`);
      if (readers === undefined) assert.equal(isListed, mayRead, `${asker.name} and ${name}`);
    }
    const images = await list('/admin/v1/images');
    assert.ok(images.status === 401 || images.status === 404, `${asker.name}: ${images.status}`);
  }
}

export async function assertNobodyPushesHisWayIn(at: Scene, authorization: string): Promise<void> {
  for (const { name, method, path, headers, body, gives } of waysByPushing()) {
    const { port } = at.entrepot;
    const agent = at.agentFor('root');
    const sent = { host: `127.0.0.1:${port}`, ...headers, authorization };
    const told = await ask({ method, path, headers: sent, body, port, agent });
    assert.equal(gives(told), false, `${name}: ${told.status} ${told.body.toString('latin1')}`);
    assert.ok(told.status < 500, `${name}: ${told.status} ${told.body.toString('latin1')}`);
  }
}

function nameOf({ asker, door, way }: Cell): string {
  return `${asker.name} asks for the ${way.name} of ${way.repository} by ${door}`;
}

/** The same order for the same seed (mulberry32). */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return items
    .map((item) => ({ item, order: random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ item }) => item);
}
