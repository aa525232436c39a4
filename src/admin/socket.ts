import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { RegistryError } from '../oci/errors.ts';

/** The kernel's limit for the path of a unix socket, in bytes (unix(7); one is for the zero at the end). */
const socketPathBytesMax = 107;

/**
 * Makes a path ready to listen on: its directory is there, and a socket file that a killed server left is gone.
 * @throws RegistryError `UNAVAILABLE` when a live server listens there, the path is too long, or something else is there
 */
export async function prepareSocket(path: string, setting: 'admin.socket' | 'http.addr'): Promise<void> {
  if (Buffer.byteLength(path) > socketPathBytesMax) {
    refuse(
      `the path ${path} is longer than the ${socketPathBytesMax} bytes that a socket may have; set ${setting} to a shorter one`,
    );
  }
  await mkdir(dirname(path), { recursive: true });
  const found = await lstat(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket())
    refuse(`${path} is there and is not a socket; move it away, or set ${setting} to another path`);
  if (await answers(path))
    refuse(`another server listens on ${path}; stop it, or set ${setting} of this one to another path`);
  await unlink(path);
}

/** Only the user that runs the server may administer it. */
export async function protectSocket(path: string): Promise<void> {
  await chmod(path, 0o600);
}

async function answers(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => resolve(true));
  socket.once('error', (error) => {
    if (isErrno(error, 'ECONNREFUSED') || isErrno(error, 'ENOENT')) resolve(false);
    // Busy (EAGAIN) or somebody else's (EACCES): it lives.
    else if (isErrno(error, 'EAGAIN') || isErrno(error, 'EACCES')) resolve(true);
    else reject(error);
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function refuse(why: string): never {
  throw new RegistryError('UNAVAILABLE', why, { origin: 'operator' });
}
