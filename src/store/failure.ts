import { RegistryError, systemCodeOf } from '../oci/errors.ts';

/** What to do about an error of the file system, by its code. */
const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space on it, or lower cache.size',
  EDQUOT: 'raise the quota of the user that runs entrepot, or lower cache.size',
  EROFS: 'remount it writable (the kernel does this by itself when a disk fails: look at its log)',
  EACCES: 'give the user that runs entrepot read and write access to storage.filesystem.rootdirectory',
  EPERM: 'give the user that runs entrepot read and write access to storage.filesystem.rootdirectory',
  EMFILE: 'raise the limit of open files (ulimit -n, or LimitNOFILE= of the service)',
  ENFILE: 'raise the limit of open files of this machine (sysctl fs.file-max)',
  EIO: 'look at the kernel log and replace the disk',
  ENOENT: 'ask again; when it happens often, find out what else deletes files below storage.filesystem.rootdirectory',
  EXDEV: 'keep docker and entrepot below storage.filesystem.rootdirectory on one file system',
  EEXIST: 'report it: two ingests were given one name',
  ESTALE: 'remount the network file system',
};

/**
 * An error of the machine below the store as a RegistryError `UNAVAILABLE` of origin `store`, whose detail keeps the
 * code (`ENOSPC`). One that is a RegistryError already is returned as it is.
 * @param operation what failed, as the subject of a sentence: `writing a blob`
 */
export function storeFailure(operation: string, cause: unknown): RegistryError {
  if (cause instanceof RegistryError) return cause;
  const code = errorCode(cause) ?? 'UNKNOWN';
  const what = advice[code] ?? 'look at the disk and the file system below storage.filesystem.rootdirectory';
  return new RegistryError('UNAVAILABLE', `${operation} failed with ${code}: ${what}`, {
    origin: 'store',
    detail: { code },
    cause,
  });
}

/** The content is not (or no longer) what it was found to be: shorter, or gone. */
export function storeLoss(message: string, code: 'TRUNCATED' | 'VANISHED', cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', message, { origin: 'store', detail: { code }, cause });
}

/** Whether it was found that content is not what it should be; any other failure says nothing of the content. */
export function isStoreLoss(error: unknown): boolean {
  return ['TRUNCATED', 'VANISHED'].includes(systemCodeOf(error));
}

export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
