import type { AdoptionProgress } from './adopt/adoption.ts';
import { fateOf, thisProcess } from './cache/holder.ts';
import { furnish, openIndex, openStore, setAsideIndex } from './furnish.ts';
import type { Around } from './furnish.ts';
import { LinkWriter } from './hosted/link-writer.ts';
import type { Index } from './index/contract.ts';
import type { Loaded } from './config/load.ts';
import type { Event } from './observe/events.ts';
import { RegistryError } from './oci/errors.ts';
import { Settings } from './settings.ts';

export interface Rebuilt {
  /** Where the index lies that was there before; `undefined` when there was none. */
  readonly before: string | undefined;
  /** Why nothing could be taken over from that index; `undefined` when it could. */
  readonly unread: string | undefined;
  readonly found: AdoptionProgress;
}

/**
 * Makes the index anew from what the volume says. What was hosted comes back; what was merely cached is known by its
 * content alone, and used again when its upstream has answered for it.
 * @throws RegistryError when a server runs on it, or part of the volume cannot be read
 */
export async function rebuildIndex(loaded: Loaded, around: Around): Promise<Rebuilt> {
  const { index: where, storage } = loaded.config;
  if (where.kind !== 'sqlite' || storage.driver !== 'filesystem') {
    const message = 'this index is in memory alone, and gone when the server ends: there is nothing to rebuild';
    throw new RegistryError('UNSUPPORTED', message, { origin: 'operator' });
  }
  setAsideIndex(where, 'only look');
  const { pins, unread } = await saveWhatCanBeSaved(loaded, around);
  const before = setAsideIndex(where, 'move');
  await using scope = new AsyncDisposableStack();
  const failed = Promise.withResolvers<never>();
  const emit = (event: Event): void => {
    around.observer.emit(event);
    if (event.type === 'task.failed')
      failed.reject(new RegistryError('UNAVAILABLE', event.message, { origin: 'store' }));
  };
  const { adoption, index } = await furnish(scope, new Settings(loaded), { ...around, observer: { emit } });
  await Promise.race([adoption.finished(), failed.promise]);
  for (const pin of pins) await index.pins.pin(pin);
  return { before, unread, found: adoption.progress };
}

interface Saved {
  readonly pins: readonly string[];
  readonly unread: string | undefined;
}

/** Where the old index can still be read, what it has not written to the volume yet is, and its pins are kept. */
async function saveWhatCanBeSaved({ config }: Loaded, around: Around): Promise<Saved> {
  let index: Index | undefined;
  try {
    index = await openIndex(config);
    await using store = await openStore(config);
    const isGone = (holder: string): boolean => fateOf(holder) !== 'unknown';
    await using links = new LinkWriter({ ...around, store, index, holder: thisProcess(), isGone });
    await links.drain();
    return { pins: await index.pins.list(), unread: undefined };
  } catch (error) {
    if (!(error instanceof RegistryError) || error.origin !== 'index') throw error;
    // What to do about it is being done.
    return { pins: [], unread: error.message.split(': ')[0] };
  } finally {
    await index?.[Symbol.asyncDispose]();
  }
}
