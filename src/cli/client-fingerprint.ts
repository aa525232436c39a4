import { X509Certificate } from 'node:crypto';
import type { OfferedAuthority } from '../clients/runtimes.ts';
import type { Output } from './output.ts';
import { CommandFailed } from './trouble.ts';

/**
 * Holds what a machine is to trust to the SHA-256 fingerprint that somebody has read at the server, with or without colons;
 * certificates that this says nothing about are noted, to be compared by eye.
 * @throws CommandFailed when it is none of theirs
 */
export function compareFingerprint(
  out: Output,
  url: string,
  offered: readonly OfferedAuthority[],
  given: string | undefined,
): void {
  const wanted = given === undefined ? undefined : bare(given);
  const all = offered.map(({ kind, authority }) => ({ kind, prints: fingerprintsOf(authority.pem ?? '') }));
  if (wanted !== undefined && all.length === 0) {
    throw new CommandFailed(`${url} has no CA of its own; leave --fingerprint out, or give the https:// URL.`);
  }
  if (wanted !== undefined && !all.some(({ prints }) => prints.includes(wanted))) {
    const those = all.map(({ kind, prints }) => `${named[kind]} of ${url} has the fingerprint ${spelled(prints)}`);
    throw new CommandFailed(`${those.join('; ')}, not the one that was given: do not trust it before you know why.`);
  }
  for (const { kind, prints } of all) {
    const others = prints.filter((print) => print !== wanted);
    if (others.length === 0) continue;
    out.note(
      `${named[kind]} of ${url} has the fingerprint ${spelled(others)}; compare: entrepot ca ${kind}, there.\n\n`,
    );
  }
}

const named: Readonly<Record<OfferedAuthority['kind'], string>> = {
  server: 'The CA',
  interception: 'The interception CA',
};

/** One a certificate. */
function fingerprintsOf(pem: string): readonly string[] {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return certificates.map((each) => bare(new X509Certificate(each).fingerprint256));
}

function bare(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

function spelled(prints: readonly string[]): string {
  return prints.map((each) => each.toUpperCase().replaceAll(/..(?!$)/g, '$&:')).join(' or ');
}
