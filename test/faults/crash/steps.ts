/**
 * Loaded into a server before it starts (`node --import`): stops its process for good at one step of a download or a push, and says
 * so, so that a test can kill it just there. Nothing in src/ knows of this.
 */
import { writeSync } from 'node:fs';
import { Tenure } from '../../../src/cache/tenure.ts';
import type { Collected } from '../../../src/index/contract.ts';
import { SqliteBlobs } from '../../../src/index/sqlite/blobs.ts';
import { SqliteCollection } from '../../../src/index/sqlite/collection.ts';
import { SqliteHosted } from '../../../src/index/sqlite/hosted.ts';
import { SqliteUploads } from '../../../src/index/sqlite/uploads.ts';
import { OpenFile } from '../../../src/store/filesystem/open-file.ts';
import { armedLine, crashLine, stepSizeVariable, stepVariable } from './step-names.ts';
import type { Step } from './step-names.ts';

const step = process.env[stepVariable] ?? '';
const size = Number(process.env[stepSizeVariable]);
const armed = { yes: false };

process.on('SIGUSR2', () => {
  armed.yes = true;
  say(armedLine);
});

around(Tenure, 'acquire', async (acquire) => {
  const tenure = await acquire();
  if (tenure !== undefined) reach('seeking');
  return tenure;
});

around(OpenFile.prototype, 'write', async (write, bytes, position) => {
  await write();
  reach('first bytes');
  const end = Number(position) + (bytes as Uint8Array).length;
  if (end >= size / 2) reach('in the middle');
  if (end >= size) reach('all there, not verified');
});

around(OpenFile.prototype, 'sync', async (sync) => {
  reach('verified, not synced');
  await sync();
  reach('synced, not renamed');
});

around(SqliteBlobs.prototype, 'store', async (store) => {
  reach('renamed, not indexed');
  const stored = await store();
  reach('indexed, not released');
  return stored;
});

around(SqliteUploads.prototype, 'start', async (start) => {
  await start();
  reach('upload begun');
});

around(SqliteHosted.prototype, 'addBlob', async (addBlob) => {
  reach('renamed, not in the repository');
  const added = await addBlob();
  reach('in the repository, not acknowledged');
  return added;
});

around(SqliteHosted.prototype, 'put', async (put) => {
  reach('manifest come, not held');
  await put();
  reach('manifest held, not acknowledged');
});

for (const remove of ['remove', 'removeBlob']) {
  around(SqliteHosted.prototype, remove, async (original) => {
    reach('nothing deleted');
    const removed = await original();
    reach('deleted, not acknowledged');
    return removed;
  });
}

around(SqliteCollection.prototype, 'collect', async (collect) => {
  reach('nothing collected');
  const collected = (await collect()) as Collected;
  if (collected.blobs.length > 0) reach('out of the index, not deleted');
  return collected;
});

around(SqliteCollection.prototype, 'mayDiscard', async (mayDiscard) => {
  const may = await mayDiscard();
  if (may === true) reach('about to be deleted');
  return may;
});

around(SqliteCollection.prototype, 'discarded', async (discarded) => {
  reach('deleted, still to be discarded');
  await discarded();
  reach('discarded, not told');
});

function reach(here: Step): void {
  if (!armed.yes || here !== step) return;
  say(crashLine);
  // The whole process, not just this call: it is dead from here on, whatever it was about to do.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Replaces a method by one that is given the original, ready to be called. */
function around(
  holder: object,
  name: string,
  replacement: (original: () => Promise<unknown>, ...args: unknown[]) => Promise<unknown>,
): void {
  const original = Reflect.get(holder, name) as (...args: unknown[]) => Promise<unknown>;
  Reflect.set(holder, name, function (this: unknown, ...args: unknown[]) {
    return replacement(() => Reflect.apply(original, this, args), ...args);
  });
}

/** Not by way of a stream, which would wait for a turn of the event loop that never comes. */
function say(line: string): void {
  writeSync(2, `${line}\n`);
}
