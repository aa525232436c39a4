import fs from 'node:fs';

/**
 * Resolves when it is on the disk. Only for what has just been written or renamed: the kernel knows it, so that opening and
 * closing it waits for nothing, and takes less time than to ask another thread for it. The sync itself waits.
 */
export async function syncPath(path: string, what: 'all' | 'data'): Promise<void> {
  const descriptor = fs.openSync(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      const sync = what === 'all' ? fs.fsync : fs.fdatasync;
      sync(descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    fs.closeSync(descriptor);
  }
}
