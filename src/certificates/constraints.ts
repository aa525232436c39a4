import { isIP } from 'node:net';
import { AsnConvert } from '@peculiar/asn1-schema';
import * as x509 from '@peculiar/asn1-x509';
import ipaddr from 'ipaddr.js';
import type { SubjectName } from './subject-name.ts';
import { isWithin } from './subject-name.ts';

/** What a certificate authority may sign for, as its certificate says it (RFC 5280, 4.2.1.10). */
export interface Constraints {
  /** Domains, each with what is below it, and CIDR ranges. A kind of name that is not spoken of is not constrained. */
  readonly permitted: readonly string[];
  readonly excluded: readonly string[];
}

const everyAddress: readonly string[] = ['0.0.0.0/0', '::/0'];

/** For these domains and addresses, and for nothing else. */
export function constraintsTo(names: readonly string[]): Constraints {
  const addresses = names.flatMap((each) => (isIP(each) === 0 ? [] : [`${each}/${isIP(each) === 4 ? 32 : 128}`]));
  const domains = names.filter((each) => isIP(each) === 0);
  return {
    permitted: [...domains, ...addresses],
    excluded: [...(domains.length === 0 ? [''] : []), ...(addresses.length === 0 ? everyAddress : [])],
  };
}

export function permits({ permitted, excluded }: Constraints, name: SubjectName): boolean {
  const isOfKind = (each: string): boolean => each.includes('/') === (name.kind === 'address');
  const mustMatch = permitted.filter(isOfKind);
  return (
    (mustMatch.length === 0 || mustMatch.some((each) => covers(each, name.text))) &&
    !excluded.some((each) => isOfKind(each) && covers(each, name.text))
  );
}

export function nameConstraints({ permitted, excluded }: Constraints): x509.NameConstraints {
  return new x509.NameConstraints({
    ...(permitted.length === 0 ? {} : { permittedSubtrees: subtrees(permitted) }),
    ...(excluded.length === 0 ? {} : { excludedSubtrees: subtrees(excluded) }),
  });
}

/** `undefined` when it may sign for every name. */
export function constraintsOf({ tbsCertificate }: x509.Certificate): Constraints | undefined {
  const found = tbsCertificate.extensions?.find(({ extnID }) => extnID === x509.id_ce_nameConstraints);
  if (found === undefined) return undefined;
  const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(found.extnValue.buffer, x509.NameConstraints);
  return { permitted: textsOf(permittedSubtrees), excluded: textsOf(excludedSubtrees) };
}

function covers(constraint: string, name: string): boolean {
  if (!constraint.includes('/')) return constraint === '' || isWithin(name, constraint);
  const [address, range] = [ipaddr.parse(name), ipaddr.parseCIDR(constraint)];
  return address.kind() === range[0].kind() && address.match(range);
}

function subtrees(texts: readonly string[]): x509.GeneralSubtrees {
  const names = texts.map((text) => new x509.GeneralName(text.includes('/') ? { iPAddress: text } : { dNSName: text }));
  return new x509.GeneralSubtrees(names.map((base) => new x509.GeneralSubtree({ base })));
}

/** Kinds that no leaf of ours has are left to the clients. A final dot or a leading one says nothing more. */
function textsOf(found: x509.GeneralSubtrees | undefined): readonly string[] {
  return (found ?? []).flatMap(({ base }) => base.iPAddress ?? base.dNSName?.toLowerCase().replace(/^\./, '') ?? []);
}
