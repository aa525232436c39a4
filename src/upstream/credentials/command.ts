import type { UpstreamCredentials } from '../../config/config.ts';
import type { CredentialSource, CredentialSurroundings } from '../credentials.ts';
import { askProgram } from './helper.ts';
import { Remembered } from './remembered.ts';
import { dockerServerName } from './server-name.ts';

type Command = Extract<UpstreamCredentials, { kind: 'command' }>;

/** A program of the operator's, asked as `docker-credential-NAME get` is: registry's `proxy.exec`. */
export function commandCredentials(
  { command, servers, lifetimeMs }: Command,
  { url, clock, environment }: Pick<CredentialSurroundings, 'url' | 'clock' | 'environment'>,
): CredentialSource {
  const names = new Set([...servers, dockerServerName(url)]);
  return new Remembered(clock, async () => {
    for (const name of names) {
      const credential = await askProgram(command, name, clock, environment);
      if (credential !== undefined) return { credential, forMs: lifetimeMs };
    }
    return { credential: undefined, forMs: Math.min(lifetimeMs, unknownMsMax) };
  });
}

/** That it knows nobody may change by itself: somebody logs in. In milliseconds. */
const unknownMsMax = 10_000;
