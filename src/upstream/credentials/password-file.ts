import { Secret } from '../../config/secret.ts';
import type { CredentialSource } from '../credentials.ts';
import { WatchedFile } from './watched-file.ts';

/** A password alone in a file; a line break at its end is not part of it. */
export function passwordFileCredentials(path: string, username: string): CredentialSource {
  const file = new WatchedFile(path, (text) => new Secret(text.replace(/\r?\n$/, '')));
  return {
    get: async () => ({ kind: 'password', username, password: await file.get() }),
    refused: () => {},
  };
}
