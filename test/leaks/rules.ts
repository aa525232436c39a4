/** Who is to be served what: the rules themselves, as short as they are, and nothing of how the server keeps them. */
import type { Shelf } from './content.ts';
import { isMirror, isTransparent } from './doors.ts';
import type { Door } from './doors.ts';
import type { Way } from './ways.ts';

export interface Asker {
  readonly name: string;
  readonly authorization?: string | undefined;
  /** Shown to nobody but us. */
  readonly isOnlyForUs?: boolean;
  /** A user of this cache. */
  readonly isUserHere?: boolean;
  /** What of the private the upstream lets this very authorization read now; `undefined` where it refuses it as such. */
  readonly readsNow?: readonly string[];
  /** What it was seen to let it read not longer ago than the window of the moment. */
  readonly proved?: readonly string[];
}

export interface World {
  /** What this cache's own account at the upstream reads; nothing where it has none. */
  readonly ours: readonly string[];
  readonly exposure: 'anyone' | 'authenticated' | 'passthrough';
  readonly isAway: boolean;
}

export function isServed(asker: Asker, door: Door, way: Way, readers: Shelf['readers'], world: World): boolean {
  if (way.kind === 'naming' || door === 'sideways') return false;
  if (!isTransparent(door) && isRefusedHere(asker, door)) return false;
  const isAsked = way.kind === 'asked there' && isTransparent(door) && !world.isAway;
  if (readers === undefined) return !isAsked || asker.readsNow !== undefined;
  if (!isAsked && isExposed(asker, door, world) && world.ours.includes(way.repository)) return true;
  return isTransparent(door) && showsItsRight(asker, way, world);
}

/** Whoever brings what is wrong where he talks to us is told so, whatever he asks for. */
function isRefusedHere({ authorization, isUserHere }: Asker, door: Door): boolean {
  return authorization !== undefined && isUserHere !== true && !isMirror(door);
}

function isExposed({ isUserHere }: Asker, door: Door, { exposure }: World): boolean {
  if (exposure === 'anyone') return true;
  return exposure === 'authenticated' && isUserHere === true && !isTransparent(door);
}

function showsItsRight({ readsNow = [], proved = [] }: Asker, { kind, repository }: Way, { isAway }: World): boolean {
  if (isAway) return proved.includes(repository);
  if (readsNow.includes(repository)) return true;
  // What is looked up anew is asked for in the client's own name.
  return kind === 'content' && proved.includes(repository);
}
