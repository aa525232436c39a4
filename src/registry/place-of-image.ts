import { RegistryError } from '../oci/errors.ts';
import { isRepositoryName } from '../oci/reference.ts';
import { hostedPlace, isOwn, knownUpstream, locate, publicNamesake, splitHost } from './place.ts';
import type { Place, RoutingTable } from './place.ts';

/** Whether anybody has pushed that name here. */
export type IsPushed = (name: string) => Promise<boolean>;

/**
 * Where an image leads that an operator names: as a client's path does, and as people copy names from their commands, with
 * our own name before it, or with one that only they have for us.
 * @throws RegistryError `UPSTREAM_UNKNOWN` when it names another registry
 */
export async function placeOfImage(name: string, table: RoutingTable, isPushed: IsPushed): Promise<Place> {
  const [host, rest] = splitHost(name);
  if (host === undefined) return pulled(name, table, isPushed);
  if (isOwn(host, table)) return (await pushed([rest], isPushed)) ?? placeOfImage(rest, table, isPushed);
  const upstream = knownUpstream(host, table);
  if (table.mode === 'entrepot' && (upstream !== undefined || table.isHosted(name)))
    return pulled(name, table, isPushed);
  if (upstream !== undefined && upstream.name === table.defaultUpstream?.name) return pulled(rest, table, isPushed);
  const found = await pushed([name, rest], isPushed);
  if (found !== undefined) return found;
  const [next] = splitHost(rest);
  if (next !== undefined && knownUpstream(next, table) !== undefined) return placeOfImage(rest, table, isPushed);
  if (table.mode === 'registry') return hostedPlace(isRepositoryName(name) ? name : rest, undefined);
  throw anotherRegistry(host, table);
}

/** As clients pull it. */
async function pulled(name: string, table: RoutingTable, isPushed: IsPushed): Promise<Place> {
  const place = locate({ text: name, prefixed: false }, undefined, undefined, table);
  const lent = publicNamesake(place, table);
  return lent === undefined || (await isPushed(place.key.name)) ? place : lent;
}

async function pushed(names: readonly string[], isPushed: IsPushed): Promise<Place | undefined> {
  for (const name of names) {
    if (isRepositoryName(name) && (await isPushed(name))) return hostedPlace(name, undefined);
  }
  return undefined;
}

function anotherRegistry(host: string, { mode, defaultUpstream }: RoutingTable): RegistryError {
  const advice =
    mode === 'entrepot'
      ? 'add it under upstreams in the configuration'
      : `this server is a cache of ${defaultUpstream?.name} alone; name an image of that`;
  return new RegistryError('UPSTREAM_UNKNOWN', `${host} is not a known registry; ${advice}`, { origin: 'operator' });
}
